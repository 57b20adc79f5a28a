/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the same without bind(2): an end of a datagram socketpair that sends with
 *   SO_PASSCRED set, or connects, is bound by the kernel to one of 2^20 abstract names; the
 *   other sandbox sends to all of them.
 * Stopped by: as peer-abstract; a filter on bind() alone would not.
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

static void serve(void)
{
    int pair[2];
    int on = 1;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0) {
        blocked("socketpair: %s", strerror(errno));
        puts("ready");
        fflush(stdout);
        return;
    }
    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    /* A send binds by itself; so does bind() with nothing but the family. */
    send(pair[1], "x", 1, MSG_NOSIGNAL);
    struct sockaddr_un none = {.sun_family = AF_UNIX};
    bind(pair[0], (struct sockaddr *)&none, sizeof(sa_family_t));
    struct sockaddr_un name = {0};
    socklen_t size = sizeof(name);
    char seen[16];
    recv(pair[0], seen, sizeof(seen), MSG_DONTWAIT);
    getsockname(pair[0], (struct sockaddr *)&name, &size);
    note("autobound: %.5s", size > 3 ? name.sun_path + 1 : "no name");
    puts("ready");
    fflush(stdout);
    /* Disconnect, so that anybody may send; then wait for anything. */
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    connect(pair[0], &nobody, sizeof(nobody));
    struct pollfd wait = {pair[0], POLLIN, 0};
    char text[64];
    for (int round = 0; round < 60; round++)
        if (poll(&wait, 1, 100) > 0 && recv(pair[0], text, sizeof(text), 0) >= 5 &&
            memcmp(text, "hello", 5) == 0) {
            got("the other sandbox was heard by an autobound name");
            return;
        }
    blocked("nobody was heard");
}

static void call(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0) {
        blocked("socketpair: %s", strerror(errno));
        return;
    }
    for (unsigned int number = 0; number < 1u << 20; number++) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        snprintf(to.sun_path + 1, 8, "%05x", number);
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6);
        if (sendto(pair[0], "hello", 5, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, size) >
            0) {
            got("a datagram was taken by the autobound name %05x", number);
            return;
        }
        if (errno == EACCES || errno == ENOSYS)
            break;
    }
    blocked("no autobound name answers: %s", strerror(errno));
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
