/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One admin connection: reads one request, sends one answer, closes.
 *
 * The head is parsed by the gateway's strict parser. Authorization is checked before a body is
 * read. After the answer our side is shut and what the client still sends is dropped for a moment:
 * closing at once would reset the connection and could destroy the answer on its way.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "control/api_core.h"

#define READ_SIZE (64u * 1024u)

static void set_events(struct api *api, struct api_conn *conn, uint32_t events)
{
    if (conn->events == events || conn->fd < 0)
        return;
    struct epoll_event event = {.events = events, .data.ptr = conn};
    epoll_ctl(api->epoll, EPOLL_CTL_MOD, conn->fd, &event);
    conn->events = events;
}

/*
 * Out of the epoll set first: the gateway that handed the connection over may not have closed its
 * own descriptor yet, and until then closing ours ends no registration. An event would come for a
 * connection that is freed.
 */
static void conn_close(struct api *api, struct api_conn *conn)
{
    if (conn->fd >= 0)
        epoll_ctl(api->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    fd_close(&conn->fd);
    conn->state = API_CLOSED;
}

static void conn_free(struct api *api, struct api_conn *conn)
{
    conn_close(api, conn);
    free(conn->in);
    free(conn->body_text);
    free(conn->out);
    free(conn->log);
    free(conn);
}

void api_conns_reap(struct api *api)
{
    for (unsigned int i = 0; i < api->conn_count;) {
        if (api->conns[i]->state != API_CLOSED) {
            i++;
            continue;
        }
        conn_free(api, api->conns[i]);
        api->conns[i] = api->conns[--api->conn_count];
    }
}

void api_conns_end(struct api *api)
{
    while (api->conn_count > 0)
        conn_free(api, api->conns[--api->conn_count]);
}

/* Room for size more bytes and a NUL. */
static bool reserve(char **data, size_t *room, size_t used, size_t size)
{
    if (*room - used > size && *data != NULL)
        return true;
    size_t wanted = (used + size + 1) * 2;
    char *grown = realloc(*data, wanted);
    if (grown == NULL)
        return false;
    *data = grown;
    *room = wanted;
    return true;
}

bool api_conn_append(struct api *api, struct api_conn *conn, const char *data, size_t size)
{
    (void)api;
    if (conn->state == API_CLOSED)
        return false;
    if (!reserve(&conn->out, &conn->out_room, conn->out_size, size)) {
        conn_close(api, conn);
        return false;
    }
    memcpy(conn->out + conn->out_size, data, size);
    conn->out_size += size;
    return true;
}

static void finish(struct api *api, struct api_conn *conn)
{
    shutdown(conn->fd, SHUT_WR);
    conn->state = API_LINGER;
    conn->deadline_ns = api->now_ns + API_LINGER_NS;
    set_events(api, conn, EPOLLIN);
}

void api_conn_wait(struct api *api, struct api_conn *conn, uint64_t request_id, int success)
{
    conn->request_id = request_id;
    conn->success = success;
    conn->state = API_WAIT;
    conn->deadline_ns = api->now_ns + API_TIMEOUT_NS;
    set_events(api, conn, 0); /* its end is told all the same */
}

void api_conn_follow(struct api *api, struct api_conn *conn, uint64_t again_ns)
{
    conn->state = API_FOLLOW;
    conn->deadline_ns = again_ns;
    set_events(api, conn, EPOLLIN | EPOLLRDHUP);
}

/* Sends what is there. True when all is sent, false when the rest must wait or it is closed. */
static bool flush(struct api *api, struct api_conn *conn)
{
    while (conn->out_sent < conn->out_size) {
        ssize_t n = send(conn->fd, conn->out + conn->out_sent, conn->out_size - conn->out_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            set_events(api, conn, EPOLLOUT);
            return false;
        }
        if (n < 0) {
            conn_close(api, conn);
            return false;
        }
        conn->out_sent += (size_t)n;
    }
    conn->out_size = conn->out_sent = 0;
    return true;
}

void api_conn_write(struct api *api, struct api_conn *conn)
{
    if (conn->state == API_CLOSED)
        return;
    conn->state = API_WRITE;
    conn->deadline_ns = api->now_ns + API_TIMEOUT_NS;
    while (flush(api, conn)) {
        if (conn->log == NULL) {
            finish(api, conn);
            return;
        }
        if (!api_logs_next(api, conn))
            return;
    }
}

static void begin_head(struct api *api, struct api_conn *conn, int status, const char *type,
                       const char *more)
{
    char head[512];
    int size = snprintf(head, sizeof(head),
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\n"
                        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n%s\r\n",
                        status, http_reason(status), type, more);
    api_conn_append(api, conn, head, (size_t)size);
}

static void answer(struct api *api, struct api_conn *conn, int status, const char *type,
                   const char *headers, const char *body, size_t size)
{
    char more[256];
    snprintf(more, sizeof(more), "%sContent-Length: %zu\r\n", headers, size);
    begin_head(api, conn, status, type, more);
    if (conn->state != API_CLOSED && !conn->is_head)
        api_conn_append(api, conn, body, size);
    api_conn_write(api, conn);
}

void api_conn_begin_stream(struct api *api, struct api_conn *conn, const char *type)
{
    begin_head(api, conn, 200, type, "");
}

void api_answer_json(struct api *api, struct api_conn *conn, int status, json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(10));
    json_decref(json);
    if (text == NULL) {
        api_answer_refusal(api, conn, 500, NULL, "out of memory");
        return;
    }
    size_t size = strlen(text);
    text[size] = '\n'; /* a terminal's prompt then stands on its own line */
    answer(api, conn, status, "application/json", "", text, size + 1);
    free(text);
}

