// SPDX-License-Identifier: Apache-2.0
/* System calls that change what an inode says of itself, the working directory and the umask. */
#include <linux/time_types.h>
#include <linux/utime.h>

#include "../kernel/call.h"
#include "../kernel/process.h"
#include "../mm/space.h"
#include "open.h"

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

static bool owns(const struct inode *inode)
{
    return process.uid == 0 || process.uid == inode->uid;
}

static long change_mode(struct inode *inode, uint32_t mode)
{
    if (!owns(inode))
        return -EPERM;
    if (S_IS(inode->mode, S_IFLNK))
        return -EOPNOTSUPP;
    inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
    inode->ctime = instant_now();
    return 0;
}

long sys_fchmod(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || file->flags & O_PATH || !file->inode)
        return -EBADF;
    return change_mode(file->inode, (uint32_t)a[1]);
}

long sys_fchmodat(const uint64_t a[6])
{
    struct path path;
    long rc = path_at((int)a[0], a[1], PATH_FOLLOW, false, &path);
    if (rc < 0)
        return rc;
    rc = change_mode(path.found->inode, (uint32_t)a[2]);
    path_done(&path);
    return rc;
}

long sys_chmod(const uint64_t a[6])
{
    const uint64_t b[6] = {(uint64_t)AT_FDCWD, a[0], a[1]};
    return sys_fchmodat(b);
}

static long change_owner(struct inode *inode, uint32_t uid, uint32_t gid)
{
    bool same = (uid == UINT32_MAX || uid == inode->uid) &&
                (gid == UINT32_MAX || gid == inode->gid || gid == process.gid);
    if (process.uid && (!same || !owns(inode)))
        return -EPERM;
    inode->uid = uid == UINT32_MAX ? inode->uid : uid;
    inode->gid = gid == UINT32_MAX ? inode->gid : gid;
    if (S_IS(inode->mode, S_IFREG) && (uid & gid) != UINT32_MAX)
        inode_drop_setid(inode);
    inode->ctime = instant_now();
    return 0;
}

long sys_fchown(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || file->flags & O_PATH || !file->inode)
        return -EBADF;
    return change_owner(file->inode, (uint32_t)a[1], (uint32_t)a[2]);
}

long sys_fchownat(const uint64_t a[6])
{
    struct path path;
    unsigned flags = (unsigned)a[4];
    if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    long rc = path_at((int)a[0], a[1], flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW,
                      flags & AT_EMPTY_PATH, &path);
    if (rc < 0)
        return rc;
    rc = change_owner(path.found->inode, (uint32_t)a[2], (uint32_t)a[3]);
    path_done(&path);
    return rc;
}

long sys_chown(const uint64_t a[6])
{
    const uint64_t b[6] = {(uint64_t)AT_FDCWD, a[0], a[1], a[2], 0};
    return sys_fchownat(b);
}

long sys_lchown(const uint64_t a[6])
{
    const uint64_t b[6] = {(uint64_t)AT_FDCWD, a[0], a[1], a[2], AT_SYMLINK_NOFOLLOW};
    return sys_fchownat(b);
}

static int set_time(struct instant *at, const struct __kernel_timespec *ts)
{
    if (ts->tv_nsec == UTIME_OMIT)
        return 0;
    if (ts->tv_nsec == UTIME_NOW) {
        *at = instant_now();
        return 0;
    }
    *at = (struct instant){.s = ts->tv_sec, .ns = (uint32_t)ts->tv_nsec};
    return 0;
}

static bool time_sound(const struct __kernel_timespec *ts)
{
    return ts->tv_nsec == UTIME_NOW || ts->tv_nsec == UTIME_OMIT ||
           (ts->tv_nsec >= 0 && ts->tv_nsec < (long)NS_PER_S);
}

static long set_times(struct inode *inode, const struct __kernel_timespec ts[2])
{
    if (!owns(inode))
        return -EPERM;
    set_time(&inode->atime, &ts[0]);
    set_time(&inode->mtime, &ts[1]);
    inode->ctime = instant_now();
    return 0;
}

