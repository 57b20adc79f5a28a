/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: raw and packet sockets: every IP protocol, AF_PACKET of each type, the obsolete
 *   SOCK_PACKET, with flags and wide arguments mixed in.
 * Stopped by: the filter and the network handler refuse the types; behind it, no CAP_NET_RAW.
 * Lives in: src/jail/filter.c, notify.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void open_socket(const char *what, long family, long type, long protocol)
{
    long sock = syscall(SYS_socket, family, type, protocol);
    attempt(what, sock);
    if (sock >= 0)
        close((int)sock);
}

void attack(void)
{
    open_socket("raw ICMP", AF_INET, SOCK_RAW, IPPROTO_ICMP);
    open_socket("raw TCP", AF_INET, SOCK_RAW, IPPROTO_TCP);
    open_socket("raw IP", AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
    open_socket("raw IP, wide type", AF_INET, SOCK_RAW | (1L << 32), IPPROTO_RAW);
    open_socket("raw IPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    open_socket("packet, raw", AF_PACKET, SOCK_RAW, ETH_P_ALL << 8);
    open_socket("packet, datagram", AF_PACKET, SOCK_DGRAM, ETH_P_ALL << 8);
    open_socket("packet, wide family", AF_PACKET | (1L << 32), SOCK_RAW, 0);
    open_socket("SOCK_PACKET", AF_INET, SOCK_PACKET, ETH_P_ALL << 8);
    for (long protocol = 1; protocol < 256; protocol++) {
        long sock = syscall(SYS_socket, AF_INET, SOCK_RAW, protocol);
        if (sock >= 0) {
            got("raw protocol %ld", protocol);
            close((int)sock);
            break;
        }
    }
}
