/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: bytes in, bytes out, one request at a time.
 *
 * A connection's socket is registered once, edge-triggered, so that an ordinary request costs no
 * epoll_ctl: `readable` remembers an edge until a short read says that the socket is empty. Its
 * buffer holds the head (which must stay until the call is started), then the decoded body that
 * waits for the program, then raw bytes of the next request; nothing beyond is read, which is the
 * back-pressure.
 *
 * A client that shuts its sending side while it waits counts as gone, as in other gateways: the
 * kernel does not tell us a half-closed peer from a closed one until we write.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/core.h"
#include "gateway/text.h"

#define ACCEPTS_MAX 16 /* connections before those that are there get their turn */
#define ROUNDS_MAX  2  /* steps of one connection before the others get their turn */
#define PAGE        4096u

static const uint32_t conn_events = EPOLLIN | EPOLLRDHUP | EPOLLET;

static void peer_name(struct conn *conn, const struct sockaddr_storage *peer)
{
    const void *address = NULL;
    conn->remote_port = 0;
    strcpy(conn->remote_addr, "unix:");
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
        address = &v4->sin_addr;
        conn->remote_port = ntohs(v4->sin_port);
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
        address = &v6->sin6_addr;
        conn->remote_port = ntohs(v6->sin6_port);
    }
    if (address != NULL)
        inet_ntop(peer->ss_family, address, conn->remote_addr, sizeof(conn->remote_addr));
}

static void conn_open(struct gateway *gw, struct conn *conn, int fd, unsigned int listener,
                      const struct sockaddr_storage *peer)
{
    gw->conns_used++;
    conn->watch = (struct watch){.fd = fd, .kind = WATCH_CONN, .owner = conn};
    conn->state = CONN_HEAD;
    conn->lane = &gw->lanes.lane[0];
    conn->call = NULL;
    conn->parsed = conn->readable = conn->hung = conn->blocked = conn->blank_line = false;
    conn->head_size = conn->stage_from = conn->stage_to = conn->raw_from = conn->raw_to = 0;
    conn->scan = (struct http_scan){0};
    conn->body = (struct http_body){.done = true};
    conn->out[0].iov_len = conn->out[1].iov_len = 0;
    conn->server_port = gw->listener_ports[listener];
    peer_name(conn, peer);
    watch_set(gw, &conn->watch, conn_events);
    wheel_set(&gw->wheel, &conn->timer, gw->now_ns + HEAD_TIMEOUT_NS);
    list_append(&gw->conns_idle, &conn->idle);
    stats_add(&gw->stats->connections, 1);
}

/* No place for another one: the longest idle goes, else we wait until one is given back. */
static void accept_full(struct gateway *gw)
{
    if (list_is_empty(&gw->conns_idle))
        accept_pause(gw, 0);
    else
        conn_close(gw, LIST_OWNER(gw->conns_idle.next, struct conn, idle));
}

void conn_accept(struct gateway *gw, unsigned int listener)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct conn *conn = conn_take(gw);
        if (conn == NULL) {
            if (i == 0) /* else nobody may be waiting any more: the next event tells */
                accept_full(gw);
            return;
        }
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof(peer);
        int fd = accept4(gw->listeners[listener].fd, (struct sockaddr *)&peer, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            list_append(gw->conns_free.next, &conn->node);
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                accept_pause(gw, ACCEPT_PAUSE_NS);
            if (errno != ECONNABORTED && errno != EINTR)
                return;
            continue;
        }
        conn_open(gw, conn, fd, listener, &peer);
    }
}

void conn_mark(struct gateway *gw, struct conn *conn)
{
    if (conn->marked)
        return;
    conn->marked = true;
    list_append(&conn->lane->conns, &conn->node);
    lane_wake(&gw->lanes, conn->lane);
}

/* Gives back what a large request has touched; the first page stays for the next. */
static void buffer_trim(struct conn *conn)
{
    if (conn->touched && conn->index >= POOL_HOT)
        madvise(conn->in + PAGE, CONN_IN_ROOM - PAGE, MADV_DONTNEED);
    conn->touched = false;
}

void conn_close(struct gateway *gw, struct conn *conn)
{
    if (conn->state == CONN_FREE)
        return;
    conn->state = CONN_FREE;
    if (conn->call != NULL)
        call_event(gw, conn->call, LIFE_EV_GONE);
    conn->call = NULL;
    watch_close(&conn->watch);
    wheel_clear(&gw->wheel, &conn->timer);
    list_remove(&conn->idle);
    if (gw->parsed_for == conn)
        gw->parsed_for = NULL;
    buffer_trim(conn);
    if (conn->marked)
        list_remove(&conn->node);
    conn->marked = false;
    list_append(&gw->conns_given_back, &conn->node);
}

