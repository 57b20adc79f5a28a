// SPDX-License-Identifier: Apache-2.0
/* System calls that tell about files: stat, statx, statfs, access, readlink, getdents64, getcwd. */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/magic.h>
#include <linux/stat.h>

#include "../kernel/call.h"
#include "../kernel/process.h"
#include "../mm/heap.h"
#include "../mm/page.h"
#include "../mm/space.h"
#include "open.h"
#include "regular.h"

static uint64_t size_of(const struct inode *inode)
{
    return S_IS(inode->mode, S_IFDIR) && !inode->nid ? (inode->dev == DEV_PROC ? 0 : 4096)
                                                     : inode->size;
}

static void fill_stat(const struct inode *inode, struct stat *to)
{
    memset(to, 0, sizeof(*to));
    to->st_dev = inode->dev;
    to->st_ino = inode->ino;
    to->st_nlink = inode->nlink;
    to->st_mode = inode->mode;
    to->st_uid = inode->uid;
    to->st_gid = inode->gid;
    to->st_rdev = inode->rdev;
    to->st_size = (long)size_of(inode);
    to->st_blksize = inode->dev == DEV_PROC ? 1024 : 4096;
    to->st_blocks = S_IS(inode->mode, S_IFREG) ? (long)regular_blocks(inode) : 0;
    to->st_atime = (uint64_t)inode->atime.s;
    to->st_atime_nsec = inode->atime.ns;
    to->st_mtime = (uint64_t)inode->mtime.s;
    to->st_mtime_nsec = inode->mtime.ns;
    to->st_ctime = (uint64_t)inode->ctime.s;
    to->st_ctime_nsec = inode->ctime.ns;
}

static long stat_out(const struct inode *inode, uint64_t to)
{
    struct stat st;
    fill_stat(inode, &st);
    return user_out(to, &st, sizeof(st));
}

long sys_fstat(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file)
        return -EBADF;
    return file->inode ? stat_out(file->inode, a[1]) : -EBADF;
}

/* For calls that take a directory and AT_EMPTY_PATH: the inode, with the path to give back. */
static long inode_at(int dirfd, uint64_t text, unsigned flags, struct path *path,
                     struct inode **out)
{
    char first = 1;
    if (flags & AT_EMPTY_PATH && dirfd != AT_FDCWD &&
        (!text || (user_in(&first, text, 1) == 0 && !first))) {
        struct file *file = fd_get(dirfd);
        memset(path, 0, sizeof(*path));
        if (!file)
            return -EBADF;
        *out = file->inode;
        return 0;
    }
    unsigned walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW;
    long rc = path_at(dirfd, text, walk, flags & AT_EMPTY_PATH, path);
    if (rc == 0)
        *out = path->found->inode;
    return rc;
}

static long stat_at(int dirfd, uint64_t text, unsigned flags, uint64_t to)
{
    struct path path;
    struct inode *inode = NULL;
    if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
        return -EINVAL;
    long rc = inode_at(dirfd, text, flags, &path, &inode);
    if (rc != 0)
        return rc;
    rc = stat_out(inode, to);
    path_done(&path);
    return rc;
}

long sys_stat(const uint64_t a[6])
{
    return stat_at(AT_FDCWD, a[0], 0, a[1]);
}

long sys_lstat(const uint64_t a[6])
{
    return stat_at(AT_FDCWD, a[0], AT_SYMLINK_NOFOLLOW, a[1]);
}

long sys_newfstatat(const uint64_t a[6])
{
    return stat_at((int)a[0], a[1], (unsigned)a[3], a[2]);
}

static struct statx_timestamp stamp(struct instant at)
{
    return (struct statx_timestamp){.tv_sec = at.s, .tv_nsec = at.ns};
}

long sys_statx(const uint64_t a[6])
{
    struct path path;
    struct inode *inode = NULL;
    unsigned flags = (unsigned)a[2];
    if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT |
                            AT_STATX_SYNC_TYPE) ||
        a[3] & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    long rc = inode_at((int)a[0], a[1], flags, &path, &inode);
    if (rc != 0)
        return rc;
    struct statx to;
    memset(&to, 0, sizeof(to));
    to.stx_mask = STATX_BASIC_STATS;
    to.stx_blksize = 4096;
    to.stx_nlink = inode->nlink;
    to.stx_uid = inode->uid;
    to.stx_gid = inode->gid;
    to.stx_mode = (uint16_t)inode->mode;
    to.stx_ino = inode->ino;
    to.stx_size = size_of(inode);
    to.stx_blocks = S_IS(inode->mode, S_IFREG) ? regular_blocks(inode) : 0;
    to.stx_atime = stamp(inode->atime);
    to.stx_mtime = stamp(inode->mtime);
    to.stx_ctime = stamp(inode->ctime);
    to.stx_rdev_major = (uint32_t)(inode->rdev >> 8);
    to.stx_rdev_minor = (uint32_t)(inode->rdev & 0xff);
    to.stx_dev_minor = inode->dev;
    rc = user_out(a[4], &to, sizeof(to));
    path_done(&path);
    return rc;
}

