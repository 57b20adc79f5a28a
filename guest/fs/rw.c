// SPDX-License-Identifier: Apache-2.0
/* System calls that move bytes: read, write and their relatives. */
#include <linux/uio.h>

#include "../kernel/call.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "file.h"
#include "inode.h"

#define RW_MAX    0x7ffff000UL /* as much as Linux moves in one call */
#define IOV_MAX   1024
#define COPY_PART (64UL << 10)

static int check(struct file *file, bool write)
{
    if (!file || !(write ? file_writable(file) : file_readable(file)))
        return -EBADF;
    if (S_IS(file->inode ? file->inode->mode : 0, S_IFDIR))
        return write ? -EBADF : -EISDIR;
    if (!(write ? (void *)file->ops->write : (void *)file->ops->read))
        return -EINVAL;
    return 0;
}

/* The file is held during the call: another thread may close it while this one waits. */
static long transfer(struct file *file, bool write, uint64_t addr, size_t len, uint64_t *pos)
{
    len = min_u64(len, RW_MAX);
    if (!user_ok(addr, len, !write)) {
        /* What is there is moved, as Linux does; nothing at all is EFAULT. */
        size_t good = 0;
        while (good < len && user_ok(addr, good + 1, !write) && good < 2 * PAGE_SIZE) {
            size_t step = PAGE_SIZE - ((addr + good) & PAGE_MASK);
            if (!user_ok(addr + good, min_u64(step, len - good), !write))
                break;
            good += min_u64(step, len - good);
        }
        bool at_end = !write && file->ops->frame && file->inode &&
                      S_IS(file->inode->mode, S_IFREG) && *pos >= file->inode->size;
        if (at_end)
            return 0;
        if (!good || !file->ops->seekable)
            return -EFAULT;
        len = good;
    }
    file_get(file);
    long rc = write ? file->ops->write(file, (const void *)addr, len, pos)
                    : file->ops->read(file, (void *)addr, len, pos);
    file_put(file);
    return rc;
}

long sys_read(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    int rc = check(file, false);
    return rc < 0 ? rc : transfer(file, false, a[1], a[2], &file->pos);
}

long sys_write(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    int rc = check(file, true);
    return rc < 0 ? rc : transfer(file, true, a[1], a[2], &file->pos);
}

static int check_at(struct file *file, bool write, int64_t pos)
{
    if (pos < 0)
        return -EINVAL;
    if (file && !file->ops->seekable && !(file->flags & O_PATH))
        return -ESPIPE;
    return check(file, write);
}

long sys_pread64(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    int rc = check_at(file, false, (int64_t)a[3]);
    uint64_t pos = a[3];
    return rc < 0 ? rc : transfer(file, false, a[1], a[2], &pos);
}

long sys_pwrite64(const uint64_t a[6])
{
    struct file *file = fd_get((int)a[0]);
    int rc = check_at(file, true, (int64_t)a[3]);
    uint64_t pos = a[3];
    return rc < 0 ? rc : transfer(file, true, a[1], a[2], &pos);
}

static int vector_in(uint64_t addr, uint64_t count, struct iovec **out, size_t *out_total)
{
    if (count > IOV_MAX)
        return -EINVAL;
    struct iovec *iov = heap_alloc(count * sizeof(*iov) + 16);
    if (!iov)
        return -ENOMEM;
    if (user_in(iov, addr, count * sizeof(*iov)) < 0) {
        heap_free(iov);
        return -EFAULT;
    }
    uint64_t total = 0;
    for (uint64_t i = 0; i < count; i++) {
        if ((int64_t)iov[i].iov_len < 0) {
            heap_free(iov);
            return -EINVAL;
        }
        iov[i].iov_len = min_u64(iov[i].iov_len, RW_MAX - total);
        total += iov[i].iov_len;
    }
    *out = iov;
    *out_total = total;
    return 0;
}

/* A message of several parts goes as one. */
static long whole(struct file *file, bool write, const struct iovec *iov, uint64_t count,
                  size_t total, uint64_t *pos)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!user_ok((uint64_t)iov[i].iov_base, iov[i].iov_len, !write))
            return -EFAULT;
    }
    char *copy = heap_alloc(total + 1);
    if (!copy)
        return -ENOMEM;
    char *at = copy;
    for (uint64_t i = 0; write && i < count; at += iov[i].iov_len, i++)
        memcpy(at, iov[i].iov_base, iov[i].iov_len);
    file_get(file);
    long rc =
        write ? file->ops->write(file, copy, total, pos) : file->ops->read(file, copy, total, pos);
    file_put(file);
    size_t left = rc > 0 && !write ? (size_t)rc : 0;
    at = copy;
    for (uint64_t i = 0; left; i++) {
        size_t part = min_u64(left, iov[i].iov_len);
        memcpy(iov[i].iov_base, at, part);
        at += part;
        left -= part;
    }
    heap_free(copy);
    return rc;
}

