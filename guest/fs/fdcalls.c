// SPDX-License-Identifier: Apache-2.0
/* System calls on descriptors that move no bytes: close, dup, fcntl, ioctl, lseek, truncate, locks,
 * sync. */
#include <asm/ioctls.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include "../kernel/call.h"
#include "../kernel/process.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "lock.h"
#include "open.h"
#include "regular.h"

#define SETTABLE (O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT | FASYNC)

long sys_close(const uint64_t a[6])
{
    return fd_close((int)a[0]);
}

long sys_close_range(const uint64_t a[6])
{
    if (a[0] > a[1] || a[2] & ~6UL || a[0] > UINT32_MAX)
        return -EINVAL;
    for (uint64_t fd = a[0]; fd <= a[1] && fd < (uint64_t)fd_highest(); fd++) {
        if (!fd_get((int)fd))
            continue;
        if (a[2] & 4)
            fd_set_cloexec((int)fd, true);
        else
            fd_close((int)fd);
    }
    return 0;
}

static long dup_from(int fd, int64_t low, bool cloexec)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    if (low < 0 || low >= fd_limit())
        return -EINVAL;
    file_get(file);
    return fd_install(file, (int)low, cloexec);
}

long sys_dup(const uint64_t a[6])
{
    return dup_from((int)a[0], 0, false);
}

static long dup_to(int from, int to, bool cloexec)
{
    struct file *file = fd_get(from);
    if (!file || to < 0 || to >= fd_limit())
        return -EBADF;
    file_get(file);
    return fd_put_at(to, file, cloexec);
}

long sys_dup2(const uint64_t a[6])
{
    if ((int)a[0] == (int)a[1])
        return fd_get((int)a[0]) ? (int)a[0] : -EBADF;
    return dup_to((int)a[0], (int)a[1], false);
}

long sys_dup3(const uint64_t a[6])
{
    if (a[2] & ~(uint64_t)O_CLOEXEC || (int)a[0] == (int)a[1])
        return -EINVAL;
    return dup_to((int)a[0], (int)a[1], a[2] & O_CLOEXEC);
}

/* Locks of records belong to the process, and there is one: they are always granted and never seen.
 */
static long record_lock(struct file *file, unsigned cmd, uint64_t at)
{
    struct flock lock;
    if (user_in(&lock, at, sizeof(lock)) < 0)
        return -EFAULT;
    if (lock.l_type != F_RDLCK && lock.l_type != F_WRLCK && lock.l_type != F_UNLCK)
        return -EINVAL;
    if (lock.l_whence < 0 || lock.l_whence > 2)
        return -EINVAL;
    int64_t start = lock.l_start;
    if (lock.l_whence == SEEK_CUR)
        start += (int64_t)file->pos;
    else if (lock.l_whence == SEEK_END)
        start += (int64_t)(file->inode ? file->inode->size : 0);
    if (start < 0 || start + lock.l_len < 0)
        return -EINVAL;
    if (cmd == F_GETLK) {
        if (lock.l_type == F_UNLCK)
            return -EINVAL;
        lock.l_type = F_UNLCK;
        return user_out(at, &lock, sizeof(lock));
    }
    if ((lock.l_type == F_RDLCK && !file_readable(file)) ||
        (lock.l_type == F_WRLCK && !file_writable(file)))
        return -EBADF;
    return 0;
}

static long seals(struct file *file, unsigned cmd, uint64_t add)
{
    if (!file->inode || file->inode->dev != DEV_SHM || file->ops != &regular_ops)
        return -EINVAL;
    if (cmd == F_GET_SEALS)
        return (long)file->inode->seals;
    if (!file_writable(file))
        return -EPERM;
    if (add & ~0x1fUL)
        return -EINVAL;
    if (file->inode->seals & F_SEAL_SEAL)
        return -EPERM;
    file->inode->seals |= (uint32_t)add;
    return 0;
}

long sys_fcntl(const uint64_t a[6])
{
    int fd = (int)a[0];
    unsigned cmd = (unsigned)a[1];
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    if (file->flags & O_PATH && cmd != F_DUPFD && cmd != F_DUPFD_CLOEXEC && cmd != F_GETFD &&
        cmd != F_SETFD && cmd != F_GETFL)
        return -EBADF;
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return dup_from(fd, (int)a[2], cmd == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_cloexec(fd);
    case F_SETFD:
        fd_set_cloexec(fd, a[2] & FD_CLOEXEC);
        return 0;
    case F_GETFL:
        return (long)file->flags;
    case F_SETFL:
        file->flags = (file->flags & ~(uint32_t)SETTABLE) | ((uint32_t)a[2] & SETTABLE);
        return 0;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
        return record_lock(file, cmd, a[2]);
    case F_GETOWN:
        return file->owner;
    case F_SETOWN:
        file->owner = (int)a[2];
        return 0;
    case F_GETPIPE_SZ:
        return file->ops->ioctl ? file->ops->ioctl(file, F_GETPIPE_SZ, 0) : -EBADF;
    case F_SETPIPE_SZ:
        return file->ops->ioctl ? file->ops->ioctl(file, F_SETPIPE_SZ, a[2]) : -EBADF;
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return seals(file, cmd, a[2]);
    default:
        return -EINVAL;
    }
}

