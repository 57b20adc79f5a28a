/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: opens sockets of every address family and type there is (vsock, alg, xdp, tipc,
 *   can, bluetooth, nfc, rds, smc, qipcrtr, kcm, phonet, ...), plainly and with bits above
 *   the 32nd set, which the kernel drops after a filter may have compared them; many load a
 *   kernel module on request.
 * Stopped by: the filter and the network handler know AF_UNIX, AF_INET and AF_INET6 with
 *   stream and datagram only.
 * Lives in: src/jail/filter.c, notify.c.
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <sys/socket.h>

static bool ordinary(int family, int type)
{
    bool common = type == SOCK_STREAM || type == SOCK_DGRAM;
    if (family == AF_UNIX)
        return common || type == SOCK_SEQPACKET || type == SOCK_RAW;
    if (family == AF_NETLINK) /* see sock-netlink */
        return type == SOCK_RAW || type == SOCK_DGRAM;
    return (family == AF_INET || family == AF_INET6) && common;
}

void attack(void)
{
    int tried = 0;
    int refused = 0;
    for (int family = 0; family < 64; family++) {
        for (int type = 0; type < 16; type++) {
            if (ordinary(family, type))
                continue;
            for (int wide = 0; wide < 2; wide++) {
                long upper = wide ? (1L << 32) : 0;
                long sock = syscall(SYS_socket, upper | family, upper | type, 0);
                tried++;
                if (sock >= 0) {
                    got("socket of family %d, type %d%s", family, type, wide ? ", wide" : "");
                    close((int)sock);
                } else {
                    refused++;
                }
                int pair[2];
                if (syscall(SYS_socketpair, upper | family, upper | type, 0, pair) == 0)
                    got("socketpair of family %d, type %d%s", family, type, wide ? ", wide" : "");
            }
        }
    }
    blocked("%d of %d families and types: %s", refused, tried, strerror(errno));
}