void conn_abort(struct gateway *gw, struct conn *conn)
{
    /* Chunks without a last one say that the answer is not whole; an HTTP/1.0 client needs a reset.
     */
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (conn->http10)
        setsockopt(conn->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    conn_close(gw, conn);
}

bool conn_is_sending(const struct conn *conn)
{
    return conn->out[0].iov_len + conn->out[1].iov_len > 0;
}

void conn_send(struct gateway *gw, struct conn *conn, const char *head, size_t head_size,
               const char *body, size_t body_size)
{
    conn->out[0] = (struct iovec){(void *)(uintptr_t)head, head_size};
    conn->out[1] = (struct iovec){(void *)(uintptr_t)body, body_size};
    conn_mark(gw, conn);
}

/* 1: all is sent; 0: the socket is full; -1: the connection is dead (and closed). */
static int conn_flush(struct gateway *gw, struct conn *conn)
{
    while (conn_is_sending(conn)) {
        struct msghdr message = {.msg_iov = conn->out, .msg_iovlen = 2};
        if (conn->out[0].iov_len == 0) {
            message.msg_iov = &conn->out[1];
            message.msg_iovlen = 1;
        } else if (conn->out[1].iov_len == 0) {
            message.msg_iovlen = 1;
        }
        ssize_t n = sendmsg(conn->watch.fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            if (!conn->blocked) {
                watch_set(gw, &conn->watch, conn_events | EPOLLOUT);
                wheel_set(&gw->wheel, &conn->timer, gw->now_ns + WRITE_TIMEOUT_NS);
                conn->stalled = 0;
            }
            conn->blocked = true;
            return 0;
        }
        if (n < 0) {
            conn_close(gw, conn);
            return -1;
        }
        conn->bytes_out += (uint64_t)n;
        conn->stalled += (uint32_t)n;
        for (int i = 0; i < 2; i++) {
            size_t taken = (size_t)n < conn->out[i].iov_len ? (size_t)n : conn->out[i].iov_len;
            conn->out[i].iov_base = (char *)conn->out[i].iov_base + taken;
            conn->out[i].iov_len -= taken;
            n -= (ssize_t)taken;
        }
    }
    if (conn->blocked) {
        watch_set(gw, &conn->watch, conn_events);
        wheel_clear(&gw->wheel, &conn->timer);
        conn->blocked = false;
    }
    return 1;
}

ssize_t conn_read(struct gateway *gw, struct conn *conn, uint32_t limit)
{
    if (!conn->readable || conn->raw_to >= limit)
        return 0;
    uint32_t room = limit - conn->raw_to;
    ssize_t n = recv(conn->watch.fd, conn->in + conn->raw_to, room, 0);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n < 0 && errno == EAGAIN) {
        conn->readable = false;
        return 0;
    }
    if (n <= 0) {
        conn->hung = true;
        if (conn->state != CONN_HEAD || n < 0) {
            conn_close(gw, conn);
            return -1;
        }
        conn->readable = false;
        return 0;
    }
    if ((uint32_t)n < room && !conn->hung)
        conn->readable = false; /* a short read: the next bytes bring a new edge */
    conn->raw_to += (uint32_t)n;
    conn->touched |= conn->raw_to > PAGE;
    return n;
}

void conn_request(struct gateway *gw, struct conn *conn)
{
    if (gw->parsed_for == conn)
        return;
    const char *why;
    gw->parsed_for = conn;
    if (http_head_parse(conn->in, conn->head_size, &gw->request) == 0)
        route_parse(gw->request.path, &gw->route, &why);
}

void conn_name(struct gateway *gw, struct conn *conn)
{
    conn->id = ++gw->last_call << 16 | 0xffff; /* no call has this index */
}

