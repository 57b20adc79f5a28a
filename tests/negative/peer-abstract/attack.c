/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: two sandboxes talk to each other by abstract Unix names: bound on socket()s of
 *   every type, on the ends of datagram socketpair()s; and looks for them in
 *   /proc/self/net/unix.
 * Stopped by: each sandbox's sockets live in a network namespace of its own; a socketpair
 *   made before that exists is given one too, or cannot bind.
 * Lives in: src/jail (notify.c, filter.c).
 *
 * Kind: pair
 * Control: user
 */
#include "../harness/attack.h"

#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NAMES 6

static socklen_t address(struct sockaddr_un *to, int number)
{
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size = snprintf(to->sun_path + 1, sizeof(to->sun_path) - 1, "skerry-peer-%s-%d",
                        bait("MARK"), number);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

static int make(int number)
{
    static const int types[NAMES] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET,
                                     SOCK_DGRAM,  SOCK_RAW,   SOCK_DGRAM};
    int pair[2] = {-1, -1};
    if (number < 3)
        return socket(AF_UNIX, types[number] | SOCK_CLOEXEC, 0);
    return socketpair(AF_UNIX, types[number] | SOCK_CLOEXEC, 0, pair) == 0 ? pair[0] : -1;
}

static void serve(void)
{
    struct pollfd waits[NAMES];
    for (int i = 0; i < NAMES; i++) {
        struct sockaddr_un own;
        socklen_t size = address(&own, i);
        waits[i] = (struct pollfd){make(i), POLLIN, 0};
        if (waits[i].fd >= 0 && bind(waits[i].fd, (struct sockaddr *)&own, size) < 0)
            blocked("bind of name %d: %s", i, strerror(errno));
        if (i == 0 || i == 2)
            listen(waits[i].fd, 8);
    }
    puts("ready");
    fflush(stdout);
    for (int round = 0; round < 30; round++) {
        if (poll(waits, NAMES, 100) <= 0)
            continue;
        for (int i = 0; i < NAMES; i++)
            if (waits[i].revents & POLLIN) {
                got("the other sandbox was heard by name %d", i);
                return;
            }
    }
    blocked("nobody was heard");
}

static void call(void)
{
    for (int i = 0; i < NAMES; i++) {
        struct sockaddr_un to;
        socklen_t size = address(&to, i);
        int sock = make(i);
        if (sock < 0) {
            blocked("name %d: no socket: %s", i, strerror(errno));
            continue;
        }
        char what[64];
        snprintf(what, sizeof(what), "reached the other sandbox's name %d", i);
        if (i == 0 || i == 2)
            attempt(what, connect(sock, (struct sockaddr *)&to, size));
        else
            attempt(what, sendto(sock, "hello", 5, MSG_NOSIGNAL, (struct sockaddr *)&to, size));
        close(sock);
    }
    char line[4096];
    FILE *names = fopen("/proc/self/net/unix", "re");
    while (names && fgets(line, sizeof(line), names))
        if (strstr(line, bait("MARK")))
            got("/proc/self/net/unix shows the other sandbox's name");
    if (names)
        fclose(names);
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
