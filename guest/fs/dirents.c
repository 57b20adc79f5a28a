// SPDX-License-Identifier: Apache-2.0
/*
 * getdents64. A directory's position is the cookie of the entry to go on with: entries that are
 * made or removed while it is listed neither hide nor repeat others.
 */
#include "../kernel/call.h"
#include "../mm/space.h"
#include "open.h"

struct dirent64_head {
    uint64_t ino;
    int64_t next;
    uint16_t len;
    uint8_t type;
} __attribute__((packed));

struct out {
    uint64_t at;
    size_t left, done;
};

static int put(struct out *out, uint64_t ino, uint64_t next, uint32_t mode, const char *name)
{
    size_t head = sizeof(struct dirent64_head), name_len = strlen(name) + 1;
    size_t len = (head + name_len + 7) & ~(size_t)7;
    if (len > out->left)
        return out->done ? 1 : -EINVAL;
    struct dirent64_head entry = {.ino = ino,
                                  .next = (int64_t)next,
                                  .len = (uint16_t)len,
                                  .type = (uint8_t)((mode & S_IFMT) >> 12)};
    memset((void *)out->at, 0, len);
    memcpy((void *)out->at, &entry, head);
    memcpy((void *)(out->at + head), name, name_len);
    out->at += len;
    out->left -= len;
    out->done += len;
    return 0;
}

static int put_made_up(struct file *file, struct out *out)
{
    char name[32];
    uint32_t mode;
    for (;;) {
        int rc = file->inode->ops->entry(file->dentry, file->pos - 2, name, &mode);
        if (rc == -ENOENT)
            return 0;
        if (rc == 0)
            rc = put(out, file->inode->ino * 1000 + file->pos, file->pos + 1, mode, name);
        if (rc)
            return rc;
        file->pos++;
    }
}

static int put_children(struct file *file, struct out *out)
{
    struct dentry *dir = file->dentry;
    for (struct list *at = dir->children.next; at != &dir->children; at = at->next) {
        struct dentry *child = container_of(at, struct dentry, link);
        if (child->cookie <= file->pos)
            continue;
        int rc = put(out, child->inode->ino, child->cookie, child->inode->mode, child->name);
        if (rc)
            return rc;
        file->pos = child->cookie;
    }
    return 0;
}

long sys_getdents64(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || file->flags & O_PATH)
        return -EBADF;
    if (file->ops != &directory_ops)
        return -ENOTDIR;
    if (file->dentry->deleted)
        return -ENOENT;
    if (!user_ok(a[1], a[2], true))
        return -EFAULT;
    struct out out = {.at = a[1], .left = a[2]};
    int rc = tree_complete(file->dentry);
    if (rc == 0 && file->pos == 0) {
        rc = put(&out, file->inode->ino, 1, S_IFDIR, ".");
        file->pos = rc == 0 ? 1 : 0;
    }
    if (rc == 0 && file->pos == 1) {
        rc = put(&out, file->dentry->parent->inode->ino, 2, S_IFDIR, "..");
        file->pos = rc == 0 ? 2 : 1;
    }
    if (rc == 0)
        rc = file->inode->ops && file->inode->ops->entry ? put_made_up(file, &out)
                                                         : put_children(file, &out);
    return rc < 0 ? rc : (long)out.done;
}
