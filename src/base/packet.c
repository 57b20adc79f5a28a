/* SPDX-License-Identifier: Apache-2.0 */
#include "base/packet.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int packet_pair(int out_ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out_ends) < 0 ? -errno : 0;
}

int packet_send(int sock, const struct iovec *parts, size_t part_count, const int *fds,
                size_t fd_count, int flags)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = part_count};
    if (fd_count > PACKET_FDS_MAX)
        return -EINVAL;
    if (fd_count > 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(head), fds, fd_count * sizeof(int));
    }
    for (;;) {
        if (sendmsg(sock, &msg, flags | MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

static size_t collect_fds(struct msghdr *msg, int *fds, size_t room)
{
    size_t count = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && count < room; i++, count++)
            memcpy(&fds[count], CMSG_DATA(head) + i * sizeof(int), sizeof(int));
    }
    return count;
}

ssize_t packet_recv(int sock, void *data, size_t size, int *out_fds, size_t fd_room,
                    size_t *out_fd_count, int flags)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int)) + 64];
    } control;
    struct iovec part = {.iov_base = data, .iov_len = size};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    ssize_t n;
    do {
        n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    int fds[PACKET_FDS_MAX + 16];
    size_t count = collect_fds(&msg, fds, sizeof(fds) / sizeof(fds[0]));
    if (count > fd_room || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
        return -EMSGSIZE;
    }
    if (count > 0)
        memcpy(out_fds, fds, count * sizeof(int));
    if (out_fd_count != NULL)
        *out_fd_count = count;
    return n;
}