static long vector(struct file *file, bool write, uint64_t addr, uint64_t count, uint64_t *pos)
{
    struct iovec *iov;
    size_t total;
    int rc = vector_in(addr, count, &iov, &total);
    if (rc < 0)
        return rc;
    long done = 0;
    if (file->ops->whole && count > 1) {
        done = whole(file, write, iov, count, total, pos);
        heap_free(iov);
        return done;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!iov[i].iov_len)
            continue;
        if (done && !write && file->ops->poll && !(file->ops->poll(file) & 1))
            break; /* what is there now; more would wait */
        long part = transfer(file, write, (uint64_t)iov[i].iov_base, iov[i].iov_len, pos);
        if (part < 0) {
            done = done ? done : part;
            break;
        }
        done += part;
        if ((size_t)part < iov[i].iov_len)
            break;
    }
    heap_free(iov);
    return done;
}

static long vector_call(const uint64_t a[6], bool write)
{
    struct file *file = fd_get((int)a[0]);
    int rc = check(file, write);
    return rc < 0 ? rc : vector(file, write, a[1], a[2], &file->pos);
}

static long vector_call_at(const uint64_t a[6], bool write, bool minus_one)
{
    struct file *file = fd_get((int)a[0]);
    uint64_t pos = a[3];
    if (minus_one && (int64_t)pos == -1)
        return vector_call(a, write);
    int rc = check_at(file, write, (int64_t)pos);
    return rc < 0 ? rc : vector(file, write, a[1], a[2], &pos);
}

long sys_readv(const uint64_t a[6])
{
    return vector_call(a, false);
}

long sys_writev(const uint64_t a[6])
{
    return vector_call(a, true);
}

long sys_preadv(const uint64_t a[6])
{
    return vector_call_at(a, false, false);
}

long sys_pwritev(const uint64_t a[6])
{
    return vector_call_at(a, true, false);
}

long sys_preadv2(const uint64_t a[6])
{
    return a[5] ? -EOPNOTSUPP : vector_call_at(a, false, true);
}

long sys_pwritev2(const uint64_t a[6])
{
    return a[5] ? -EOPNOTSUPP : vector_call_at(a, true, true);
}

/* From one open file to another through a piece of the kernel's memory. */
static long copy(struct file *from, uint64_t *from_pos, struct file *to, uint64_t *to_pos,
                 size_t len)
{
    char *part = heap_alloc(COPY_PART);
    if (!part)
        return -ENOMEM;
    long done = 0, rc = 0;
    while (len) {
        uint64_t before = *from_pos;
        rc = from->ops->read(from, part, min_u64(len, COPY_PART), from_pos);
        if (rc <= 0)
            break;
        size_t have = (size_t)rc;
        rc = to->ops->write(to, part, have, to_pos);
        if (rc < 0) {
            *from_pos = before;
            break;
        }
        *from_pos = before + (uint64_t)rc;
        done += rc;
        len -= (size_t)rc;
        if ((size_t)rc < have)
            break;
    }
    heap_free(part);
    return done ? done : rc;
}

long sys_sendfile(const uint64_t a[6])
{
    struct file *to = fd_get((int)a[0]), *from = fd_get((int)a[1]);
    int rc = check(from, false);
    if (rc == 0)
        rc = check(to, true);
    if (rc < 0)
        return rc == -EISDIR ? -EINVAL : rc;
    if (to->flags & O_APPEND)
        return -EINVAL;
    uint64_t pos = from->pos;
    if (a[2] && user_in(&pos, a[2], sizeof(pos)) < 0)
        return -EFAULT;
    if (a[2] && !from->ops->seekable)
        return -ESPIPE;
    if (!from->ops->frame)
        return -EINVAL;
    long done = copy(from, &pos, to, &to->pos, min_u64(a[3], RW_MAX));
    if (a[2])
        user_out(a[2], &pos, sizeof(pos));
    else
        from->pos = pos;
    return done;
}

long sys_copy_file_range(const uint64_t a[6])
{
    struct file *from = fd_get((int)a[0]), *to = fd_get((int)a[2]);
    if (a[5])
        return -EINVAL;
    int rc = check(from, false);
    if (rc == 0)
        rc = check(to, true);
    if (rc < 0)
        return rc;
    if (!S_IS(from->inode ? from->inode->mode : 0, S_IFREG) ||
        !S_IS(to->inode ? to->inode->mode : 0, S_IFREG))
        return -EINVAL;
    if (to->flags & O_APPEND)
        return -EBADF;
    uint64_t from_pos = from->pos, to_pos = to->pos;
    if ((a[1] && user_in(&from_pos, a[1], 8) < 0) || (a[3] && user_in(&to_pos, a[3], 8) < 0))
        return -EFAULT;
    size_t len = min_u64(a[4], RW_MAX);
    if (from->inode == to->inode && from_pos < to_pos + len && to_pos < from_pos + len)
        return -EINVAL;
    long done = copy(from, &from_pos, to, &to_pos, len);
    if (a[1])
        user_out(a[1], &from_pos, 8);
    else
        from->pos = from_pos;
    if (a[3])
        user_out(a[3], &to_pos, 8);
    else
        to->pos = to_pos;
    return done;
}
