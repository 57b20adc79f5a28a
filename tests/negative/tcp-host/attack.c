/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: connects to a service of the host over IP: loopback v4, v6 and v4-mapped, 0.0.0.0,
 *   every address of the host, by TCP, TCP fast open and UDP.
 * Stopped by: the sandbox's network namespace has a loopback of its own and nothing else.
 * Lives in: src/jail (network namespaces, notify.c).
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

static void limit_wait(int sock)
{
    struct timeval wait = {2, 0};
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
}

static void call(const char *address)
{
    uint16_t port = htons((uint16_t)bait_number("PORT", 1));
    struct sockaddr_storage to = {0};
    socklen_t size = 0;
    struct sockaddr_in *four = (struct sockaddr_in *)&to;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&to;
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = port;
        size = sizeof(*four);
    } else if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = port;
        size = sizeof(*six);
    } else {
        return;
    }
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < COUNT(types); i++)
        for (int fast_open = 0; fast_open < 2; fast_open++) {
            int sock = socket(to.ss_family, types[i] | SOCK_CLOEXEC, 0);
            if (sock < 0) {
                blocked("socket: %s", strerror(errno));
                continue;
            }
            limit_wait(sock);
            int flags = MSG_NOSIGNAL | (fast_open ? MSG_FASTOPEN : 0);
            if ((fast_open || connect(sock, (struct sockaddr *)&to, size) == 0) &&
                sendto(sock, "hello", 5, flags, fast_open ? (struct sockaddr *)&to : NULL,
                       fast_open ? size : 0) > 0 &&
                fd_has_bait(sock))
                got("%s by %s", address, types[i] == SOCK_STREAM ? "TCP" : "UDP");
            else
                blocked("%s by %s: %s", address, types[i] == SOCK_STREAM ? "TCP" : "UDP",
                        strerror(errno));
            close(sock);
        }
}

void attack(void)
{
    call("127.0.0.1");
    call("::1");
    call("::ffff:127.0.0.1");
    call("0.0.0.0");
    char addresses[512];
    snprintf(addresses, sizeof(addresses), "%s", bait("ADDRESSES"));
    for (char *rest = addresses, *one; (one = strtok_r(rest, ",", &rest));)
        call(one);
}