long sys_ioctl(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    unsigned cmd = (unsigned)a[1];
    if (!file || file->flags & O_PATH)
        return -EBADF;
    int on;
    switch (cmd) {
    case FIOCLEX:
        fd_set_cloexec((int)a[0], true);
        return 0;
    case FIONCLEX:
        fd_set_cloexec((int)a[0], false);
        return 0;
    case FIONBIO:
        if (user_in(&on, a[2], sizeof(on)) < 0)
            return -EFAULT;
        file->flags = on ? file->flags | O_NONBLOCK : file->flags & ~(uint32_t)O_NONBLOCK;
        return 0;
    case FIONREAD:
        if (file->ops == &regular_ops) {
            int left = (int)((int64_t)file->inode->size - (int64_t)file->pos);
            return user_out(a[2], &left, sizeof(left));
        }
        break;
    default:
        break;
    }
    if (cmd == F_GETPIPE_SZ || cmd == F_SETPIPE_SZ)
        return -ENOTTY;
    return file->ops->ioctl ? file->ops->ioctl(file, cmd, a[2]) : -ENOTTY;
}

long sys_lseek(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || file->flags & O_PATH)
        return -EBADF;
    if (!file->ops->seekable)
        return file->inode && file->inode->dev == DEV_ANON ? 0 : -ESPIPE;
    int64_t offset = (int64_t)a[1], at;
    bool sized = file->ops == &regular_ops;
    uint64_t size = sized ? file->inode->size : 0;
    if (S_IS(file->inode->mode, S_IFCHR)) {
        if (a[2] > 2)
            return -EINVAL;
        return 0; /* memory devices have no place */
    }
    switch ((unsigned)a[2]) {
    case SEEK_SET:
        at = offset;
        break;
    case SEEK_CUR:
        at = (int64_t)file->pos + offset;
        break;
    case SEEK_END:
        at = S_IS(file->inode->mode, S_IFDIR) ? INT64_MAX : (int64_t)size + offset;
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        if (!sized || offset < 0)
            return sized ? -ENXIO : -EINVAL;
        at = regular_next(file->inode, (uint64_t)offset, a[2] == SEEK_DATA);
        break;
    default:
        return -EINVAL;
    }
    if (at < 0)
        return at == -ENXIO ? at : -EINVAL;
    file->pos = (uint64_t)at;
    return at;
}

long sys_ftruncate(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || file->flags & O_PATH)
        return -EBADF;
    if ((int64_t)a[1] < 0 || file->ops != &regular_ops || !file_writable(file))
        return -EINVAL;
    return regular_resize(file->inode, a[1]);
}

long sys_truncate(const uint64_t a[6])
{
    struct path path;
    if ((int64_t)a[1] < 0)
        return -EINVAL;
    int rc = path_at(AT_FDCWD, a[0], PATH_FOLLOW, false, &path);
    if (rc < 0)
        return rc;
    struct inode *inode = path.found->inode;
    if (S_IS(inode->mode, S_IFDIR))
        rc = -EISDIR;
    else if (!S_IS(inode->mode, S_IFREG) || inode->file_ops)
        rc = -EINVAL;
    else
        rc = open_may(inode, 2) ? regular_resize(inode, a[1]) : -EACCES;
    path_done(&path);
    return rc;
}

long sys_fallocate(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    int64_t from = (int64_t)a[2], len = (int64_t)a[3];
    if (!file)
        return -EBADF;
    if (from < 0 || len <= 0)
        return -EINVAL;
    if (a[1] & ~(uint64_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        return -EOPNOTSUPP;
    if (!file_writable(file))
        return -EBADF;
    if (file->ops != &regular_ops)
        return S_IS(file->inode ? file->inode->mode : 0, S_IFIFO) ? -ESPIPE : -ENODEV;
    if (from > INT64_MAX - len || from + len > 1L << 40)
        return -EFBIG;
    uint64_t end = (uint64_t)(from + len);
    if (a[1] & FALLOC_FL_PUNCH_HOLE)
        return a[1] & FALLOC_FL_KEEP_SIZE
                   ? regular_punch(file->inode, (uint64_t)from, (uint64_t)len)
                   : -EOPNOTSUPP;
    int rc = a[1] & FALLOC_FL_ZERO_RANGE
                 ? regular_punch(file->inode, (uint64_t)from, (uint64_t)len)
                 : regular_allocate(file->inode, (uint64_t)from, (uint64_t)len);
    if (rc == 0 && !(a[1] & FALLOC_FL_KEEP_SIZE) && end > file->inode->size)
        rc = regular_resize(file->inode, end);
    return rc;
}

long sys_flock(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || file->flags & O_PATH)
        return -EBADF;
    return lock_flock(file, (unsigned)a[1]);
}

long sys_fsync(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || file->flags & O_PATH)
        return -EBADF;
    return file->ops->frame || file->ops == &directory_ops ? 0 : -EINVAL;
}

long sys_fdatasync(const uint64_t a[6])
{
    return sys_fsync(a);
}

long sys_sync(const uint64_t a[6])
{
    (void)a;
    return 0;
}

long sys_syncfs(const uint64_t a[6])
{
    return fd_get((int)a[0]) ? 0 : -EBADF;
}

long sys_sync_file_range(const uint64_t a[6])
{
    return fd_get((int)a[0]) ? 0 : -EBADF;
}

long sys_fadvise64(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || file->flags & O_PATH)
        return -EBADF;
    if (!file->ops->seekable)
        return -ESPIPE;
    return a[3] > 5 ? -EINVAL : 0;
}

long sys_readahead(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    if (!file || !file_readable(file))
        return -EBADF;
    return file->ops == &regular_ops ? 0 : -EINVAL;
}

long sys_splice(const uint64_t a[6])
{
    return fd_get((int)a[0]) && fd_get((int)a[2]) ? -EINVAL : -EBADF;
}

long sys_tee(const uint64_t a[6])
{
    return fd_get((int)a[0]) && fd_get((int)a[1]) ? -EINVAL : -EBADF;
}
