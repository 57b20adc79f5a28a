/* SPDX-License-Identifier: Apache-2.0 */
/* The API process's loop: the link, new connections from both sides, and time; see api.h. */
#include "control/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/packet.h"
#include "control/api_core.h"
#include "gateway/link.h"

#define HANDOFF_MAGIC UINT32_C(0x31464f48)
#define EVENTS_MAX    64

/* What epoll gives back for the descriptors that are no connections. */
static char source_link, source_listener, source_handoff;

static bool peer_trusted(const struct api *api, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || size != sizeof(peer))
        return false;
    return peer.uid == 0 || peer.uid == api->options.admin;
}

static void listener_event(struct api *api)
{
    for (int i = 0; i < 16; i++) {
        int fd = accept4(api->options.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        api_conn_open(api, fd, peer_trusted(api, fd), "", 0);
    }
}

static void handoff_event(struct api *api)
{
    static struct {
        struct handoff_head head;
        char bytes[HANDOFF_BYTES_MAX];
    } message;
    for (int i = 0; i < 16; i++) {
        int fd = -1;
        size_t count = 0;
        ssize_t size = packet_recv(api->options.handoff, &message, sizeof(message), &fd, 1, &count,
                                   MSG_DONTWAIT);
        if (size < 0)
            return;
        if (count != 1)
            continue;
        if ((size_t)size < sizeof(message.head) || message.head.magic != HANDOFF_MAGIC ||
            message.head.bytes != (size_t)size - sizeof(message.head)) {
            close(fd);
            continue;
        }
        api_conn_open(api, fd, false, message.bytes, message.head.bytes);
    }
}

static void take_reply(struct api *api, const struct ctl_message *message)
{
    for (unsigned int i = 0; i < api->conn_count; i++) {
        struct api_conn *conn = api->conns[i];
        if (conn->state == API_WAIT && conn->request_id == message->request_id) {
            api_reply(api, conn, message);
            return;
        }
    }
}

void api_take_link(struct api *api)
{
    static struct ctl_message message;
    while (!api->ended) {
        int fd = -1;
        size_t count = 0;
        ssize_t size =
            packet_recv(api->options.link, &message, sizeof(message), &fd, 1, &count, MSG_DONTWAIT);
        if (size == -EAGAIN)
            return;
        if (size <= 0) {
            api->ended = true;
        } else if (size != sizeof(message)) {
            log_error("the supervisor sent a message of %zd bytes", size);
            if (count > 0)
                close(fd);
        } else if (message.kind == CTL_FUNCTION || message.kind == CTL_FUNCTION_DEL) {
            int rc = api_table_update(&api->table, &message, count > 0 ? fd : -1);
            if (rc < 0)
                log_error("take a function of the supervisor: %s", strerror(-rc));
        } else {
            if (count > 0)
                close(fd);
            if (message.kind == CTL_REPLY)
                take_reply(api, &message);
        }
    }
}

/* Milliseconds to the next deadline of a connection. */
static int next_timeout(const struct api *api)
{
    uint64_t least = UINT64_MAX;
    for (unsigned int i = 0; i < api->conn_count; i++) {
        if (api->conns[i]->deadline_ns < least)
            least = api->conns[i]->deadline_ns;
    }
    if (least == UINT64_MAX)
        return -1;
    uint64_t now = clock_now_ns();
    return least <= now ? 0 : (int)((least - now) / NS_PER_MS + 1);
}

static void check_deadlines(struct api *api)
{
    for (unsigned int i = 0; i < api->conn_count; i++) {
        struct api_conn *conn = api->conns[i];
        if (conn->state == API_CLOSED || conn->deadline_ns > api->now_ns)
            continue;
        if (conn->state == API_FOLLOW)
            api_conn_write(api, conn);
        else
            api_conn_timeout(api, conn);
    }
}

static int add_source(struct api *api, int fd, void *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    return epoll_ctl(api->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int serve(struct api *api)
{
    while (!api->ended) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(api->epoll, events, EVENTS_MAX, next_timeout(api));
        if (count < 0 && errno != EINTR) {
            log_error("wait for events: %s", strerror(errno));
            return 1;
        }
        api->now_ns = clock_now_ns();
        api_take_link(api);
        for (int i = 0; i < count; i++) {
            void *source = events[i].data.ptr;
            if (source == &source_link)
                continue;
            if (source == &source_listener)
                listener_event(api);
            else if (source == &source_handoff)
                handoff_event(api);
            else
                api_conn_event(api, source, events[i].events);
        }
        check_deadlines(api);
        api_conns_reap(api);
    }
    return 0;
}

static int prepare(struct api *api)
{
    api->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (api->epoll < 0)
        return -errno;
    int rc = add_source(api, api->options.link, &source_link);
    if (rc == 0)
        rc = add_source(api, api->options.listener, &source_listener);
    if (rc == 0)
        rc = add_source(api, api->options.handoff, &source_handoff);
    return rc;
}

int api_main(const struct api_options *options)
{
    struct api *api = calloc(1, sizeof(*api));
    if (api == NULL)
        return 1;
    api->options = *options;
    api->table.stats = options->stats;
    api->now_ns = clock_now_ns();
    int status = 1;
    int rc = prepare(api);
    if (rc == 0)
        status = serve(api);
    else
        log_error("prepare for events: %s", strerror(-rc));
    api_conns_end(api);
    api_table_free(&api->table);
    fd_close(&api->epoll);
    free(api);
    return status;
}
