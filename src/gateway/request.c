/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a complete, parsed head to an answer or a call, and the way of a body: from the socket
 * through the connection's stage into the program's stdin.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/packet.h"
#include "gateway/core.h"
#include "gateway/text.h"

#define HANDOFF_MAGIC UINT32_C(0x31464f48)

static const char root_text[] =
    "Skerry runs each request to a function in a sandbox of its own.\n"
    "\n"
    "  POST /function/NAME[/path][?query]  run a function (NAME.TENANT for another tenant's)\n"
    "  GET  /healthz                       whether this gateway serves\n"
    "  GET  /metrics                       figures for Prometheus\n"
    "       /system/...                    administration (OpenFaaS API, needs the password)\n"
    "\n"
    "Deploy one with: skerry deploy NAME --exec FILE";

/* An answer without a call, with its record. */
static void answer(struct gateway *gw, struct conn *conn, int status, const char *text)
{
    conn_name(gw, conn);
    record_reply(gw, conn, status, status == 200 ? NULL : text);
    conn_reply(gw, conn, status, text, false);
}

/* The whole connection goes to the API process, with the bytes that were read of it. */
static void handoff(struct gateway *gw, struct conn *conn)
{
    struct handoff_head head = {.magic = HANDOFF_MAGIC, .bytes = conn->raw_to};
    struct iovec parts[2] = {{&head, sizeof(head)}, {conn->in, conn->raw_to}};
    int rc =
        gw->api < 0 ? -EPIPE : packet_send(gw->api, parts, 2, &conn->watch.fd, 1, MSG_DONTWAIT);
    if (rc == 0) {
        watch_set(gw, &conn->watch, 0); /* the API process holds it too: closing does not do it */
        conn_close(gw, conn);
        return;
    }
    answer(gw, conn, 503, "the administration interface cannot take the request now");
}

static bool metrics_label(const void *arg, uint32_t index, const char **out_name,
                          const char **out_tenant)
{
    const struct gateway *gw = arg;
    const struct function *function = &gw->functions[index];
    *out_name = function->spec.name;
    *out_tenant = function->spec.tenant;
    return function->present;
}

/*
 * /metrics is written piece by piece into the connection's own buffer, whose request is done with.
 * So bytes that came after it are lost and the connection ends.
 */
