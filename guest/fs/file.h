/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open file: what descriptors and mappings refer to. Each kind brings its operations; one that
 * it lacks (NULL) is answered as Linux answers it.
 */
#ifndef SKERRY_GUEST_FILE_H
#define SKERRY_GUEST_FILE_H

#include <linux/fcntl.h>

#include "../kernel/base.h"
#include "../kernel/wait.h"

struct inode;
struct dentry;
struct file;

struct file_ops {
    /* Pointers are checked. pos is where in the file; it is moved on by what was done. */
    long (*read)(struct file *file, void *to, size_t len, uint64_t *pos);
    long (*write)(struct file *file, const void *from, size_t len, uint64_t *pos);
    unsigned (*poll)(struct file *file);       /* POLLIN ...; NULL: always ready */
    struct waitq *(*waitq)(struct file *file); /* woken when poll may have changed */
    long (*ioctl)(struct file *file, unsigned cmd, uint64_t arg);
    /* The frame of a page of the file, with a reference: -ENXIO behind its end. */
    int (*frame)(struct file *file, uint64_t index, bool write, paddr_t *out);
    void (*close)(struct file *file);
    /* Another open file of the same object came to be (/proc/self/fd): counts it. */
    void (*share)(struct file *file);
    bool seekable;
    bool whole; /* a vector is one message: gathered before it is written, read by one call */
};

struct file {
    uint32_t refs;
    uint32_t flags; /* O_* of open and fcntl */
    const struct file_ops *ops;
    struct dentry *dentry; /* NULL: it never had a name */
    struct inode *inode;
    uint64_t pos;
    void *data;      /* of ops */
    uint64_t extra;  /* of ops */
    uint64_t id;     /* no two open files ever have the same */
    uint32_t locked; /* flock: LOCK_SH or LOCK_EX */
    int owner;       /* F_SETOWN */
};

/** file_new(): an open file with one reference; takes a reference of inode and dentry (both may be
 * NULL). */
struct file *file_new(const struct file_ops *ops, struct inode *inode, struct dentry *dentry,
                      uint32_t flags);

void file_get(struct file *file);
void file_put(struct file *file);

/** file_share(): makes `to` an open file of the object that `from` is one of: 0 or -ENXIO if it
 * cannot be opened anew. */
int file_share(struct file *to, const struct file *from);

static inline bool file_readable(const struct file *file)
{
    return !(file->flags & O_PATH) && (file->flags & O_ACCMODE) != O_WRONLY;
}

static inline bool file_writable(const struct file *file)
{
    return !(file->flags & O_PATH) && (file->flags & O_ACCMODE) != O_RDONLY;
}

/** fd_get(): the open file of a descriptor without a new reference; NULL if there is none. */
struct file *fd_get(int fd);

/** fd_install(): the lowest free descriptor from low on, for file, whose reference it takes over in
 * every case. */
int fd_install(struct file *file, int low, bool cloexec);

/** fd_put_at(): makes fd the file's; closes what it was. Takes over the reference. */
int fd_put_at(int fd, struct file *file, bool cloexec);

int fd_close(int fd);
bool fd_cloexec(int fd);
void fd_set_cloexec(int fd, bool on);
int fd_limit(void);
/** fd_highest(): one more than the highest descriptor ever used: for loops. */
int fd_highest(void);

#endif