static long statfs_out(const struct inode *inode, uint64_t at)
{
    struct statfs to;
    memset(&to, 0, sizeof(to));
    to.f_type = inode->dev == DEV_PROC ? PROC_SUPER_MAGIC : TMPFS_MAGIC;
    to.f_bsize = to.f_frsize = (long)PAGE_SIZE;
    if (inode->dev != DEV_PROC) {
        to.f_blocks = (long)page_count_total();
        to.f_bfree = to.f_bavail = (long)page_count_free();
        if (process.files_max && inode->dev == DEV_ROOT) {
            to.f_blocks = (long)min_u64((uint64_t)to.f_blocks, process.files_max >> PAGE_SHIFT);
            to.f_bfree = to.f_bavail = (long)min_u64((uint64_t)to.f_bfree, (uint64_t)to.f_blocks);
        }
        to.f_files = to.f_ffree = 1 << 20;
    }
    to.f_namelen = NAME_BYTES;
    return user_out(at, &to, sizeof(to));
}

long sys_statfs(const uint64_t a[6])
{
    struct path path;
    long rc = path_at(AT_FDCWD, a[0], PATH_FOLLOW, false, &path);
    if (rc < 0)
        return rc;
    rc = statfs_out(path.found->inode, a[1]);
    path_done(&path);
    return rc;
}

long sys_fstatfs(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    return file && file->inode ? statfs_out(file->inode, a[1]) : -EBADF;
}

static long access_at(int dirfd, uint64_t text, unsigned mode, unsigned flags)
{
    struct path path;
    struct inode *inode = NULL;
    if (mode & ~7U || flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_EACCESS))
        return -EINVAL;
    long rc = inode_at(dirfd, text, flags, &path, &inode);
    if (rc != 0)
        return rc;
    rc = open_may(inode, mode) ? 0 : -EACCES;
    path_done(&path);
    return rc;
}

long sys_access(const uint64_t a[6])
{
    return access_at(AT_FDCWD, a[0], (unsigned)a[1], 0);
}

long sys_faccessat(const uint64_t a[6])
{
    return access_at((int)a[0], a[1], (unsigned)a[2], 0);
}

long sys_faccessat2(const uint64_t a[6])
{
    return access_at((int)a[0], a[1], (unsigned)a[2], (unsigned)a[3]);
}

static long readlink_at(int dirfd, uint64_t text, uint64_t to, int64_t max)
{
    struct path path;
    if (max <= 0)
        return -EINVAL;
    long rc = path_at(dirfd, text, 0, true, &path);
    if (rc < 0)
        return rc;
    char *buffer = heap_alloc(PATH_BYTES);
    if (!buffer)
        rc = -ENOMEM;
    else if (!S_IS(path.found->inode->mode, S_IFLNK))
        rc = -EINVAL;
    else
        rc = inode_link_text(path.found->inode, buffer, min_u64(PATH_BYTES, (uint64_t)max));
    if (rc > 0 && user_out(to, buffer, (size_t)rc) < 0)
        rc = -EFAULT;
    heap_free(buffer);
    path_done(&path);
    return rc;
}

long sys_readlink(const uint64_t a[6])
{
    return readlink_at(AT_FDCWD, a[0], a[1], (int)a[2]);
}

long sys_readlinkat(const uint64_t a[6])
{
    return readlink_at((int)a[0], a[1], a[2], (int)a[3]);
}

long sys_getcwd(const uint64_t a[6])
{
    char *buffer = heap_alloc(PATH_BYTES);
    if (!buffer)
        return -ENOMEM;
    long len = process.cwd->deleted ? -ENOENT : tree_path(process.cwd, buffer, PATH_BYTES);
    if (len >= 0 && (uint64_t)len + 1 > a[1])
        len = -ERANGE;
    if (len >= 0 && user_out(a[0], buffer, (size_t)len + 1) < 0)
        len = -EFAULT;
    heap_free(buffer);
    return len < 0 ? len : len + 1;
}