void conn_reply(struct gateway *gw, struct conn *conn, int status, const char *text, bool close)
{
    struct text out = text_over(conn->reply, sizeof(conn->reply));
    char id[CALL_ID_TEXT];
    if (close || !conn->body.done || gw->draining || conn->hung)
        conn->keep_alive = false;
    call_id_text(gw, conn->id, id);
    text_put(&out, "HTTP/1.1 ");
    text_uint(&out, (uint64_t)status);
    text_char(&out, ' ');
    text_put(&out, http_reason(status));
    text_put(&out, "\r\nDate: ");
    text_put(&out, date_text(gw));
    text_put(&out, "\r\nX-Call-Id: ");
    text_put(&out, id);
    text_put(&out, "\r\nX-Duration-Seconds: ");
    text_seconds(&out, clock_now_ns() - conn->accepted_ns);
    if (!conn->keep_alive)
        text_put(&out, "\r\nConnection: close");
    else if (conn->http10)
        text_put(&out, "\r\nConnection: keep-alive");
    if (status == 429 || status == 503)
        text_put(&out, "\r\nRetry-After: 1");
    text_put(&out, "\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff"
                   "\r\nContent-Length: ");
    text_uint(&out, strlen(text) + 1);
    text_put(&out, "\r\n\r\n");
    if (!conn->is_head) {
        text_put(&out, text);
        text_char(&out, '\n');
    }
    conn->state = CONN_WRITE;
    conn_send(gw, conn, conn->reply, (size_t)(out.at - conn->reply), NULL, 0);
}

/* The answer is sent: on to the next request, whose bytes may be here, or the end. */
static bool conn_next(struct gateway *gw, struct conn *conn)
{
    if (conn->call != NULL)
        call_event(gw, conn->call, LIFE_EV_ANSWERED);
    if (gw->parsed_for == conn)
        gw->parsed_for = NULL;
    if (!conn->keep_alive || gw->draining) {
        if (conn->hung || (conn->body.done && conn->raw_from == conn->raw_to && !conn->readable)) {
            conn_close(gw, conn);
            return false;
        }
        /* Closing with unread bytes resets the connection, and the answer may be lost with it. */
        shutdown(conn->watch.fd, SHUT_WR);
        conn->state = CONN_LINGER;
        wheel_set(&gw->wheel, &conn->timer, gw->now_ns + LINGER_NS);
        return true;
    }
    uint32_t left = conn->raw_to - conn->raw_from;
    memmove(conn->in, conn->in + conn->raw_from, left);
    conn->raw_from = 0;
    conn->raw_to = left;
    conn->head_size = conn->stage_from = conn->stage_to = 0;
    conn->scan = (struct http_scan){0};
    conn->blank_line = false;
    conn->state = CONN_HEAD;
    if (left == 0) {
        buffer_trim(conn);
        list_append(&gw->conns_idle, &conn->idle);
    }
    wheel_set(&gw->wheel, &conn->timer,
              gw->now_ns + (left > 0 ? HEAD_TIMEOUT_NS : IDLE_TIMEOUT_NS));
    return true;
}

/* A head that is refused: the connection's framing cannot be trusted any more, so it ends. */
static void head_refuse(struct gateway *gw, struct conn *conn, int status, const char *why)
{
    stats_add(&gw->stats->bad_requests, 1);
    stats_add(&gw->stats->requests, 1);
    conn->accepted_ns = gw->now_ns;
    conn_name(gw, conn);
    conn->http10 = conn->is_head = false;
    conn->body.done = false;
    if (gw->parsed_for == conn)
        gw->parsed_for = NULL;
    record_reply(gw, conn, status, why);
    conn_reply(gw, conn, status, why, true);
}

/*
 * The request that was parsed begins, unless its tenant is another one than was thought: then it
 * does so in that one's turn.
 */
static void head_begin(struct gateway *gw, struct conn *conn)
{
    struct lane *lane = conn->lane;
    conn_request(gw, conn);
    if (!conn->parsed && gw->route.kind == ROUTE_FUNCTION) {
        struct function *function = function_find(gw, gw->route.name, gw->route.tenant);
        if (function != NULL)
            lane = function->lane;
    }
    conn->parsed = lane != conn->lane;
    conn->lane = lane;
    if (!conn->parsed)
        request_begin(gw, conn);
}