static long times_at(int dirfd, uint64_t text, const struct __kernel_timespec ts[2], unsigned flags)
{
    struct path path;
    if (!text) {
        struct file *file = fd_get(dirfd);
        return file && file->inode ? set_times(file->inode, ts) : -EBADF;
    }
    long rc = path_at(dirfd, text, flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW,
                      flags & AT_EMPTY_PATH, &path);
    if (rc < 0)
        return rc;
    rc = set_times(path.found->inode, ts);
    path_done(&path);
    return rc;
}

long sys_utimensat(const uint64_t a[6])
{
    struct __kernel_timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    unsigned flags = (unsigned)a[3];
    if (a[2] && user_in(ts, a[2], sizeof(ts)) < 0)
        return -EFAULT;
    if (!time_sound(&ts[0]) || !time_sound(&ts[1]) ||
        flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    return times_at((int)a[0], a[1], ts, flags);
}

static long times_us(int dirfd, uint64_t text, uint64_t at)
{
    struct __kernel_timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    if (at) {
        int64_t tv[4];
        if (user_in(tv, at, sizeof(tv)) < 0)
            return -EFAULT;
        for (int i = 0; i < 2; i++) {
            if (tv[2 * i + 1] < 0 || tv[2 * i + 1] >= 1000000)
                return -EINVAL;
            ts[i].tv_sec = tv[2 * i];
            ts[i].tv_nsec = tv[2 * i + 1] * 1000;
        }
    }
    return times_at(dirfd, text, ts, 0);
}

long sys_utimes(const uint64_t a[6])
{
    return times_us(AT_FDCWD, a[0], a[1]);
}

long sys_futimesat(const uint64_t a[6])
{
    return times_us((int)a[0], a[1], a[2]);
}

long sys_utime(const uint64_t a[6])
{
    struct __kernel_timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    int64_t times[2];
    if (a[1]) {
        if (user_in(times, a[1], sizeof(times)) < 0)
            return -EFAULT;
        ts[0] = (struct __kernel_timespec){.tv_sec = times[0]};
        ts[1] = (struct __kernel_timespec){.tv_sec = times[1]};
    }
    return times_at(AT_FDCWD, a[0], ts, 0);
}

static long change_dir(struct dentry *dir)
{
    if (!S_IS(dir->inode->mode, S_IFDIR))
        return -ENOTDIR;
    if (!open_may(dir->inode, 1))
        return -EACCES;
    dentry_get(dir);
    dentry_put(process.cwd);
    process.cwd = dir;
    return 0;
}

long sys_chdir(const uint64_t a[6])
{
    struct path path;
    long rc = path_at(AT_FDCWD, a[0], PATH_FOLLOW, false, &path);
    if (rc < 0)
        return rc;
    rc = change_dir(path.found);
    path_done(&path);
    return rc;
}

long sys_fchdir(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file)
        return -EBADF;
    return file->dentry ? change_dir(file->dentry) : -ENOTDIR;
}

long sys_umask(const uint64_t a[6])
{
    uint32_t old = process.umask;
    process.umask = (uint32_t)a[0] & 0777;
    return old;
}

/* Extended attributes: there are none. */
static long no_attribute(uint64_t text, unsigned walk, long answer)
{
    struct path path;
    long rc = path_at(AT_FDCWD, text, walk, false, &path);
    if (rc < 0)
        return rc;
    path_done(&path);
    return answer;
}

long sys_getxattr(const uint64_t a[6])
{
    return no_attribute(a[0], PATH_FOLLOW, -EOPNOTSUPP);
}

long sys_lgetxattr(const uint64_t a[6])
{
    return no_attribute(a[0], 0, -EOPNOTSUPP);
}

long sys_setxattr(const uint64_t a[6])
{
    return no_attribute(a[0], PATH_FOLLOW, -EOPNOTSUPP);
}

long sys_listxattr(const uint64_t a[6])
{
    return no_attribute(a[0], PATH_FOLLOW, 0);
}

long sys_llistxattr(const uint64_t a[6])
{
    return no_attribute(a[0], 0, 0);
}

long sys_fgetxattr(const uint64_t a[6])
{
    return fd_get((int)a[0]) ? -EOPNOTSUPP : -EBADF;
}

long sys_flistxattr(const uint64_t a[6])
{
    return fd_get((int)a[0]) ? 0 : -EBADF;
}
