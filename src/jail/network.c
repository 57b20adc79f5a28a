/* SPDX-License-Identifier: Apache-2.0 */
/* About 230 us, most of it the kernel's; the notify handler keeps some ready. See network.h. */
#include "jail/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "jail/raw.h"

static int interface_up(const char *name)
{
    long sock = raw3(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return (int)sock;
    struct ifreq request;
    memset(&request, 0, sizeof(request));
    strcpy(request.ifr_name, name);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    long result = raw3(SYS_ioctl, sock, SIOCSIFFLAGS, &request);
    raw1(SYS_close, sock);
    return (int)result;
}

/* Buffers of a connection and connections that nobody has accepted: enough for loopback, little
 * enough to be bounded by the number of sockets. A kernel that does not show a setting to
 * namespaces like ours (Linux 6.1 does not show somaxconn) keeps its own. */
static int bound_buffers(int proc_root)
{
    static const char *const settings[][2] = {{"sys/net/ipv4/tcp_rmem", "4096 65536 131072"},
                                              {"sys/net/ipv4/tcp_wmem", "4096 65536 131072"},
                                              {"sys/net/core/somaxconn", "64"}};
    for (unsigned int i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        long fd = raw4(SYS_openat, proc_root, settings[i][0], O_WRONLY | O_CLOEXEC, 0);
        if (fd == -ENOENT)
            continue;
        if (fd < 0)
            return (int)fd;
        long result = raw3(SYS_write, fd, settings[i][1], strlen(settings[i][1]));
        raw1(SYS_close, fd);
        if (result < 0)
            return (int)result;
    }
    return 0;
}

long network_sockets(int proc_root)
{
    char text[256];
    long fd = raw4(SYS_openat, proc_root, "thread-self/net/sockstat", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    long size = raw3(SYS_read, fd, text, sizeof(text) - 1);
    raw1(SYS_close, fd);
    static const char head[] = "sockets: used ";
    if (size < (long)sizeof(head) || memcmp(text, head, sizeof(head) - 1) != 0)
        return 0;
    long count = 0;
    text[size] = '\0';
    for (const char *at = text + sizeof(head) - 1; *at >= '0' && *at <= '9'; at++)
        count = count * 10 + (*at - '0');
    return count;
}

int network_make(int proc_root)
{
    long result = raw1(SYS_unshare, CLONE_NEWNET);
    if (result == 0)
        result = interface_up("lo");
    if (result == 0)
        result = bound_buffers(proc_root);
    if (result < 0)
        return (int)result;
    return (int)raw4(SYS_openat, proc_root, "thread-self/ns/net", O_RDONLY | O_CLOEXEC, 0);
}