static bool conn_head(struct gateway *gw, struct conn *conn)
{
    if (conn->parsed) {
        head_begin(gw, conn);
        return true;
    }
    bool fresh = conn->raw_to == 0;
    ssize_t n = conn_read(gw, conn, HANDOFF_BYTES_MAX);
    if (n < 0)
        return false;
    if (n > 0 && fresh) {
        list_remove(&conn->idle);
        wheel_set(&gw->wheel, &conn->timer, gw->now_ns + HEAD_TIMEOUT_NS);
    }
    const char *why = NULL;
    int size = http_head_scan(&conn->scan, conn->in, conn->raw_to, &why);
    if (size < 0) {
        head_refuse(gw, conn, -size, why);
        return true;
    }
    if (size == 0) {
        if (conn->hung && !conn->readable)
            conn_close(gw, conn);
        return conn->state == CONN_HEAD && n > 0 && conn->readable;
    }
    if (size == 2) { /* RFC 9112 2.2: an empty line before the request is passed over, one */
        if (conn->blank_line) {
            head_refuse(gw, conn, 400, "empty lines in place of a request");
            return true;
        }
        conn->blank_line = true;
        conn->raw_to -= 2;
        memmove(conn->in, conn->in + 2, conn->raw_to);
        conn->scan = (struct http_scan){0};
        return true;
    }
    conn->head_size = conn->raw_from = conn->stage_from = conn->stage_to = (uint32_t)size;
    conn->accepted_ns = clock_now_ns();
    wheel_clear(&gw->wheel, &conn->timer);
    int status = http_head_parse(conn->in, (size_t)size, &gw->request);
    if (status == 0) {
        gw->parsed_for = conn;
        status = route_parse(gw->request.path, &gw->route, &gw->request.why);
    }
    if (status != 0)
        head_refuse(gw, conn, status, gw->request.why);
    else
        head_begin(gw, conn);
    return true;
}

static bool conn_linger(struct gateway *gw, struct conn *conn)
{
    if (!conn->readable)
        return false;
    ssize_t n = recv(conn->watch.fd, gw->scratch, sizeof(gw->scratch), 0);
    if (n < 0 && errno == EAGAIN) {
        conn->readable = false;
        return false;
    }
    if (n <= 0)
        conn_close(gw, conn);
    return n > 0;
}

/* One step of whatever the connection is at. True: there may be more to do at once. */
static bool conn_step(struct gateway *gw, struct conn *conn)
{
    int flushed = conn_flush(gw, conn);
    if (flushed < 0)
        return false;
    switch (conn->state) {
    case CONN_HEAD:
        return conn_head(gw, conn);
    case CONN_CALL: {
        if (conn->hung && conn->body.done) {
            conn_close(gw, conn); /* nobody waits for this call any more */
            return false;
        }
        bool moved = body_progress(gw, conn);
        if (conn->state == CONN_CALL && conn->call->err_ready)
            call_err_progress(gw, conn->call);
        if (conn->state == CONN_CALL && conn->call->out_ready) {
            call_out_progress(gw, conn->call);
            moved = true; /* there may be something to send now */
        }
        if (conn->state == CONN_CALL && flushed > 0 && !conn_is_sending(conn))
            moved |= call_stream(gw, conn->call);
        return moved;
    }
    case CONN_WRITE:
        return flushed > 0 && conn_next(gw, conn);
    case CONN_METRICS:
        return flushed > 0 && request_metrics(gw, conn);
    case CONN_LINGER:
        return conn_linger(gw, conn);
    default:
        return false;
    }
}

/*
 * The connection stays marked meanwhile, so that what a step marks again goes on here and is
 * counted: a stream between a fast program and a fast client must not keep the others waiting.
 */
void conn_progress(struct gateway *gw, struct conn *conn)
{
    const struct lane *lane = conn->lane;
    bool more = true;
    for (int round = 0; round < ROUNDS_MAX && more && conn->lane == lane; round++) {
        more = conn_step(gw, conn);
        if (conn->state == CONN_FREE)
            return;
    }
    conn->marked = false;
    if (more)
        conn_mark(gw, conn);
}

void conn_event(struct gateway *gw, struct conn *conn, uint32_t events)
{
    if (conn->state == CONN_FREE)
        return;
    if (events & EPOLLIN)
        conn->readable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        conn->hung = true;
        conn->readable = true; /* what came before the end is read to its end */
    }
    if (events & (EPOLLHUP | EPOLLERR)) {
        conn_close(gw, conn);
        return;
    }
    conn_mark(gw, conn);
}

void conn_timeout(struct gateway *gw, struct conn *conn)
{
    switch (conn->state) {
    case CONN_HEAD:
        if (conn->raw_to == 0)
            conn_close(gw, conn); /* idle: nothing was asked */
        else
            head_refuse(gw, conn, 408, "the request's head did not come in time");
        return;
    case CONN_CALL:
        if (conn->call->state == LIFE_GATHERING) {
            call_event(gw, conn->call, LIFE_EV_DEADLINE);
            return;
        }
        break;
    default:
        break;
    }
    if (conn->state != CONN_LINGER && conn->stalled >= WRITE_PROGRESS) {
        conn->stalled = 0; /* slow, but it takes what we send */
        wheel_set(&gw->wheel, &conn->timer, gw->now_ns + WRITE_TIMEOUT_NS);
        return;
    }
    conn_close(gw, conn);
}
