/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: asks for sockets with a full descriptor table, and for pairs with room for one: the
 *   caller must not hang.
 * Stopped by: the handler answers what ADDFD said. (The first of a pair that failed stays open:
 *   nobody can close it for the caller.)
 * Lives in: src/jail/notify.c.
 *
 * Control: none (the kernel's own call is right)
 * Runs: own after daemon uid0 rootless
 */
#include "../harness/attack.h"

#include <sys/resource.h>
#include <sys/socket.h>

static int open_count(int last)
{
    int count = 0;
    for (int fd = 0; fd < last; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            count++;
    return count;
}

void attack(void)
{
    alarm(60); /* a hang ends by SIGALRM, which is not the expected end */
    struct rlimit few = {64, 64};
    if (setrlimit(RLIMIT_NOFILE, &few) < 0)
        note("setrlimit: %s", strerror(errno));
    int last = -1;
    for (int fd; (fd = dup(0)) >= 0;)
        last = fd;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EMFILE)
        got("a socket with a full table: %s", strerror(errno));
    else
        blocked("a full table: %s", strerror(errno));
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 || errno != EMFILE)
        got("a pair with a full table: %s", strerror(errno));
    close(last);
    int before = open_count(64);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 || errno != EMFILE)
        got("a pair with room for one: %s", strerror(errno));
    else if (open_count(64) > before + 1)
        got("a pair that failed left descriptors behind");
    else if (open_count(64) != before)
        note("the first of the pair stays open: nobody can close it for the caller");
    else
        blocked("room for one: %s", strerror(errno));
    close(last - 1);
    close(last - 2);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        got("no pair after the table had room again: %s", strerror(errno));
    else
        blocked("with room a pair is made");
}
