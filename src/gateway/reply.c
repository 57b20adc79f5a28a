/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers of a call, from how it ended: the program's own (200, or what its CGI block says),
 * 500 with its exit status and the end of its stderr, 502 with the signal or the limit that killed
 * it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/cgi.h"
#include "gateway/core.h"
#include "gateway/text.h"

#define TYPE_UNKNOWN                                                                               \
    "application/octet-stream" /* plain output: the program did not say what it is */
#define TYPE_TEXT "text/plain; charset=utf-8"

/* Status line and the headers of every answer of a call. */
static void head_begin(struct gateway *gw, struct call *call, struct text *text,
                       struct http_span reason)
{
    struct conn *conn = call->conn;
    char id[CALL_ID_TEXT];
    call_id_text(gw, call->id, id);
    text_put(text, "HTTP/1.1 ");
    text_uint(text, call->status);
    text_char(text, ' ');
    if (reason.size > 0)
        text_bytes(text, reason.at, reason.size);
    else
        text_put(text, http_reason(call->status));
    text_put(text, "\r\nDate: ");
    text_put(text, date_text(gw));
    text_put(text, "\r\nX-Call-Id: ");
    text_put(text, id);
    text_put(text, "\r\nX-Duration-Seconds: ");
    text_seconds(text, clock_now_ns() - call->clock.at_ns[STAGE_ACCEPTED]);
    if (!conn->body.done || gw->draining || conn->hung)
        conn->keep_alive = false; /* the rest of the body would be taken for the next request */
    if (!conn->keep_alive)
        text_put(text, "\r\nConnection: close");
    else if (conn->http10)
        text_put(text, "\r\nConnection: keep-alive");
}

static void head_length(struct text *text, uint64_t length)
{
    text_put(text, "\r\nContent-Length: ");
    text_uint(text, length);
}

static void head_type(struct text *text, const char *type)
{
    text_put(text, "\r\nContent-Type: ");
    text_put(text, type);
}

/* Sends what `text` was written over: the head, and size bytes of body unless there must be none.
 */
static void answer_send(struct gateway *gw, struct call *call, struct text *text, const char *body,
                        size_t size)
{
    text_put(text, "\r\n\r\n");
    if (text->full) { /* cannot be: CGI_HEAD_MAX and our own headers fit */
        log_error("the head of an answer does not fit");
        conn_abort(gw, call->conn);
        return;
    }
    size_t head_size = (size_t)(text->at - call->head);
    if (call->conn->is_head || call->drop_body)
        size = 0;
    call->conn->state = CONN_WRITE;
    conn_send(gw, call->conn, call->head, head_size, body, size);
}

void call_answer_text(struct gateway *gw, struct call *call, int status, const char *why)
{
    struct text head = text_over(call->head, CALL_HEAD_ROOM);
    struct text body = text_over(call->body, CALL_BODY_ROOM);
    const struct link_function *spec = &call->function->spec;
    call->status = (uint16_t)status;
    if (call->function->incarnation == call->incarnation) {
        text_put(&body, spec->name);
        text_put(&body, ": ");
    }
    text_put(&body, why);
    text_char(&body, '\n');
    if (status == 500 && call->err_size > 0) {
        uint32_t tail = call->err_size < STDERR_TAIL ? call->err_size : STDERR_TAIL;
        text_char(&body, '\n');
        text_bytes(&body, call->err_text + call->err_size - tail, tail);
    }
    size_t size = (size_t)(body.at - call->body);
    head_begin(gw, call, &head, (struct http_span){NULL, 0});
    head_type(&head, TYPE_TEXT);
    text_put(&head, "\r\nX-Content-Type-Options: nosniff");
    if (status == 429 || status == 503)
        text_put(&head, "\r\nRetry-After: 1");
    if (call->report.kind == REPORT_EXIT && WIFEXITED(call->report.wait_status)) {
        text_put(&head, "\r\nX-Exit-Status: ");
        text_uint(&head, (uint64_t)WEXITSTATUS(call->report.wait_status));
    } else if (call->report.kind == REPORT_EXIT && WIFSIGNALED(call->report.wait_status)) {
        text_put(&head, "\r\nX-Exit-Signal: ");
        text_uint(&head, (uint64_t)WTERMSIG(call->report.wait_status));
    }
    head_length(&head, size);
    answer_send(gw, call, &head, call->body, size);
}

/* The program's CGI block if the function has one. False: refused, the answer is on its way. */
static bool cgi_take(struct gateway *gw, struct call *call, bool ended, struct cgi_head *cgi)
{
    cgi->status = 200;
    cgi->size = 0;
    cgi->header_count = 0;
    cgi->reason = (struct http_span){NULL, 0};
    cgi->has_type = cgi->has_length = false;
    if (!(call->flags & FUNCTION_CGI))
        return true;
    const char *why = NULL;
    struct cgi_head parsed;
    switch (cgi_parse(call->body + call->body_from, call->body_to - call->body_from, ended, &parsed,
                      &why)) {
    case CGI_HEAD:
        *cgi = parsed;
        return true;
    case CGI_BAD:
        call->why = why;
        call->result = STATS_FAILED;
        call_answer_text(gw, call, 502, why);
        return false;
    default:
        return true;
    }
}

