/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: keeps data in the kernel: Unix socket pairs of every type, their queues filled; and
 *   descriptors in flight, in circles that only the kernel's collector finds, so that they
 *   outlive the process.
 * Stopped by: buffers of Unix sockets count in the sandbox's cgroup; descriptors in flight
 *   are limited for a user. (With a network the notify handler
 *   makes one socket for each 512 KiB of the limit: tcp-flood.)
 * Lives in: src/jail/cgroup.c.
 *
 * Kind: flood
 * Control: user
 * Flags: --mem 16M --timeout 20s
 * Expect: oom
 * Runs: none
 */
#include "../harness/attack.h"

#include <sys/socket.h>

static long circles(void)
{
    long count = 0;
    for (; count < 100; count++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            break;
        char byte = 0;
        struct iovec part = {&byte, 1};
        union {
            struct cmsghdr align;
            char space[CMSG_SPACE(2 * sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(2 * sizeof(int));
        memcpy(CMSG_DATA(head), pair, sizeof(pair));
        ssize_t sent = sendmsg(pair[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(pair[0]);
        close(pair[1]);
        if (sent < 0)
            break;
    }
    return count;
}

void attack(void)
{
    size_t most = (size_t)bait_number("MEM", 16 << 20);
    static char block[32768];
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    size_t kept = 0;

    for (int round = 0; kept < 2 * most; round++) {
        int pair[2];
        int room = 4 << 20;
        if (socketpair(AF_UNIX, types[round % 3] | SOCK_NONBLOCK, 0, pair) < 0)
            break;
        for (int i = 0; i < 2; i++) {
            setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
            ssize_t size;
            while (kept < 2 * most &&
                   (size = send(pair[i], block, sizeof(block), MSG_NOSIGNAL)) > 0)
                kept += (size_t)size;
        }
    }
    note("%ld circles", circles());
    if (kept >= 2 * most)
        got("%zu bytes lie in Unix sockets, the limit is %zu", kept, most);
    else
        blocked("after %zu bytes: %s", kept, strerror(errno));
}
