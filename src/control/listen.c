/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets; see listen.h. */
#include "control/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "control/config.h"

#define BACKLOG  4096
#define AGAIN_MS 20

static int bind_again(int fd, const struct sockaddr_storage *address, socklen_t size, int wait_ms)
{
    for (int waited = 0;; waited += AGAIN_MS) {
        if (bind(fd, (const struct sockaddr *)address, size) == 0)
            return 0;
        if (errno != EADDRINUSE || waited >= wait_ms)
            return -errno;
        poll(NULL, 0, AGAIN_MS);
    }
}

int listen_tcp(const char *address, int wait_ms, char *shown, size_t room, struct err *err)
{
    struct sockaddr_storage parsed;
    socklen_t size;
    int on = 1, off = 0;
    int rc = address_parse(address, &parsed, &size, err);
    if (rc < 0)
        return rc;
    fd_owner fd = socket(parsed.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, errno, "make a socket for %s:", address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (parsed.ss_family ==
        AF_INET6) /* "[::]" and ":PORT" take IPv4 too, whatever the sysctl says */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    rc = bind_again(fd, &parsed, size, wait_ms);
    if (rc == -EADDRINUSE)
        return err_set(err, EADDRINUSE,
                       "listen on %s: another program uses this address; choose another with "
                       "--listen ADDRESS:PORT",
                       address);
    if (rc == 0 && listen(fd, BACKLOG) < 0)
        rc = -errno;
    if (rc < 0)
        return err_set(err, -rc, "listen on %s:", address);
    size = sizeof(parsed);
    if (getsockname(fd, (struct sockaddr *)&parsed, &size) < 0)
        return err_set(err, errno, "ask for the port of %s:", address);
    address_format(&parsed, shown, room);
    return fd_steal(&fd);
}
