// SPDX-License-Identifier: Apache-2.0
/*
 * Ordinary files. Reading takes a page from memory if one was written there, else from the image,
 * else zeroes. The first write to a page of the image copies that page.
 */
#include "regular.h"

#include <linux/fcntl.h>

#include "../kernel/process.h"
#include "../mm/heap.h"
#include "../mm/page.h"
#include "image.h"

#define SIZE_MAX_FILE INT64_MAX
#define PAGES_MAX     (1UL << 19) /* with content: 2 GiB */

/* Frames of files that have, or had, a name in the tree: a memfd's count as any memory does. */
static uint64_t frames_counted;

static bool counts(const struct inode *inode)
{
    return inode->dev == DEV_ROOT || inode->counted > 0;
}

static void frame_drop(struct inode *inode, uint64_t index)
{
    page_put(inode->frames[index]);
    inode->frames[index] = 0;
    inode->frames_used--;
    frames_counted -= counts(inode);
}

/* To a write, no memory is no space; to a touch of a mapping it is not. */
static int no_space(int rc)
{
    return rc == -ENOMEM ? -ENOSPC : rc;
}

static paddr_t frame_of(const struct inode *inode, uint64_t index)
{
    return index < inode->frames_room ? inode->frames[index] : 0;
}

static void content(const struct inode *inode, uint64_t index, const uint8_t **out, size_t *out_len)
{
    const void *at;
    size_t len;
    *out_len = 0;
    if (!inode->nid || index * PAGE_SIZE >= inode->image_size ||
        image_page(inode->nid, index, &at, &len) < 0)
        return;
    *out = at;
    *out_len = min_u64(len, inode->image_size - index * PAGE_SIZE);
}

static void read_page(const struct inode *inode, uint64_t index, size_t at, uint8_t *to, size_t len)
{
    paddr_t pa = frame_of(inode, index);
    if (pa) {
        memcpy(to, (uint8_t *)page_ptr(pa) + at, len);
        return;
    }
    const uint8_t *from = NULL;
    size_t have;
    content(inode, index, &from, &have);
    size_t part = at < have ? min_u64(len, have - at) : 0;
    if (part)
        memcpy(to, from + at, part);
    memset(to + part, 0, len - part);
}

static long regular_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    struct inode *inode = file->inode;
    if (*pos >= inode->size)
        return 0;
    len = min_u64(len, inode->size - *pos);
    for (size_t done = 0; done < len;) {
        uint64_t at = *pos + done;
        size_t part = min_u64(PAGE_SIZE - (at & PAGE_MASK), len - done);
        read_page(inode, at >> PAGE_SHIFT, at & PAGE_MASK, (uint8_t *)to + done, part);
        done += part;
    }
    *pos += len;
    return (long)len;
}

static int room_for(struct inode *inode, uint64_t index)
{
    if (index < inode->frames_room)
        return 0;
    if (index >= PAGES_MAX)
        return -EFBIG;
    size_t room = inode->frames_room ? inode->frames_room : 2;
    while (room <= index)
        room *= 2;
    paddr_t *frames =
        heap_grow(inode->frames, inode->frames_room * sizeof(paddr_t), room * sizeof(paddr_t));
    if (!frames)
        return -ENOMEM;
    inode->frames = frames;
    inode->frames_room = room;
    return 0;
}

/* The frame of a page for writing; -ENOSPC at the limit of files, -ENOMEM, -EFBIG. */
static int own_frame(struct inode *inode, uint64_t index, paddr_t *out)
{
    int rc = room_for(inode, index);
    if (rc < 0)
        return rc;
    if (!inode->frames[index]) {
        bool full =
            process.files_max && counts(inode) && frames_counted >= process.files_max >> PAGE_SHIFT;
        paddr_t pa = full ? 0 : page_alloc(0);
        if (!pa)
            return full ? -ENOSPC : -ENOMEM;
        read_page(inode, index, 0, page_ptr(pa), PAGE_SIZE);
        inode->frames[index] = pa;
        inode->frames_used++;
        frames_counted += counts(inode);
    }
    *out = inode->frames[index];
    return 0;
}

