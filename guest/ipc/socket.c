// SPDX-License-Identifier: Apache-2.0
/*
 * System calls on sockets. There are pairs of AF_UNIX; other families answer EAFNOSUPPORT: there is
 * no network in this guest. Sockets of AF_UNIX that are not a pair can be made and find nobody to
 * connect to.
 */
#include <asm/socket.h>
#include <linux/uio.h>

#include "../fs/inode.h"
#include "../kernel/call.h"
#include "../kernel/process.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "pair.h"

#define MSG_CMSG_CLOEXEC 0x40000000u
#define RIGHTS           1
#define RIGHTS_MAX       253

struct socket_header { /* struct msghdr as the system call has it */
    uint64_t name;
    uint32_t name_len, pad;
    uint64_t iov, iov_count, control, control_len;
    uint32_t flags, pad2;
};

struct control_header {
    uint64_t len;
    int32_t level, type;
};

static int kind_of(uint64_t type, uint32_t *out_flags)
{
    unsigned kind = (unsigned)type & 0xf;
    *out_flags = (uint32_t)type & ~0xfu;
    if (*out_flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    return kind == KIND_STREAM || kind == KIND_DGRAM || kind == KIND_PACKETS ? (int)kind
                                                                             : -ESOCKTNOSUPPORT;
}

static long side_install(struct pair *pair, uint32_t flags, unsigned side)
{
    struct inode *inode = inode_new(S_IFSOCK | 0777, DEV_SOCKET);
    struct file *file =
        inode ? file_new(&pair_ops, inode, NULL, O_RDWR | (flags & O_NONBLOCK)) : NULL;
    inode_put(inode);
    if (!file) {
        pair->ends--;
        return -ENOMEM;
    }
    file->data = pair;
    file->extra = side;
    return fd_install(file, 0, flags & O_CLOEXEC);
}

long sys_socketpair(const uint64_t a[6])
{
    uint32_t flags;
    int kind = kind_of(a[1], &flags);
    if (kind == -EINVAL)
        return kind;
    if (a[0] != FAMILY_UNIX)
        return -EAFNOSUPPORT;
    if (kind < 0)
        return kind;
    if (a[2] > 1)
        return -EPROTONOSUPPORT;
    if (!user_ok(a[3], 2 * sizeof(int), true))
        return -EFAULT;
    struct pair *pair = pair_new((unsigned)kind);
    if (!pair)
        return -ENOMEM;
    pair->ends = 2;
    int fds[2];
    fds[0] = (int)side_install(pair, flags, 0);
    fds[1] = fds[0] < 0 ? fds[0] : (int)side_install(pair, flags, 1);
    if (fds[1] < 0) {
        if (fds[0] >= 0)
            fd_close(fds[0]);
        return fds[1];
    }
    return user_out(a[3], fds, sizeof(fds));
}

long sys_socket(const uint64_t a[6])
{
    uint32_t flags;
    int kind = kind_of(a[1], &flags);
    if (kind == -EINVAL)
        return kind;
    if (a[0] != FAMILY_UNIX)
        return -EAFNOSUPPORT;
    if (kind < 0)
        return kind;
    struct pair *pair = pair_new((unsigned)kind);
    if (!pair)
        return -ENOMEM;
    pair->ends = 1;
    pair->sides[1].open = false;
    pair->alone = true;
    if (kind == KIND_STREAM)
        pair->sides[0].in->writers = pair->sides[1].in->readers = 0;
    return side_install(pair, flags, 0);
}

static struct file *socket_get(uint64_t fd, long *out_rc)
{
    struct file *file = fd_get((int)fd);
    *out_rc = file ? -ENOTSOCK : -EBADF;
    return file && file->ops == &pair_ops ? file : NULL;
}

long sys_shutdown(const uint64_t a[6])
{
    long rc;
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    if (a[1] > 2)
        return -EINVAL;
    bool read = a[1] != 1, write = a[1] != 0;
    bool stream = pair_of(file)->kind == KIND_STREAM;
    if (read) {
        mine(file)->no_read = true;
        if (stream)
            mine(file)->in->readers = mine(file)->in->writers = 0;
    }
    if (write) {
        mine(file)->no_write = true;
        if (stream)
            other(file)->in->writers = 0;
    }
    waitq_wake(&pair_of(file)->queue);
    return 0;
}

/* Gathers the files that a control message of SCM_RIGHTS names. */
static long rights_in(const struct socket_header *header, struct file ***out, uint32_t *out_count)
{
    struct control_header control;
    *out = NULL;
    *out_count = 0;
    if (header->control_len < sizeof(control))
        return 0;
    if (user_in(&control, header->control, sizeof(control)) < 0)
        return -EFAULT;
    if (control.level != SOL_SOCKET || control.type != RIGHTS || control.len < sizeof(control) ||
        control.len > header->control_len)
        return -EINVAL;
    uint64_t count = (control.len - sizeof(control)) / sizeof(int);
    if (count > RIGHTS_MAX)
        return -EINVAL;
    int fds[RIGHTS_MAX];
    if (user_in(fds, header->control + sizeof(control), count * sizeof(int)) < 0)
        return -EFAULT;
    struct file **files = heap_alloc(count * sizeof(*files) + 1);
    if (!files)
        return -ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        files[i] = fd_get(fds[i]);
        if (!files[i]) {
            while (i)
                file_put(files[--i]);
            heap_free(files);
            return -EBADF;
        }
        file_get(files[i]);
    }
    *out = files;
    *out_count = (uint32_t)count;
    return 0;
}

