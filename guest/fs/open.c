// SPDX-License-Identifier: Apache-2.0
/* Opening files. */
#include "open.h"

#include "../kernel/call.h"
#include "../kernel/process.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "device.h"
#include "regular.h"

#define LARGEFILE 0100000u
#define KNOWN_FLAGS                                                                                \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC |         \
     FASYNC | O_DIRECT | LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | __O_SYNC | \
     O_PATH | __O_TMPFILE)

const struct file_ops path_only_ops = {.seekable = false};
const struct file_ops directory_ops = {.seekable = true};

bool open_may(const struct inode *inode, unsigned want)
{
    if (process.uid == 0)
        return !(want & 1) || inode->mode & 0111 || S_IS(inode->mode, S_IFDIR);
    unsigned have = inode->mode & 7;
    if (inode->uid == process.uid)
        have = (inode->mode >> 6) & 7;
    else if (inode->gid == process.gid)
        have = (inode->mode >> 3) & 7;
    return (have & want) == want;
}

static unsigned wanted(uint32_t flags)
{
    static const unsigned want[] = {4, 2, 6, 6};
    return want[flags & O_ACCMODE] | (flags & O_TRUNC ? 2U : 0);
}

int open_dentry(struct dentry *dentry, uint32_t flags, struct file **out)
{
    struct inode *inode = dentry->inode;
    const struct file_ops *ops = inode->file_ops;
    if (flags & O_PATH)
        ops = &path_only_ops;
    else if (S_IS(inode->mode, S_IFLNK))
        return -ELOOP;
    else if (!open_may(inode, wanted(flags)))
        return -EACCES;
    else if (S_IS(inode->mode, S_IFDIR)) {
        if ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT)
            return -EISDIR;
        ops = &directory_ops;
    } else if (S_IS(inode->mode, S_IFREG) && !ops)
        ops = &regular_ops;
    else if (S_IS(inode->mode, S_IFCHR) && !ops)
        ops = device_ops(inode->rdev);
    if (!ops)
        return S_IS(inode->mode, S_IFREG) ? -EACCES : -ENXIO;
    struct file *file = file_new(
        ops, inode, dentry, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC));
    if (!file)
        return -ENOMEM;
    int rc = 0;
    if (!(flags & O_PATH) && inode->ops && inode->ops->open)
        rc = inode->ops->open(inode, file);
    if (rc == 0 && flags & O_TRUNC && ops == &regular_ops && (flags & O_ACCMODE) != O_RDONLY)
        rc = regular_resize(inode, 0);
    if (rc < 0) {
        file_put(file);
        return rc;
    }
    *out = file;
    return 0;
}

static int create(struct path *path, uint32_t mode)
{
    if (path->slash || path->dots)
        return -EISDIR;
    if (path->dir->deleted)
        return -ENOENT;
    if (path->dir->inode->ops || path->dir->inode->dev == DEV_PROC)
        return -EACCES;
    if (!open_may(path->dir->inode, 3))
        return -EACCES;
    struct inode *inode =
        inode_new(S_IFREG | (mode & 07777 & ~process.umask), path->dir->inode->dev);
    if (!inode)
        return -ENOMEM;
    int rc = inode_count(inode);
    if (rc == 0)
        rc = tree_add(path->dir, path->name, path->name_len, inode, &path->found);
    inode_put(inode);
    return rc;
}