static void metrics_begin(struct gateway *gw, struct conn *conn)
{
    struct text out = text_over(conn->reply, sizeof(conn->reply));
    char id[CALL_ID_TEXT];
    conn_name(gw, conn);
    call_id_text(gw, conn->id, id);
    conn->keep_alive = conn->keep_alive && conn->body.done && conn->raw_from == conn->raw_to &&
                       !conn->http10 && !gw->draining;
    text_put(&out, "HTTP/1.1 200 OK\r\nDate: ");
    text_put(&out, date_text(gw));
    text_put(&out, "\r\nX-Call-Id: ");
    text_put(&out, id);
    text_put(&out, "\r\nX-Duration-Seconds: ");
    text_seconds(&out, clock_now_ns() - conn->accepted_ns);
    text_put(&out, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8");
    if (!conn->http10)
        text_put(&out, "\r\nTransfer-Encoding: chunked");
    if (!conn->keep_alive)
        text_put(&out, "\r\nConnection: close");
    text_put(&out, "\r\n\r\n");
    record_reply(gw, conn, 200, NULL);
    conn->raw_from = conn->raw_to = conn->head_size = 0;
    conn->touched = true;
    gw->parsed_for = NULL;
    conn->metrics = (struct metrics_cursor){0};
    conn->state = conn->is_head ? CONN_WRITE : CONN_METRICS;
    conn_send(gw, conn, conn->reply, (size_t)(out.at - conn->reply), NULL, 0);
}

bool request_metrics(struct gateway *gw, struct conn *conn)
{
    const size_t lead = 8, room = 32 * 1024;
    size_t size =
        metrics_write(gw->stats, metrics_label, gw, &conn->metrics, conn->in + lead, room);
    if (size == 0) {
        conn->state = CONN_WRITE;
        conn_send(gw, conn, NULL, 0, "0\r\n\r\n", conn->http10 ? 0 : 5);
        return true;
    }
    if (conn->http10) {
        conn_send(gw, conn, NULL, 0, conn->in + lead, size);
        return true;
    }
    struct text chunk = text_over(conn->in, lead);
    text_hex(&chunk, size, 6);
    text_put(&chunk, "\r\n");
    memcpy(conn->in + lead + size, "\r\n", 2);
    conn_send(gw, conn, NULL, 0, conn->in, lead + size + 2);
    return true;
}

static void call_begin(struct gateway *gw, struct conn *conn)
{
    struct function *function = function_find(gw, gw->route.name, gw->route.tenant);
    if (function == NULL) {
        answer(gw, conn, 404, "there is no such function");
        return;
    }
    if (gw->draining) {
        answer(gw, conn, 503, "this gateway is being shut down");
        return;
    }
    struct call *call = call_open(gw, conn, function);
    if (call == NULL) {
        answer(gw, conn, 503, "too many calls are in flight");
        return;
    }
    conn->state = CONN_CALL;
    if (gw->request.has_length && gw->request.content_length > call->limits.max_body_bytes) {
        call_note(call, 413, "the request's body is larger than the function allows");
        call_event(gw, call, LIFE_EV_REFUSED);
        return;
    }
    if (function->failed) {
        call_note(call, 503, function_failed_text);
        call_event(gw, call, LIFE_EV_REFUSED);
        return;
    }
    if (conn->body.done)
        return;
    if (!function_has_room(function)) { /* before the body: the client may save sending it */
        call_event(gw, call, LIFE_EV_NO_ROOM);
        return;
    }
    wheel_set(&gw->wheel, &conn->timer, gw->now_ns + GATHER_TIMEOUT_NS);
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (gw->request.expects_continue && conn->raw_from == conn->raw_to)
        conn_send(gw, conn, go_on, sizeof(go_on) - 1, NULL, 0);
}

void request_begin(struct gateway *gw, struct conn *conn)
{
    const struct http_request *request = &gw->request;
    stats_add(&gw->stats->requests, 1);
    conn->keep_alive = request->keep_alive;
    conn->is_head = request->is_head;
    conn->http10 = request->minor == 0;
    conn->takes_trailers = request->takes_trailers;
    conn->bytes_in = conn->bytes_out = 0;
    http_body_init(&conn->body, request);
    switch (gw->route.kind) {
    case ROUTE_FUNCTION:
        call_begin(gw, conn);
        return;
    case ROUTE_SYSTEM:
        handoff(gw, conn);
        return;
    case ROUTE_METRICS:
        metrics_begin(gw, conn);
        return;
    case ROUTE_HEALTH:
        answer(gw, conn, gw->draining ? 503 : 200, gw->draining ? "draining" : "OK");
        return;
    case ROUTE_ROOT:
        answer(gw, conn, 200, root_text);
        return;
    default:
        answer(gw, conn, 404, "there is nothing at this path");
        return;
    }
}

/* Writes staged bytes into the program's stdin. True: something moved. */
static bool body_feed(struct gateway *gw, struct conn *conn)
{
    struct call *call = conn->call;
    uint32_t staged = conn->stage_to - conn->stage_from;
    if (!call->started)
        return false;
    if (call->in_gone) { /* the program does not read any more: the rest is dropped */
        conn->stage_from = conn->stage_to = conn->head_size;
        return staged > 0;
    }
    if (staged > 0 && !call->in_blocked) {
        ssize_t n = write(call->in.fd, conn->in + conn->stage_from, staged);
        if (n < 0 && errno == EAGAIN) {
            call->in_blocked = true;
            watch_set(gw, &call->in, EPOLLOUT | EPOLLET);
            return false;
        }
        if (n < 0) {
            watch_close(&call->in);
            call->in_gone = true;
            return true;
        }
        function_worked(gw, call, (size_t)n);
        conn->stage_from += (uint32_t)n;
        staged -= (uint32_t)n;
    }
    if (staged > 0)
        return false;
    bool moved = conn->stage_to > conn->head_size;
    conn->stage_from = conn->stage_to = conn->head_size;
    if (conn->body.done) {
        watch_close(&call->in); /* end of file: the body is whole */
        call->in_gone = true;
    }
    return moved;
}

/* Decodes raw bytes into the stage. False: the body is refused. */
static bool body_take(struct gateway *gw, struct conn *conn)
{
    struct call *call = conn->call;
    const char *why = NULL;
    size_t size = 0;
    ssize_t used =
        http_body_decode(&conn->body, conn->in + conn->raw_from, conn->raw_to - conn->raw_from,
                         conn->in + conn->stage_to, &size, &why);
    if (used < 0)
        call_note(call, 400, why);
    else if (conn->body.total > call->limits.max_body_bytes)
        call_note(call, 413, "the request's body is larger than the function allows");
    if (used < 0 || conn->body.total > call->limits.max_body_bytes) {
        conn->body.done = false;
        conn->keep_alive = false;
        call_event(gw, call, LIFE_EV_REFUSED);
        return false;
    }
    conn->stage_to += (uint32_t)size;
    conn->bytes_in += size;
    conn->raw_from += (uint32_t)used;
    if (!conn->body.done)
        conn->raw_from = conn->raw_to = conn->stage_to; /* all of it was consumed */
    return true;
}

bool body_progress(struct gateway *gw, struct conn *conn)
{
    struct call *call = conn->call;
    bool moved = body_feed(gw, conn);
    if (!conn->body.done && conn->stage_to - conn->stage_from < BODY_STAGE_MAX) {
        if (conn->raw_from == conn->raw_to) {
            conn->raw_from = conn->raw_to = conn->stage_to;
            /* At most as much as may have to be handed off with the next request. */
            uint32_t limit = conn->raw_to + HANDOFF_BYTES_MAX;
            if (conn_read(gw, conn, limit < CONN_IN_ROOM ? limit : CONN_IN_ROOM) < 0)
                return false;
        }
        if (conn->raw_to > conn->raw_from) {
            moved = true;
            if (!body_take(gw, conn))
                return true;
        }
    }
    bool enough = conn->body.done || conn->stage_to - conn->head_size >= BODY_STAGE_MAX ||
                  (call->flags & FUNCTION_STREAM);
    if (call->state == LIFE_GATHERING && enough) {
        wheel_clear(&gw->wheel, &conn->timer);
        call_event(gw, call, LIFE_EV_READY);
        return true;
    }
    return moved;
}