static long gather(const struct socket_header *header, bool write, struct iovec iov[16],
                   size_t *out_total)
{
    *out_total = 0;
    if (header->iov_count > 16)
        return -EMSGSIZE;
    if (user_in(iov, header->iov, header->iov_count * sizeof(*iov)) < 0)
        return -EFAULT;
    for (uint64_t i = 0; i < header->iov_count; i++) {
        if (!user_ok((uint64_t)iov[i].iov_base, iov[i].iov_len, write))
            return -EFAULT;
        *out_total += iov[i].iov_len;
    }
    return 0;
}

long sys_sendmsg(const uint64_t a[6])
{
    long rc;
    struct socket_header header;
    struct iovec iov[16];
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    if (user_in(&header, a[1], sizeof(header)) < 0)
        return -EFAULT;
    size_t total;
    rc = gather(&header, false, iov, &total);
    if (rc < 0)
        return rc;
    if (header.name && header.name_len)
        return -EISCONN;
    uint8_t *data = heap_alloc(total + 1), *at = data;
    if (!data)
        return -ENOMEM;
    for (uint64_t i = 0; i < header.iov_count; at += iov[i].iov_len, i++)
        memcpy(at, iov[i].iov_base, iov[i].iov_len);
    struct file **files;
    uint32_t rights;
    rc = rights_in(&header, &files, &rights);
    file_get(file);
    if (rc == 0 && pair_of(file)->kind == KIND_STREAM) {
        /* Files travel beside the bytes of a stream. */
        if (rights) {
            struct message *message = heap_alloc(sizeof(*message));
            if (message) {
                message->files = files;
                message->rights = rights;
                list_add_tail(&other(file)->messages, &message->link);
            }
        }
        rc = pair_send(file, data, total, (unsigned)a[2]);
    } else if (rc == 0) {
        rc = message_send(file, data, total, (unsigned)a[2], files, rights);
        for (uint32_t i = 0; rc < 0 && i < rights; i++)
            file_put(files[i]);
        if (rc < 0)
            heap_free(files);
    }
    file_put(file);
    heap_free(data);
    return rc;
}

