/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: abstract Unix names need no file: connects to a service of the host by its abstract
 *   name, as stream, seqpacket and datagram, from socket() and from one end of a
 *   socketpair(), which a filter on socket() alone forgets; and by its path.
 * Stopped by: sockets belong to a network namespace, and abstract names with it; socketpair's
 *   ends too.
 * Lives in: src/jail (network namespaces of template and sandbox, notify.c).
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t address(struct sockaddr_un *to, const char *suffix)
{
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size =
        snprintf(to->sun_path + 1, sizeof(to->sun_path) - 1, "%s%s", bait("ABSTRACT"), suffix);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

static void ask(int sock, const char *what)
{
    char text[64] = "hello";
    if (send(sock, text, 5, MSG_NOSIGNAL) < 0) {
        blocked("%s: send: %s", what, strerror(errno));
        return;
    }
    ssize_t size = recv(sock, text, sizeof(text), 0);
    if (size > 0 && memcmp(text, BAIT_TEXT, sizeof(BAIT_TEXT) - 1) == 0)
        got("%s: the host answered", what);
}

static void call(int type, const char *suffix, const char *what)
{
    struct sockaddr_un to;
    socklen_t size = address(&to, suffix);
    int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (sock < 0) {
        blocked("%s: socket: %s", what, strerror(errno));
    } else {
        if (connect(sock, (struct sockaddr *)&to, size) == 0)
            ask(sock, what);
        else
            blocked("%s: connect: %s", what, strerror(errno));
        close(sock);
    }
    struct sockaddr_un file = {.sun_family = AF_UNIX};
    snprintf(file.sun_path, sizeof(file.sun_path), "%s", bait("SOCKET"));
    sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (sock >= 0 && type == SOCK_STREAM &&
        connect(sock, (struct sockaddr *)&file, sizeof(file)) == 0)
        ask(sock, "by path");
    if (sock >= 0)
        close(sock);
}

void attack(void)
{
    call(SOCK_STREAM, "-stream", "stream");
    call(SOCK_SEQPACKET, "-seqpacket", "seqpacket");
    /* Only being delivered counts for a datagram: the host has nowhere to answer to. */
    struct sockaddr_un to;
    socklen_t size = address(&to, "-datagram");
    int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock >= 0)
        attempt("datagram", sendto(sock, "hello", 5, 0, (struct sockaddr *)&to, size));
    int pair[2];
    static const int types[] = {SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOCK_SEQPACKET};
    for (size_t i = 0; i < COUNT(types); i++) {
        if (syscall(SYS_socketpair, AF_UNIX, types[i], 0, pair) < 0) {
            blocked("socketpair: %s", strerror(errno));
            continue;
        }
        /* Connected streams ignore the address; that they accept it is not yet a way out. */
        if (types[i] == SOCK_DGRAM || types[i] == SOCK_RAW) {
            attempt("sendto from a socketpair",
                    sendto(pair[0], "hello", 5, MSG_NOSIGNAL, (struct sockaddr *)&to, size));
            attempt("connect of a socketpair", connect(pair[0], (struct sockaddr *)&to, size));
        }
        close(pair[0]);
        close(pair[1]);
    }
}
