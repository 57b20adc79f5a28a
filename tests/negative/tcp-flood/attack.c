/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: keeps data in the kernel: loopback connections whose buffers are filled, with Unix
 *   and UDP queues beside. The network handler made the sockets, so their memory might count
 *   for it, or (cgroup v1) for nobody.
 * Stopped by: the sockets count in a cgroup that is limited; buffer sizes of the sandbox's
 *   network namespace are small.
 * Lives in: src/jail (notify.c, network.c, cgroup.c).
 *
 * Kind: flood
 * Control: user
 * Flags: --mem 16M --timeout 20s
 * Expect: stopped
 * Answer: 500
 * Runs: own after uid0 daemon
 */
#include "../harness/attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static char block[65536];

static size_t fill(int from, size_t room)
{
    size_t kept = 0;
    ssize_t size;
    while (kept < room &&
           (size = send(from, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
        kept += (size_t)size;
    return kept;
}

void attack(void)
{
    size_t most = (size_t)bait_number("MEM", 16 << 20);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int room = 16 << 20;
    if (listener < 0) {
        blocked("socket: %s", strerror(errno));
        return;
    }
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 512) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) < 0) {
        blocked("listen: %s", strerror(errno));
        return;
    }
    size_t kept = 0;
    int connections = 0;
    for (; kept < 4 * most; connections++) {
        int sock = socket(AF_INET, SOCK_STREAM, 0);
        if (sock < 0)
            break;
        /* Large buffers ask for more; without the option the kernel tunes them itself, up to 4 and
         * 6 MiB. */
        if (connections % 2)
            setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        if (connect(sock, (struct sockaddr *)&at, sizeof(at)) < 0)
            break;
        int peer = accept(listener, NULL, NULL);
        if (peer < 0)
            break;
        kept += fill(sock, 4 * most - kept);
        if (kept < 4 * most)
            kept += fill(peer, 4 * most - kept);
    }
    if (kept >= 4 * most)
        got("%zu bytes lie in %d connections, the limit is %zu", kept, connections, most);
    else
        blocked("after %zu bytes in %d connections: %s", kept, connections, strerror(errno));
}