/* Gives received files their descriptors and writes the control message. */
static void rights_out(struct socket_header *header, struct message *message, bool cloexec)
{
    uint64_t room = header->control_len;
    header->control_len = 0;
    if (!message || !message->rights || room < sizeof(struct control_header))
        return;
    uint64_t fits = (room - sizeof(struct control_header)) / sizeof(int);
    uint32_t done = 0;
    int fds[RIGHTS_MAX];
    for (; done < message->rights && done < fits; done++) {
        file_get(message->files[done]);
        fds[done] = fd_install(message->files[done], 0, cloexec);
        if (fds[done] < 0)
            break;
    }
    struct control_header control = {
        .len = sizeof(control) + done * sizeof(int), .level = SOL_SOCKET, .type = RIGHTS};
    if (user_out(header->control, &control, sizeof(control)) == 0 &&
        user_out(header->control + sizeof(control), fds, done * sizeof(int)) == 0)
        header->control_len = min_u64(room, (control.len + 7) & ~7UL);
}

long sys_recvmsg(const uint64_t a[6])
{
    long rc;
    struct socket_header header;
    struct iovec iov[16];
    unsigned flags = (unsigned)a[2];
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    if (user_in(&header, a[1], sizeof(header)) < 0)
        return -EFAULT;
    size_t total, have = 0, full = 0;
    rc = gather(&header, true, iov, &total);
    if (rc < 0)
        return rc;
    uint8_t *data = heap_alloc(total + 1), *at = data;
    if (!data)
        return -ENOMEM;
    struct message *message = NULL;
    file_get(file);
    if (pair_of(file)->kind == KIND_STREAM) {
        rc = pair_receive(file, data, total, flags);
        have = full = rc > 0 ? (size_t)rc : 0;
        if (rc > 0 && !list_empty(&mine(file)->messages))
            message = container_of(mine(file)->messages.next, struct message, link);
    } else {
        message = message_next(file, flags, &rc);
        if (message) {
            full = message->len;
            have = min_u64(full, total);
            memcpy(data, message->data, have);
            rc = (long)(flags & MSG_TRUNC ? full : have);
        }
    }
    for (uint64_t i = 0; i < header.iov_count && have; i++) {
        size_t part = min_u64(iov[i].iov_len, have);
        memcpy(iov[i].iov_base, at, part);
        at += part;
        have -= part;
    }
    if (rc >= 0) {
        rights_out(&header, message, flags & MSG_CMSG_CLOEXEC);
        header.flags = full > total ? MSG_TRUNC : 0;
        header.name_len = 0;
        user_out(a[1], &header, sizeof(header));
        if (message && !(flags & MSG_PEEK)) {
            if (pair_of(file)->kind == KIND_STREAM) {
                list_del(&message->link);
                message_free(message);
            } else {
                message_done(file, message);
            }
        }
    }
    file_put(file);
    heap_free(data);
    return rc;
}

long sys_sendto(const uint64_t a[6])
{
    long rc;
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    if (a[4] && a[5])
        return pair_of(file)->kind == KIND_STREAM ? -EISCONN : -ENOTCONN;
    if (!user_ok(a[1], a[2], false))
        return -EFAULT;
    file_get(file);
    rc = pair_of(file)->kind == KIND_STREAM
             ? pair_send(file, (const void *)a[1], a[2], (unsigned)a[3])
             : message_send(file, (const void *)a[1], a[2], (unsigned)a[3], NULL, 0);
    file_put(file);
    return rc;
}

long sys_recvfrom(const uint64_t a[6])
{
    long rc;
    unsigned flags = (unsigned)a[3];
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    if (!user_ok(a[1], a[2], true))
        return -EFAULT;
    uint32_t zero = 0;
    if (a[4] && a[5] && user_out(a[5], &zero, sizeof(zero)) < 0)
        return -EFAULT;
    file_get(file);
    if (pair_of(file)->kind == KIND_STREAM) {
        rc = pair_receive(file, (void *)a[1], a[2], flags);
    } else {
        struct message *message = message_next(file, flags, &rc);
        if (message) {
            size_t part = min_u64(a[2], message->len);
            memcpy((void *)a[1], message->data, part);
            rc = (long)(flags & MSG_TRUNC ? message->len : part);
            if (!(flags & MSG_PEEK))
                message_done(file, message);
        }
    }
    file_put(file);
    return rc;
}

