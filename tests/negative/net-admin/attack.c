/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: administers the network it is given: interfaces, addresses, routes, packet filter
 *   tables, privileged socket options, eBPF on sockets; and looks for an interface that is
 *   not loopback.
 * Stopped by: no CAP_NET_ADMIN over the namespace (it belongs to a user namespace in which
 *   the function has no capability), one interface, lo.
 * Lives in: src/jail (network namespaces; no capabilities).
 *
 * Control: root
 * Runs: after daemon
 */
#include "../harness/attack.h"

#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void option(int sock, int level, int name, const char *what)
{
    char value[256] = {0};
    value[0] = 1;
    attempt(what, syscall(SYS_setsockopt, sock, level, name, value, 4));
}

static void interfaces(int sock)
{
    for (int index = 1; index < 64; index++) {
        struct ifreq request = {.ifr_ifindex = index};
        if (ioctl(sock, SIOCGIFNAME, &request) == 0 && strcmp(request.ifr_name, "lo") != 0)
            got("an interface %s", request.ifr_name);
    }
}

void attack(void)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0) {
        blocked("socket: %s", strerror(errno));
        return;
    }
    interfaces(sock);
    /* Options first: they harm nothing in the control run. */
    option(sock, SOL_SOCKET, SO_MARK, "SO_MARK");
    option(sock, SOL_SOCKET, SO_RCVBUFFORCE, "SO_RCVBUFFORCE");
    option(sock, SOL_SOCKET, SO_SNDBUFFORCE, "SO_SNDBUFFORCE");
    option(sock, SOL_SOCKET, SO_DEBUG, "SO_DEBUG");
    option(sock, IPPROTO_IP, 19 /* IP_TRANSPARENT */, "IP_TRANSPARENT");
    /* IPT_SO_GET_INFO and ARPT_SO_GET_INFO: EINVAL and ENOENT are behind the capability check. */
    char table[84] = "filter";
    socklen_t size = sizeof(table);
    long result = syscall(SYS_getsockopt, sock, IPPROTO_IP, 64, table, &size);
    attempt_past("IPT_SO_GET_INFO", result, EINVAL);
    if (is_control())
        return;
    option(sock, IPPROTO_IP, 64, "IPT_SO_SET_REPLACE");
    option(sock, SOL_SOCKET, 50 /* SO_ATTACH_BPF */, "SO_ATTACH_BPF");
    struct ifreq loop = {.ifr_name = "lo", .ifr_flags = 0};
    attempt("lo down", ioctl(sock, SIOCSIFFLAGS, &loop));
    struct ifreq mtu = {.ifr_name = "lo", .ifr_mtu = 1280};
    attempt("MTU of lo", ioctl(sock, SIOCSIFMTU, &mtu));
    struct rtentry route = {.rt_flags = RTF_UP};
    attempt("a route", ioctl(sock, SIOCADDRT, &route));
    attempt("a bridge", ioctl(sock, 0x89a0 /* SIOCBRADDBR */, "br0"));
    int raw = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
    attempt("ip_forward", raw);
}
