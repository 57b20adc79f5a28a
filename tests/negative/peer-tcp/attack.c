/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: two sandboxes talk over IP: one listens (TCP and UDP, v4 and v6), the other calls
 *   it on loopback.
 * Stopped by: a network namespace for each sandbox.
 * Lives in: src/jail (network namespaces, notify.c).
 *
 * Kind: pair
 * Control: user
 */
#include "../harness/attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#define PORT 47311

static int make(int family, int type, struct sockaddr_storage *to, socklen_t *size)
{
    *to = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
    if (family == AF_INET) {
        struct sockaddr_in *four = (struct sockaddr_in *)to;
        four->sin_port = htons(PORT);
        four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        *size = sizeof(*four);
    } else {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
        six->sin6_port = htons(PORT);
        six->sin6_addr = in6addr_loopback;
        *size = sizeof(*six);
    }
    return socket(family, type | SOCK_CLOEXEC, 0);
}

static const struct {
    int family, type;
} kinds[] = {
    {AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM}, {AF_INET6, SOCK_STREAM}, {AF_INET6, SOCK_DGRAM}};

static void serve(void)
{
    struct pollfd waits[COUNT(kinds)];
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct sockaddr_storage own;
        socklen_t size;
        int on = 1;
        waits[i] = (struct pollfd){make(kinds[i].family, kinds[i].type, &own, &size), POLLIN, 0};
        setsockopt(waits[i].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (waits[i].fd >= 0 && bind(waits[i].fd, (struct sockaddr *)&own, size) < 0)
            blocked("bind: %s", strerror(errno));
        if (kinds[i].type == SOCK_STREAM)
            listen(waits[i].fd, 8);
    }
    puts("ready");
    fflush(stdout);
    for (int round = 0; round < 30; round++)
        if (poll(waits, COUNT(kinds), 100) > 0)
            for (size_t i = 0; i < COUNT(kinds); i++)
                if (waits[i].revents & POLLIN) {
                    got("the other sandbox was heard");
                    return;
                }
    blocked("nobody was heard");
}

static void call(void)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct sockaddr_storage to;
        socklen_t size;
        int sock = make(kinds[i].family, kinds[i].type, &to, &size);
        if (sock < 0) {
            blocked("socket: %s", strerror(errno));
            continue;
        }
        bool reached = connect(sock, (struct sockaddr *)&to, size) == 0;
        if (reached && kinds[i].type == SOCK_DGRAM) {
            /* The refusal of a datagram comes back as an error of the next call. */
            send(sock, "hello", 5, MSG_NOSIGNAL);
            pause_ms(20);
            reached = send(sock, "hello", 5, MSG_NOSIGNAL) == 5;
        }
        if (reached)
            got("reached the other sandbox, family %d, type %d", kinds[i].family, kinds[i].type);
        else
            blocked("family %d, type %d: %s", kinds[i].family, kinds[i].type, strerror(errno));
        close(sock);
    }
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
