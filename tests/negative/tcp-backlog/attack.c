/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: keeps data in the kernel with almost no sockets of its own: one socket connects, sends,
 *   is dissolved by connect(AF_UNSPEC) and connects again; what was sent stays with the connection
 *   in the listener's backlog, or with the accepted one, neither of which socket() made.
 * Stopped by: a short backlog (net.core.somaxconn of the sandbox's network namespace), small
 *   buffers, and accepted sockets that count in the sandbox's cgroup.
 * Lives in: src/jail (network.c, cgroup.c).
 *
 * Kind: flood
 * Control: user
 * Flags: --mem 16M --timeout 30s
 * Expect: stopped
 * Answer: 500
 * Runs: own after uid0 daemon
 */
#include "../harness/attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/utsname.h>

static char block[65536];

/* Sends what the receiving end takes; the sending end's own buffer is gone with the connection. */
static size_t fill(int sock)
{
    size_t kept = 0;
    ssize_t size;
    while ((size = send(sock, block, 8192, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
        kept += (size_t)size;
    int waits = 0;
    socklen_t room = sizeof(waits);
    if (getsockopt(sock, SOL_SOCKET, SO_ERROR, &waits, &room) == 0 && waits)
        return 0;
    return kept / 4; /* at least a quarter of it has left for the other end's queue */
}

static void flood(bool accepts, size_t most)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || client < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&at, &size) < 0) {
        blocked("no listener: %s", strerror(errno));
        return;
    }
    fcntl(client, F_SETFL, O_NONBLOCK);
    size_t kept = 0;
    int connections = 0;
    for (int failed = 0; kept < 4 * most && failed < 20;) {
        struct sockaddr nobody = {.sa_family = AF_UNSPEC};
        connect(client, &nobody, sizeof(nobody));
        if (connect(client, (struct sockaddr *)&at, sizeof(at)) < 0 && errno != EINPROGRESS) {
            failed++;
            continue;
        }
        size_t sent = fill(client);
        /* A full backlog does not complete the connection: nothing is taken. */
        struct sockaddr_in peer;
        socklen_t room = sizeof(peer);
        if (sent == 0 || getpeername(client, (struct sockaddr *)&peer, &room) < 0) {
            failed++;
            continue;
        }
        if (accepts && accept(listener, NULL, NULL) < 0) {
            failed++;
            continue;
        }
        kept += sent;
        connections++;
    }
    if (kept >= 4 * most)
        got("%zu bytes in %d connections %s, the limit is %zu", kept, connections,
            accepts ? "that were accepted" : "of the backlog", most);
    else
        blocked("after %zu bytes in %d connections %s: %s", kept, connections,
                accepts ? "that were accepted" : "of the backlog", strerror(errno));
    close(listener);
    close(client);
}

void attack(void)
{
    size_t most = (size_t)bait_number("MEM", 16 << 20);
    /* Linux 6.1 shows no somaxconn in a network namespace of ours: its own bound holds there (a
     * residual in docs/threat-model.md) */
    struct utsname kernel;
    bool old = uname(&kernel) == 0 && strncmp(kernel.release, "6.1.", 4) == 0;
    flood(false, old ? (size_t)4096 * 16384 : most);
    flood(true, most);
}