static void head_cgi(struct text *text, const struct cgi_head *cgi)
{
    for (unsigned int i = 0; i < cgi->header_count; i++) {
        text_put(text, "\r\n");
        text_bytes(text, cgi->headers[i].name.at, cgi->headers[i].name.size);
        text_put(text, ": ");
        if (cgi->headers[i].value.size > 0)
            text_bytes(text, cgi->headers[i].value.at, cgi->headers[i].value.size);
    }
    if (!cgi->has_type && cgi->size == 0)
        head_type(text, TYPE_UNKNOWN);
}

static void answer_output(struct gateway *gw, struct call *call)
{
    struct cgi_head cgi;
    if (!cgi_take(gw, call, true, &cgi))
        return;
    call->status = (uint16_t)cgi.status;
    call->drop_body = cgi.status == 204 || cgi.status == 304;
    call->body_from += (uint32_t)cgi.size;
    uint64_t length = call->body_to - call->body_from;
    struct text text = text_over(call->head, CALL_HEAD_ROOM);
    head_begin(gw, call, &text, cgi.reason);
    head_cgi(&text, &cgi);
    if (call->conn->is_head && cgi.has_length && length == 0)
        length = cgi.length; /* what GET would give: the program knows, it wrote none */
    if (!call->drop_body)
        head_length(&text, length);
    answer_send(gw, call, &text, call->body + call->body_from, call->body_to - call->body_from);
}

int call_exit_judge(struct call *call)
{
    const struct exit_report *report = &call->report;
    int status = report->wait_status;
    char *room = call->why_room;
    call->why = room;
    call->result = STATS_FAILED;
    if (report->kind == REPORT_EXEC_FAILED) {
        snprintf(room, sizeof(call->why_room), "the program could not be executed: %s",
                 strerror(report->exec_errno));
        return 500;
    }
    if (report->kind == REPORT_BAD_START) {
        snprintf(room, sizeof(call->why_room), "the sandbox refused the start message");
        return 500;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        call->why = NULL;
        call->result = STATS_OK;
        return 0;
    }
    if (report->flags & REPORT_OOM) {
        snprintf(room, sizeof(call->why_room), "killed: it reached its memory limit of %llu MiB",
                 (unsigned long long)(call->limits.mem_bytes >> 20));
        call->result = STATS_OOM;
        return 502;
    }
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(room, sizeof(call->why_room), "killed by signal %d (SIG%s)", WTERMSIG(status),
                 name != NULL ? name : "?");
        call->result = STATS_SIGNALLED;
        return 502;
    }
    snprintf(room, sizeof(call->why_room), "exit status %d", WEXITSTATUS(status));
    return 500;
}

/* Everything in the sandbox is dead: what it left in its pipes is read, and the answer decided. */
void call_answer_exit(struct gateway *gw, struct call *call)
{
    int status = call_exit_judge(call);
    if (status == 0)
        call->finishing = true; /* output beyond the buffer is streamed from here on */
    call_drain(gw, call);
    if (status != 0) {
        call_answer_text(gw, call, status, call->why);
        return;
    }
    if (call->body_to - call->body_from > OUTPUT_MAX) {
        call_commit(gw, call);
        return;
    }
    call->finishing = false;
    answer_output(gw, call);
}

/*
 * Sends the head of an answer whose length is not known: chunked, or until the end of the
 * connection for HTTP/1.0. X-Duration-Seconds is the time to here; a trailer has the whole if the
 * client takes trailers.
 */
void call_commit(struct gateway *gw, struct call *call)
{
    struct conn *conn = call->conn;
    struct cgi_head cgi;
    if (!cgi_take(gw, call, false, &cgi)) {
        call->finishing = false;
        return;
    }
    call->committed = true;
    call->status = (uint16_t)cgi.status;
    call->drop_body = cgi.status == 204 || cgi.status == 304 || conn->is_head;
    call->body_from += (uint32_t)cgi.size;
    if (conn->http10)
        conn->keep_alive = false;
    struct text text = text_over(call->head, CALL_HEAD_ROOM);
    head_begin(gw, call, &text, cgi.reason);
    head_cgi(&text, &cgi);
    if (!conn->http10 && cgi.status != 204 && cgi.status != 304) {
        text_put(&text, "\r\nTransfer-Encoding: chunked");
        if (conn->takes_trailers)
            text_put(&text, "\r\nTrailer: X-Duration-Seconds");
    }
    text_put(&text, "\r\n\r\n");
    conn_send(gw, conn, call->head, (size_t)(text.at - call->head), NULL, 0);
}
