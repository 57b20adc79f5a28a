/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: netlink: every protocol but the one that getifaddrs() needs; and with that one,
 *   rtnetlink, it looks for interfaces that are not its own loopback and changes what it finds:
 *   links, addresses, routes, rules, neighbours, queueing, namespaces by number.
 * Stopped by: the network handler knows NETLINK_ROUTE alone; it is of the sandbox's own network
 *   namespace, and changes need a capability over that.
 * Lives in: src/jail/notify.c, network.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

struct request {
    struct nlmsghdr header;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        struct rtmsg route;
        struct tcmsg queue;
        struct ndmsg neighbour;
        char room[64];
    };
};

/* Sends one request; the answer's error, 0 when it was done, 1 when data came. */
static int ask(int sock, uint16_t type, uint16_t flags, const struct request *body, void *answer,
               size_t room)
{
    struct request request = *body;
    request.header = (struct nlmsghdr){sizeof(request), type, flags | NLM_F_REQUEST, 1, 0};
    if (send(sock, &request, sizeof(request), 0) < 0)
        return -errno;
    ssize_t size = recv(sock, answer, room, 0);
    if (size < (ssize_t)sizeof(struct nlmsghdr))
        return -errno;
    struct nlmsghdr *head = answer;
    return head->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(head))->error : 1;
}

static void links(int sock)
{
    static char answer[65536];
    struct request all = {.link = {.ifi_family = AF_UNSPEC}};
    if (ask(sock, RTM_GETLINK, NLM_F_DUMP, &all, answer, sizeof(answer)) != 1) {
        blocked("links: no answer");
        return;
    }
    struct nlmsghdr *head = (struct nlmsghdr *)answer;
    struct ifinfomsg *link = NLMSG_DATA(head);
    if (!(link->ifi_flags & IFF_LOOPBACK) || link->ifi_index != 1)
        got("an interface that is no loopback");
    struct nlmsghdr *next = (struct nlmsghdr *)(answer + NLMSG_ALIGN(head->nlmsg_len));
    if (next->nlmsg_type == RTM_NEWLINK)
        got("a second interface");
}

static void change(int sock)
{
    char answer[4096];
    static const struct {
        uint16_t type;
        const char *what;
    } changes[] = {{RTM_NEWLINK, "a link"},      {RTM_SETLINK, "a link's state"},
                   {RTM_NEWADDR, "an address"},  {RTM_NEWROUTE, "a route"},
                   {RTM_NEWRULE, "a rule"},      {RTM_NEWNEIGH, "a neighbour"},
                   {RTM_NEWQDISC, "a queue"},    {RTM_NEWNSID, "a namespace's number"},
                   {RTM_NEWTFILTER, "a filter"}, {RTM_DELLINK, "no link"}};
    for (size_t i = 0; i < COUNT(changes); i++) {
        struct request body = {.link = {.ifi_family = AF_UNSPEC, .ifi_index = 1}};
        int result =
            ask(sock, changes[i].type, NLM_F_ACK | NLM_F_CREATE, &body, answer, sizeof(answer));
        /* Whoever has the capability is told that the request makes no sense. */
        if (result == -EPERM || result == -EACCES || result == -EOPNOTSUPP)
            blocked("%s: %s", changes[i].what, strerror(-result));
        else
            got("%s: %s", changes[i].what, result < 0 ? strerror(-result) : "done");
    }
}

void attack(void)
{
    for (int protocol = 0; protocol < 32; protocol++) {
        long sock = syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
        if (sock < 0) {
            blocked("netlink protocol %d: %s", protocol, strerror(errno));
            continue;
        }
        if (protocol != NETLINK_ROUTE) {
            got("netlink protocol %d", protocol);
        } else {
            links((int)sock);
            close((int)sock);
            sock = syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
            if (!is_control()) /* it would be done */
                change((int)sock);
        }
        close((int)sock);
    }
    int pair[2];
    attempt("netlink socketpair", syscall(SYS_socketpair, AF_NETLINK, SOCK_DGRAM, 0, pair));
    long sock = syscall(SYS_socket, AF_NETLINK | (1L << 32), SOCK_RAW | (1L << 32),
                        NETLINK_KOBJECT_UEVENT | (1L << 32));
    attempt("uevents, wide arguments", sock);
}
