/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: opens stream and datagram sockets of AF_INET and AF_INET6 with every protocol
 *   number (ICMP, SCTP, DCCP, UDP-Lite, MPTCP, L2TP, ...): each unknown one asks the kernel
 *   to load a module, without any privilege.
 * Stopped by: the filter and the network handler accept protocol 0, TCP and UDP.
 * Lives in: src/jail/filter.c, notify.c.
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <netinet/in.h>
#include <sys/socket.h>

void attack(void)
{
    static const int families[] = {AF_INET, AF_INET6};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RDM, SOCK_DCCP};
    for (size_t i = 0; i < COUNT(families); i++)
        for (size_t j = 0; j < COUNT(types); j++)
            for (int protocol = 1; protocol < 300; protocol++) {
                if ((types[j] == SOCK_STREAM && protocol == IPPROTO_TCP) ||
                    (types[j] == SOCK_DGRAM && protocol == IPPROTO_UDP))
                    continue;
                long sock = syscall(SYS_socket, families[i], types[j] | SOCK_CLOEXEC, protocol);
                if (sock < 0)
                    continue;
                got("socket of family %d, type %d, protocol %d", families[i], types[j], protocol);
                close((int)sock);
            }
    blocked("protocols: %s", strerror(errno));
}