static int open_unnamed(struct path *path, uint32_t flags, uint32_t mode, struct file **out)
{
    if (!S_IS(path->found->inode->mode, S_IFDIR))
        return -ENOTDIR;
    if ((flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    if (path->found->inode->ops || path->found->inode->dev == DEV_PROC)
        return -EOPNOTSUPP;
    if (!open_may(path->found->inode, 3))
        return -EACCES;
    struct inode *inode =
        inode_new(S_IFREG | (mode & 07777 & ~process.umask), path->found->inode->dev);
    if (!inode)
        return -ENOMEM;
    int rc = inode_count(inode);
    if (rc < 0) {
        inode_put(inode);
        return rc;
    }
    inode->nlink = 0;
    *out = file_new(&regular_ops, inode, NULL, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_CLOEXEC));
    inode_put(inode);
    return *out ? 0 : -ENOMEM;
}

/* A link whose target is not there yet, opened with O_CREAT: the target is made. */
static int create_through(struct dentry *base, const char *text, uint32_t mode, unsigned walk,
                          struct path *path)
{
    struct path link;
    int rc = path_walk(base, text, walk & ~(unsigned)PATH_FOLLOW, &link);
    if (rc < 0)
        return rc;
    char *target = heap_alloc(PATH_BYTES);
    long len = target ? inode_link_text(link.found->inode, target, PATH_BYTES - 1) : -ENOMEM;
    rc = len < 0 ? (int)len : path_walk(link.dir, target, PATH_PARENT | PATH_FOLLOW | walk, path);
    heap_free(target);
    path_done(&link);
    if (rc == 0 && !path->found) {
        rc = create(path, mode);
        if (rc < 0)
            path_done(path);
    }
    return rc;
}

int open_at(struct dentry *base, const char *text, uint32_t flags, uint32_t mode, unsigned walk,
            struct file **out)
{
    struct path path;
    bool excl = flags & O_CREAT && flags & O_EXCL;
    if (!(flags & O_NOFOLLOW) && !excl)
        walk |= PATH_FOLLOW;
    int rc = path_walk(base, text, walk | (flags & O_CREAT ? PATH_PARENT : 0), &path);
    bool made = false;
    if (rc == -ENOENT && flags & O_CREAT && walk & PATH_FOLLOW) {
        rc = create_through(base, text, mode, walk, &path);
        made = rc == 0;
    }
    if (rc < 0)
        return rc;
    if ((flags & __O_TMPFILE) && flags & O_DIRECTORY)
        rc = open_unnamed(&path, flags, mode, out);
    else if (path.found && excl)
        rc = -EEXIST;
    else if (!path.found) {
        rc = create(&path, mode);
        made = rc == 0;
    }
    if (rc == 0 && path.found && flags & O_DIRECTORY && !(flags & __O_TMPFILE) &&
        !S_IS(path.found->inode->mode, S_IFDIR))
        rc = -ENOTDIR;
    if (rc == 0 && !((flags & __O_TMPFILE) && flags & O_DIRECTORY)) {
        uint32_t old = path.found->inode->mode;
        if (made) /* who makes a file may write it whatever its mode */
            path.found->inode->mode |= 0700;
        rc = open_dentry(path.found, made ? flags & ~(uint32_t)O_TRUNC : flags, out);
        path.found->inode->mode = old;
    }
    path_done(&path);
    return rc;
}

static long open_user(int dirfd, uint64_t user_text, uint32_t flags, uint32_t mode, unsigned walk)
{
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    char *text = heap_alloc(PATH_BYTES);
    if (!text)
        return -ENOMEM;
    long rc = user_string(text, user_text, PATH_BYTES);
    struct dentry *base = NULL;
    bool from_dir = text[0] != '/' || walk & (PATH_BENEATH | PATH_IN_ROOT);
    if (rc >= 0 && from_dir && dirfd != AT_FDCWD) {
        struct file *dir = fd_get(dirfd);
        base = dir ? dir->dentry : NULL;
        if (!dir)
            rc = -EBADF;
        else if (!base || !S_IS(dir->inode->mode, S_IFDIR))
            rc = -ENOTDIR;
    }
    struct file *file = NULL;
    if (rc >= 0)
        rc = open_at(base, text, flags, mode, walk, &file);
    heap_free(text);
    if (rc < 0)
        return rc;
    file->flags |= LARGEFILE & ~(flags & O_PATH ? LARGEFILE : 0);
    return fd_install(file, 0, flags & O_CLOEXEC);
}

long sys_open(const uint64_t a[6])
{
    return open_user(AT_FDCWD, a[0], (uint32_t)a[1] & KNOWN_FLAGS, (uint32_t)a[2], 0);
}

long sys_creat(const uint64_t a[6])
{
    return open_user(AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, (uint32_t)a[1], 0);
}

long sys_openat(const uint64_t a[6])
{
    return open_user((int)a[0], a[1], (uint32_t)a[2] & KNOWN_FLAGS, (uint32_t)a[3], 0);
}

long sys_openat2(const uint64_t a[6])
{
    uint64_t how[3];
    if (a[3] < sizeof(how))
        return -EINVAL;
    if (user_in(how, a[2], sizeof(how)) < 0)
        return -EFAULT;
    if (a[3] > sizeof(how))
        return -E2BIG;
    uint64_t flags = how[0];
    if (flags & ~(uint64_t)KNOWN_FLAGS || how[2] & ~0x3fUL || how[1] & ~07777UL)
        return -EINVAL;
    if (how[1] && !(flags & (O_CREAT | __O_TMPFILE)))
        return -EINVAL;
    unsigned walk = 0;
    if (how[2] & 0x04)
        walk |= PATH_NO_LINKS;
    if (how[2] & 0x02)
        walk |= PATH_NO_MAGIC;
    if (how[2] & 0x08)
        walk |= PATH_BENEATH;
    if (how[2] & 0x10)
        walk |= PATH_IN_ROOT;
    return open_user((int)a[0], a[1], (uint32_t)flags, (uint32_t)how[1], walk);
}
