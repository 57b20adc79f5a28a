/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An inode: what a file is, without its names. Files and directories of the image and of memory are
 * one kind: an inode that came from the image keeps its number there, and what was written covers
 * it, page by page.
 */
#ifndef SKERRY_GUEST_INODE_H
#define SKERRY_GUEST_INODE_H

#include <linux/stat.h>

#include "../kernel/base.h"

struct dentry;
struct file;
struct waitq;
struct file_ops;
struct inode;

#define S_IS(mode, kind) (((mode)&S_IFMT) == (kind))

struct instant {
    int64_t s;
    uint32_t ns;
};

/* For directories whose entries are made up when they are asked for (/proc), and for links that are
 * computed. */
struct inode_ops {
    /* Finds name in a made-up directory: 0 and an inode with a reference, or -ENOENT. */
    int (*lookup)(struct dentry *dir, const char *name, size_t len, struct inode **out);
    /* Entry number index of a made-up directory: 0 and its name and type, or -ENOENT behind the
     * last. */
    int (*entry)(struct dentry *dir, uint64_t index, char name[32], uint32_t *out_mode);
    /* A computed link: its length, or an error. */
    long (*readlink)(struct inode *inode, char *to, size_t max);
    /* A link that leads straight to a place instead of through its text: 0 and a dentry with a
     * reference. */
    int (*follow)(struct inode *inode, struct dentry **out);
    /* Opening instead of the ordinary way; may leave file->ops changed. */
    int (*open)(struct inode *inode, struct file *file);
};

enum inode_dev {
    DEV_ROOT = 0x20,
    DEV_PROC = 0x15,
    DEV_DEV = 0x6,
    DEV_PIPE = 0xd,
    DEV_SOCKET = 0x9,
    DEV_ANON = 0xe,
    DEV_SHM = 0x1
};

struct inode {
    uint32_t refs, nlink;
    uint32_t mode, uid, gid;
    uint32_t dev;
    uint64_t rdev, ino, size;
    struct instant atime, mtime, ctime;
    const struct inode_ops *ops;
    const struct file_ops *file_ops; /* when not an ordinary file */
    uint64_t nid;                    /* of the image; 0: not of the image */
    uint64_t image_size;             /* of its content that still shows through */
    paddr_t image_tail;              /* a copy of the image's last, unaligned page */
    paddr_t *frames;                 /* what was written, by page; 0: nothing */
    size_t frames_room;
    uint64_t frames_used;
    char *target;    /* of a link in memory */
    void *data;      /* of file_ops */
    uint64_t number; /* of ops: which of its files */
    uint32_t seals;
    uint32_t counted;    /* of its names, those that count towards the limit of files */
    struct file *locker; /* flock: exclusive holder */
    uint32_t shared_lockers;
};

/** inode_new(): an inode with one reference, no name, times now, owner of the program. NULL without
 * memory. */
struct inode *inode_new(uint32_t mode, enum inode_dev dev);

void inode_get(struct inode *inode);
void inode_put(struct inode *inode);

/** inode_now(): stamps of "changed" and "modified". */
void inode_touch(struct inode *inode);

/** inode_now(): the time of the clock that files are stamped with. */
struct instant instant_now(void);

/** inode_drop_setid(): a new owner or new content: it gives nobody's rights any more. Without x for
 * the group the group's bit means something else, and stays. */
static inline void inode_drop_setid(struct inode *inode)
{
    inode->mode &= ~(inode->mode & 010 ? 06000U : 04000U);
}

/** inode_count(): one more name of an inode in memory: 0, or -ENOSPC when there are as many as the
 * limit of files allows. inode_uncount(): one less. */
int inode_count(struct inode *inode);
void inode_uncount(struct inode *inode);

/** inode_link_text(): what a link says: its length (the text is cut at max), or an error. */
long inode_link_text(struct inode *inode, char *to, size_t max);

#endif
