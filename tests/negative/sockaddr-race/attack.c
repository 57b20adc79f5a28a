/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: a second thread rewrites the address while connect() and sendto() are under way,
 *   between a harmless one and the host's services, in the hope that it is checked once and
 *   read again.
 * Stopped by: nobody but the kernel reads addresses, and it copies them once; where the
 *   socket lives decides.
 * Lives in: src/jail (network namespaces).
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un target;
static volatile bool stop_racing;
static volatile bool is_unix;
static size_t name_size;

static void *rewrite(void *arg)
{
    (void)arg;
    struct sockaddr_in *inet = (struct sockaddr_in *)&target;
    while (!stop_racing) {
        if (is_unix) {
            target.sun_path[0] = '/';
            target.sun_path[0] = 0;
        } else {
            inet->sin_port = htons(9);
            inet->sin_port = htons((uint16_t)bait_number("PORT", 1));
        }
    }
    return NULL;
}

static bool connect_once(int family)
{
    int sock = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return false;
    socklen_t size = family == AF_UNIX ? (socklen_t)name_size : sizeof(struct sockaddr_in);
    bool through = connect(sock, (struct sockaddr *)&target, size) == 0 &&
                   send(sock, "hello", 5, MSG_NOSIGNAL) == 5 && fd_has_bait(sock);
    close(sock);
    return through;
}

void attack(void)
{
    pthread_t racer;
    for (int pass = 0; pass < 2; pass++) {
        int family = pass ? AF_UNIX : AF_INET;
        memset(&target, 0, sizeof(target));
        is_unix = pass;
        target.sun_family = (sa_family_t)family;
        if (family == AF_UNIX) {
            int length = snprintf(target.sun_path + 1, sizeof(target.sun_path) - 1, "%s-stream",
                                  bait("ABSTRACT"));
            name_size = offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length;
        } else {
            ((struct sockaddr_in *)&target)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        stop_racing = false;
        if (pthread_create(&racer, NULL, rewrite, NULL) != 0)
            continue;
        bool through = false;
        const int rounds = is_control() ? 30000 : 300; /* there the race is to be won */
        for (int round = 0; round < rounds && !through; round++)
            through = connect_once(family);
        stop_racing = true;
        pthread_join(racer, NULL);
        if (through)
            got("family %d: the host answered", family);
        else
            blocked("family %d: %s", family, strerror(errno));
    }
}