static long regular_write(struct file *file, const void *from, size_t len, uint64_t *pos)
{
    struct inode *inode = file->inode;
    if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    if (file->flags & O_APPEND)
        *pos = inode->size;
    if (*pos > SIZE_MAX_FILE - len)
        return -EINVAL; /* rw_verify_area() */
    if (*pos + len > inode->size && inode->seals & F_SEAL_GROW)
        return -EPERM;
    size_t done = 0;
    int rc = 0;
    while (done < len) {
        uint64_t at = *pos + done;
        size_t part = min_u64(PAGE_SIZE - (at & PAGE_MASK), len - done);
        paddr_t pa;
        rc = own_frame(inode, at >> PAGE_SHIFT, &pa);
        if (rc < 0)
            break;
        memcpy((uint8_t *)page_ptr(pa) + (at & PAGE_MASK), (const uint8_t *)from + done, part);
        done += part;
    }
    if (!done && len)
        return no_space(rc);
    *pos += done;
    inode->size = max_u64(inode->size, *pos);
    if (done && process.uid)
        inode_drop_setid(inode);
    if (done)
        inode_touch(inode);
    return (long)done;
}

static void drop_from(struct inode *inode, uint64_t index)
{
    for (uint64_t i = index; i < inode->frames_room; i++) {
        if (inode->frames[i])
            frame_drop(inode, i);
    }
}

void regular_free(struct inode *inode)
{
    drop_from(inode, 0);
    heap_free(inode->frames);
}

int regular_resize(struct inode *inode, uint64_t size)
{
    if (size > SIZE_MAX_FILE)
        return -EFBIG;
    if ((size < inode->size && inode->seals & F_SEAL_SHRINK) ||
        (size > inode->size && inode->seals & F_SEAL_GROW))
        return -EPERM;
    if (size < inode->size) {
        drop_from(inode, page_up(size) >> PAGE_SHIFT);
        inode->image_size = min_u64(inode->image_size, size);
        paddr_t last = frame_of(inode, size >> PAGE_SHIFT);
        if (last && size & PAGE_MASK)
            memset((uint8_t *)page_ptr(last) + (size & PAGE_MASK), 0,
                   PAGE_SIZE - (size & PAGE_MASK));
    }
    inode->size = size;
    inode_touch(inode);
    return 0;
}

int regular_allocate(struct inode *inode, uint64_t from, uint64_t len)
{
    for (uint64_t i = from >> PAGE_SHIFT; i < page_up(from + len) >> PAGE_SHIFT; i++) {
        paddr_t pa;
        int rc = own_frame(inode, i, &pa);
        if (rc < 0)
            return no_space(rc);
    }
    return 0;
}

int regular_punch(struct inode *inode, uint64_t from, uint64_t len)
{
    uint64_t end = min_u64(from + len, page_up(inode->size));
    for (uint64_t at = from; at < end;) {
        size_t part = min_u64(PAGE_SIZE - (at & PAGE_MASK), end - at);
        paddr_t pa;
        int rc = own_frame(inode, at >> PAGE_SHIFT, &pa);
        if (rc < 0)
            return no_space(rc);
        memset((uint8_t *)page_ptr(pa) + (at & PAGE_MASK), 0, part);
        at += part;
    }
    return 0;
}

uint64_t regular_blocks(const struct inode *inode)
{
    uint64_t pages = inode->frames_used;
    if (inode->nid)
        pages = max_u64(pages, page_up(inode->image_size) >> PAGE_SHIFT);
    return pages * (PAGE_SIZE / 512);
}

int64_t regular_next(struct inode *inode, uint64_t at, bool data)
{
    if (at >= inode->size)
        return -ENXIO;
    for (uint64_t i = at >> PAGE_SHIFT; i * PAGE_SIZE < inode->size; i++) {
        const uint8_t *unused = NULL;
        size_t len = 0;
        content(inode, i, &unused, &len);
        if (i >= inode->frames_room && i * PAGE_SIZE >= inode->image_size && data)
            return -ENXIO;
        if ((frame_of(inode, i) || len) == data)
            return (int64_t)max_u64(at, i * PAGE_SIZE);
    }
    return data ? -ENXIO : (int64_t)inode->size;
}

/* The image's own frame if the page is whole; else, once for all, a copy with zeroes behind the
 * end. */
static int regular_frame(struct file *file, uint64_t index, bool write, paddr_t *out)
{
    struct inode *inode = file->inode;
    if (index * PAGE_SIZE >= inode->size)
        return -ENXIO;
    const uint8_t *at = NULL;
    size_t len = 0;
    content(inode, index, &at, &len);
    bool shared_later = file_writable(file) || !inode->nid;
    if (!frame_of(inode, index) && !write && !shared_later && len == PAGE_SIZE &&
        !(image_pa(at) & PAGE_MASK)) {
        *out = image_pa(at);
        return 0;
    }
    int rc = own_frame(inode, index, out);
    if (rc < 0)
        return rc == -ENOSPC ? -ENXIO : rc; /* the limit of files: SIGBUS */
    page_get(*out);
    return 0;
}

const struct file_ops regular_ops = {
    .read = regular_read,
    .write = regular_write,
    .frame = regular_frame,
    .seekable = true,
};
