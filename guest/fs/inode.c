// SPDX-License-Identifier: Apache-2.0
/* Inodes: see inode.h. */
#include "inode.h"

#include "../kernel/process.h"
#include "../kernel/time.h"
#include "../mm/heap.h"
#include "../mm/page.h"
#include "image.h"
#include "regular.h"

static uint64_t next_ino = 1UL << 32; /* above those of the image */

struct instant instant_now(void)
{
    uint64_t ns = time_real_ns();
    return (struct instant){.s = (int64_t)(ns / NS_PER_S), .ns = (uint32_t)(ns % NS_PER_S)};
}

struct inode *inode_new(uint32_t mode, enum inode_dev dev)
{
    struct inode *inode = heap_alloc(sizeof(*inode));
    if (!inode)
        return NULL;
    inode->refs = 1;
    inode->nlink = 1;
    inode->mode = mode;
    inode->uid = process.uid;
    inode->gid = process.gid;
    inode->dev = dev;
    inode->ino = next_ino++;
    inode->atime = inode->mtime = inode->ctime = instant_now();
    return inode;
}

/* As a tmpfs of that size has them: one for each page, and some. */
#define NAMES_FREE 1024U

static uint64_t names_counted;

int inode_count(struct inode *inode)
{
    if (process.files_max && names_counted >= process.files_max / PAGE_SIZE + NAMES_FREE)
        return -ENOSPC;
    inode->counted++;
    names_counted++;
    return 0;
}

void inode_uncount(struct inode *inode)
{
    if (!inode->counted)
        return;
    inode->counted--;
    names_counted--;
}

void inode_get(struct inode *inode)
{
    inode->refs++;
}

void inode_put(struct inode *inode)
{
    if (!inode || --inode->refs > 0)
        return;
    if (inode->nid)
        image_forget(inode);
    regular_free(inode);
    names_counted -= inode->counted;
    if (inode->image_tail)
        page_put(inode->image_tail);
    heap_free(inode->target);
    heap_free(inode);
}

void inode_touch(struct inode *inode)
{
    inode->mtime = inode->ctime = instant_now();
}

long inode_link_text(struct inode *inode, char *to, size_t max)
{
    if (inode->ops && inode->ops->readlink)
        return inode->ops->readlink(inode, to, max);
    const char *text = inode->target;
    if (!text) {
        const void *at;
        size_t len;
        int rc = image_page(inode->nid, 0, &at, &len);
        if (rc < 0)
            return rc;
        memcpy(to, at, len < max ? len : max);
        return (long)(len < max ? len : max);
    }
    size_t len = strlen(text);
    memcpy(to, text, len < max ? len : max);
    return (long)(len < max ? len : max);
}