void api_answer_text(struct api *api, struct api_conn *conn, int status, const char *text)
{
    answer(api, conn, status, "text/plain; charset=utf-8", "", text, strlen(text));
}

void api_answer_refusal(struct api *api, struct api_conn *conn, int status, const char *allow,
                        const char *text)
{
    char headers[128] = "";
    char body[ERR_TEXT_MAX * 2];
    if (status == 401)
        snprintf(headers, sizeof(headers), "WWW-Authenticate: Basic realm=\"skerry\"\r\n");
    if (status == 503)
        snprintf(headers, sizeof(headers), "Retry-After: 1\r\n");
    if (allow != NULL)
        snprintf(headers, sizeof(headers), "Allow: %s\r\n", allow);
    /* written by jansson, which escapes; a sentence that quotes bytes that are not UTF-8 is
     * replaced */
    json_t *json = json_pack("{s:s}", "error", text);
    if (json == NULL)
        json = json_pack("{s:s}", "error", "the request has a value that is not UTF-8");
    size_t size = json == NULL ? 0 : json_dumpb(json, body, sizeof(body) - 1, JSON_COMPACT);
    json_decref(json);
    if (size > sizeof(body) - 1)
        size = 0;
    body[size] = '\n';
    answer(api, conn, status, "application/json", headers, body, size + 1);
}

void api_answer_error(struct api *api, struct api_conn *conn, int status, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    api_answer_refusal(api, conn, status, NULL, text);
}