long sys_connect(const uint64_t a[6])
{
    long rc;
    uint16_t family = 0;
    if (!socket_get(a[0], &rc))
        return rc;
    if (user_in(&family, a[1], sizeof(family)) < 0)
        return -EFAULT;
    return family == FAMILY_UNIX ? -ENOENT : -EINVAL;
}

static long no_such(const uint64_t a[6])
{
    long rc;
    return socket_get(a[0], &rc) ? -EOPNOTSUPP : rc;
}

long sys_bind(const uint64_t a[6])
{
    return no_such(a);
}

/* No socket here has a name, so none listens: unix_listen(), unix_accept(). */
static long not_listening(const uint64_t a[6])
{
    long rc;
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    return pair_of(file)->kind == KIND_DGRAM ? -EOPNOTSUPP : -EINVAL;
}

long sys_listen(const uint64_t a[6])
{
    return not_listening(a);
}

long sys_accept(const uint64_t a[6])
{
    return not_listening(a);
}

long sys_accept4(const uint64_t a[6])
{
    return not_listening(a);
}

static long name_out(const uint64_t a[6], bool peer)
{
    long rc;
    uint32_t room;
    uint16_t family = FAMILY_UNIX;
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    if (peer && !other(file)->open && pair_of(file)->ends == 1 && !other(file)->no_write)
        return -ENOTCONN;
    if (user_in(&room, a[2], sizeof(room)) < 0)
        return -EFAULT;
    if ((int)room < 0)
        return -EINVAL;
    uint32_t len = sizeof(family);
    if (user_out(a[1], &family, min_u64(room, len)) < 0 || user_out(a[2], &len, sizeof(len)) < 0)
        return -EFAULT;
    return 0;
}

long sys_getsockname(const uint64_t a[6])
{
    return name_out(a, false);
}

long sys_getpeername(const uint64_t a[6])
{
    return name_out(a, true);
}

long sys_getsockopt(const uint64_t a[6])
{
    long rc;
    uint32_t room;
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    if (user_in(&room, a[4], sizeof(room)) < 0)
        return -EFAULT;
    if (a[1] != SOL_SOCKET)
        return -EOPNOTSUPP;
    int value;
    switch (a[2]) {
    case SO_TYPE:
        value = (int)pair_of(file)->kind;
        break;
    case SO_DOMAIN:
        value = FAMILY_UNIX;
        break;
    case SO_SNDBUF:
    case SO_RCVBUF:
        value = (int)BUFFER_BYTES;
        break;
    case SO_ERROR:
    case SO_PROTOCOL:
    case SO_ACCEPTCONN:
    case SO_KEEPALIVE:
    case SO_REUSEADDR:
        value = 0;
        break;
    case SO_PEERCRED: {
        uint32_t cred[3] = {PROCESS_PID, process.uid, process.gid};
        uint32_t len = (uint32_t)min_u64(room, sizeof(cred));
        return user_out(a[3], cred, len) < 0 || user_out(a[4], &len, sizeof(len)) < 0 ? -EFAULT : 0;
    }
    default:
        return -ENOPROTOOPT;
    }
    uint32_t len = (uint32_t)min_u64(room, sizeof(value));
    return user_out(a[3], &value, len) < 0 || user_out(a[4], &len, sizeof(len)) < 0 ? -EFAULT : 0;
}

long sys_setsockopt(const uint64_t a[6])
{
    long rc;
    int value;
    struct file *file = socket_get(a[0], &rc);
    if (!file)
        return rc;
    if (a[1] != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (a[4] < sizeof(value))
        return -EINVAL;
    if (user_in(&value, a[3], sizeof(value)) < 0)
        return -EFAULT;
    switch (a[2]) {
    case SO_SNDBUF:
    case SO_RCVBUF:
    case SO_KEEPALIVE:
    case SO_REUSEADDR:
        return 0; /* hints; there is nobody far away */
    default:
        return -ENOPROTOOPT;
    }
}
