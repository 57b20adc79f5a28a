/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

struct request {
    struct nlmsghdr head;
    struct ifinfomsg info;
    char attributes[512];
};

int link_open(void)
{
    int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (sock < 0)
        die("open rtnetlink:");
    return sock;
}

static void begin(struct request *request, unsigned short flags)
{
    memset(request, 0, sizeof(*request));
    request->head.nlmsg_len = NLMSG_LENGTH(sizeof(request->info));
    request->head.nlmsg_type = RTM_NEWLINK;
    request->head.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
}

static struct rtattr *put(struct request *request, unsigned short type, const void *data,
                          size_t size)
{
    struct rtattr *attribute =
        (struct rtattr *)(void *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size > 0)
        memcpy(RTA_DATA(attribute), data, size);
    request->head.nlmsg_len =
        NLMSG_ALIGN(request->head.nlmsg_len) + (unsigned int)RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static void end(struct request *request, struct rtattr *nest)
{
    nest->rta_len =
        (unsigned short)((char *)request + request->head.nlmsg_len - (char *)(void *)nest);
}

static int ask(int sock, struct request *request)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[512];
    } answer;
    if (send(sock, request, request->head.nlmsg_len, 0) < 0 ||
        recv(sock, &answer, sizeof(answer), 0) < 0)
        return -1;
    if (answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error != 0) {
        errno = -answer.error.error;
        return -1;
    }
    return 0;
}

int link_up(int sock, int index)
{
    struct request request;
    begin(&request, 0);
    request.info.ifi_index = index;
    request.info.ifi_flags = request.info.ifi_change = IFF_UP;
    return ask(sock, &request);
}

int link_add_veth(int sock, const char *name, const char *peer, int peer_net)
{
    struct request request;
    const struct ifinfomsg peer_info = {0};
    begin(&request, NLM_F_CREATE | NLM_F_EXCL);
    put(&request, IFLA_IFNAME, name, strlen(name) + 1);
    struct rtattr *link = put(&request, IFLA_LINKINFO, NULL, 0);
    put(&request, IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = put(&request, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *other = put(&request, VETH_INFO_PEER, &peer_info, sizeof(peer_info));
    put(&request, IFLA_IFNAME, peer, strlen(peer) + 1);
    put(&request, IFLA_NET_NS_FD, &peer_net, sizeof(peer_net));
    end(&request, other);
    end(&request, data);
    end(&request, link);
    return ask(sock, &request);
}