/* The head is complete: checks it and who sends it. False when it is answered. */
static bool take_head(struct api *api, struct api_conn *conn, size_t size)
{
    conn->head_size = size;
    int status = http_head_parse(conn->in, size, &conn->request);
    if (status != 0) {
        api_answer_refusal(api, conn, status, NULL, conn->request.why);
        return false;
    }
    conn->head_done = true;
    conn->is_head = conn->request.is_head;
    http_body_init(&conn->body, &conn->request);
    if (!api_request_allowed(api, conn))
        return false;
    if (conn->request.has_length && conn->request.content_length > API_BODY_MAX) {
        api_answer_error(api, conn, 413, "the request is larger than %u bytes", API_BODY_MAX);
        return false;
    }
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (conn->request.expects_continue && conn->in_size == size && !conn->body.done)
        (void)!send(conn->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return true;
}

/* Moves what came after the head into body_text, decoded. False when the connection is done with.
 */
static bool take_body(struct api *api, struct api_conn *conn)
{
    char *raw = conn->in + conn->head_size;
    size_t size = conn->in_size - conn->head_size;
    size_t decoded = 0;
    const char *why = NULL;
    conn->in_size = conn->head_size; /* what is beyond the end of the message is ignored */
    if (conn->body.done || size == 0)
        return true;
    if (!reserve(&conn->body_text, &conn->body_room, conn->body_size, size)) {
        conn_close(api, conn);
        return false;
    }
    if (http_body_decode(&conn->body, raw, size, conn->body_text + conn->body_size, &decoded,
                         &why) < 0) {
        api_answer_refusal(api, conn, 400, NULL, why);
        return false;
    }
    conn->body_size += decoded;
    if (conn->body_size > API_BODY_MAX) {
        api_answer_error(api, conn, 413, "the request is larger than %u bytes", API_BODY_MAX);
        return false;
    }
    return true;
}

static bool scan_head(struct api *api, struct api_conn *conn)
{
    const char *why = NULL;
    int size = http_head_scan(&conn->scan, conn->in, conn->in_size, &why);
    if (size == 2) { /* RFC 9112 section 2.2: an empty line before the request is skipped */
        conn->in_size -= 2;
        memmove(conn->in, conn->in + 2, conn->in_size);
        memset(&conn->scan, 0, sizeof(conn->scan));
        size = http_head_scan(&conn->scan, conn->in, conn->in_size, &why);
    }
    if (size == 2) {
        size = -400;
        why = "only empty lines where a request should begin";
    }
    if (size < 0) {
        api_answer_refusal(api, conn, -size, NULL, why);
        return false;
    }
    return size == 0 || take_head(api, conn, (size_t)size);
}

/* Goes on with what was read so far. */
static void take(struct api *api, struct api_conn *conn)
{
    if (!conn->head_done && !scan_head(api, conn))
        return;
    if (!conn->head_done || !take_body(api, conn) || !conn->body.done)
        return;
    api_request(api, conn);
}

static void read_some(struct api *api, struct api_conn *conn)
{
    while (conn->state == API_READ) {
        ssize_t n =
            recv(conn->fd, conn->in + conn->in_size, conn->in_room - conn->in_size, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            conn_close(api, conn);
            return;
        }
        conn->in_size += (size_t)n;
        take(api, conn);
    }
}

/* Drops what the client still sends; it closes when it has read the answer. */
static void drop_some(struct api *api, struct api_conn *conn)
{
    char waste[4096];
    for (int i = 0; i < 16; i++) {
        ssize_t n = recv(conn->fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            conn_close(api, conn);
            return;
        }
    }
}

void api_conn_event(struct api *api, struct api_conn *conn, uint32_t events)
{
    switch (conn->state) {
    case API_READ:
        read_some(api, conn);
        break;
    case API_WRITE:
        if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            api_conn_write(api, conn);
        break;
    case API_WAIT: /* nobody waits for the answer any more; what was asked for happens all the same
                    */
        if (events & (EPOLLHUP | EPOLLERR))
            conn_close(api, conn);
        break;
    case API_FOLLOW: /* the client sends nothing any more: this is its end */
    case API_LINGER:
        drop_some(api, conn);
        break;
    case API_CLOSED:
        break;
    }
}

void api_conn_timeout(struct api *api, struct api_conn *conn)
{
    if (conn->state == API_READ && conn->in_size > 0)
        api_answer_error(api, conn, 408, "the request did not arrive within %u seconds",
                         (unsigned int)(API_READ_TIMEOUT_NS / NS_PER_SEC));
    else if (conn->state == API_WAIT)
        api_answer_error(api, conn, 504, "the daemon did not answer in time");
    else
        conn_close(api, conn);
}

void api_conn_open(struct api *api, int fd, bool trusted, const char *bytes, size_t size)
{
    fd_owner owned = fd;
    if (api->conn_count == API_CONNS_MAX || size > READ_SIZE)
        return;
    struct api_conn *conn = calloc(1, sizeof(*conn));
    char *in = malloc(HTTP_HEAD_MAX + READ_SIZE);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (conn == NULL || in == NULL || epoll_ctl(api->epoll, EPOLL_CTL_ADD, owned, &event) < 0) {
        free(conn);
        free(in);
        return;
    }
    conn->fd = fd_steal(&owned);
    conn->events = EPOLLIN;
    conn->trusted = trusted;
    conn->deadline_ns = api->now_ns + API_READ_TIMEOUT_NS;
    conn->in = in;
    conn->in_room = HTTP_HEAD_MAX + READ_SIZE;
    memcpy(conn->in, bytes, size);
    conn->in_size = size;
    api->conns[api->conn_count++] = conn;
    if (size > 0)
        take(api, conn);
    if (conn->state == API_READ)
        read_some(api, conn);
}
