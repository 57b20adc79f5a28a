/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes out of a program: stdout into the call's buffer and on to the client, stderr into the
 * log and the tail that a 500 shows.
 *
 * Most programs are done within a millisecond and their output fits into the pipe. So the pipes are
 * not put into the epoll set at first: the exit report is the one wake-up, and everything is read
 * then. Only a call that still runs after WATCH_DELAY_NS (or whose function streams) is watched.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/cgi.h"
#include "gateway/core.h"
#include "gateway/text.h"

#define CHUNK_HEAD 8u /* "0000ff\r\n" */

static_assert(OUTPUT_LEAD >= CHUNK_HEAD, "a chunk's size is written before its data");
static_assert(OUTPUT_MAX + OUTPUT_SLACK < 1u << 24, "a chunk's size has six digits");

void call_close_pipes(struct call *call)
{
    watch_close(&call->in);
    watch_close(&call->out);
    watch_close(&call->err);
}

void call_watch(struct gateway *gw, struct call *call)
{
    if (call->watched)
        return;
    call->watched = true;
    /*
     * stdout is edge-triggered: while a slow client holds us up we do not read, and must not spin.
     * stderr is always read, so level-triggered, one read an event: a flood of it takes turns with
     * others.
     */
    watch_set(gw, &call->out, EPOLLIN | EPOLLET);
    watch_set(gw, &call->err, EPOLLIN);
}

int call_read_output(struct call *call)
{
    uint32_t limit = OUTPUT_LEAD + OUTPUT_MAX + OUTPUT_SLACK;
    if (call->out.fd < 0 || call->out_ended)
        return -1;
    if (call->body_to >= limit)
        return 0;
    ssize_t n = read(call->out.fd, call->body + call->body_to, limit - call->body_to);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (n == 0) {
        call->out_ended = true;
        return -1;
    }
    if (call->clock.at_ns[STAGE_FIRST_BYTE] == 0)
        call->clock.at_ns[STAGE_FIRST_BYTE] = clock_now_ns();
    call->body_to += (uint32_t)n;
    return 1;
}

/*
 * Reads until the pipe is empty or there is more than the buffer holds. A short read proves
 * nothing: a program can make its pipe one of packets (O_DIRECT).
 */
static void read_while_room(struct gateway *gw, struct call *call)
{
    uint32_t before = call->body_to;
    while (call->body_to - call->body_from <= OUTPUT_MAX && call_read_output(call) > 0)
        ;
    function_worked(gw, call, call->body_to - before);
}

/* Commits the answer when it is time to. */
static void output_check(struct gateway *gw, struct call *call)
{
    uint32_t held = call->body_to - call->body_from;
    bool streams = (call->flags & FUNCTION_STREAM) != 0;
    if (call->state != LIFE_RUNNING || held == 0 || (!streams && held <= OUTPUT_MAX))
        return;
    if (call->flags & FUNCTION_CGI) {
        struct cgi_head cgi;
        const char *why = NULL;
        enum cgi_result result = cgi_parse(call->body + call->body_from, held, false, &cgi, &why);
        if (result == CGI_MORE)
            return;
        if (result == CGI_BAD) {
            call->result = STATS_FAILED;
            call_note(call, 502, why);
            call_event(gw, call, LIFE_EV_REFUSED);
            return;
        }
    }
    call_event(gw, call, LIFE_EV_COMMITTED);
}

void call_out_progress(struct gateway *gw, struct call *call)
{
    call->out_ready = false;
    if (call->state != LIFE_RUNNING)
        return;
    read_while_room(gw, call);
    output_check(gw, call);
}

void call_out_event(struct gateway *gw, struct call *call)
{
    switch (call->state) {
    case LIFE_RUNNING:
        call->out_ready = true;
        if (call->conn != NULL)
            conn_mark(gw, call->conn); /* read in its tenant's turn */
        return;
    case LIFE_STREAMING:
    case LIFE_ENDED:
        if (call->conn != NULL)
            conn_mark(gw, call->conn);
        return;
    default: /* being killed: what it still writes is nobody's */
        watch_close(&call->out);
        return;
    }
}

/* One read of stderr; its last STDERR_TAIL bytes are kept. False: nothing more for now. */
static bool stderr_read(struct gateway *gw, struct call *call)
{
    if (call->err.fd < 0)
        return false;
    if (call->err_size > STDERR_ROOM - STDERR_TAIL) {
        uint32_t drop = call->err_size - STDERR_TAIL;
        if (call->err_logged < drop)
            record_stderr(gw, call, true); /* a line longer than the tail is logged in pieces */
        memmove(call->err_text, call->err_text + drop, STDERR_TAIL);
        call->err_size = STDERR_TAIL;
        call->err_logged -= drop;
    }
    uint32_t room = STDERR_ROOM - call->err_size;
    ssize_t n = read(call->err.fd, call->err_text + call->err_size, room);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        watch_close(&call->err);
        return false;
    }
    call->err_size += (uint32_t)n;
    record_stderr(gw, call, false);
    return (uint32_t)n == room;
}

void call_err_progress(struct gateway *gw, struct call *call)
{
    call->err_ready = false;
    stderr_read(gw, call);
}

/* Its lines are as many writes to the log: they are its tenant's work, in its tenant's turn. */
void call_err_event(struct gateway *gw, struct call *call)
{
    if (call->conn == NULL || call->conn->state != CONN_CALL) {
        stderr_read(gw, call);
        return;
    }
    call->err_ready = true;
    conn_mark(gw, call->conn);
}

/*
 * After the exit: all that is left in the pipes. The bound on stderr's reads is for a writer
 * outside the sandbox that was handed the pipe (through a bind-mounted socket) and lives on.
 */
void call_drain(struct gateway *gw, struct call *call)
{
    for (int reads = 0; reads < 32 && stderr_read(gw, call); reads++)
        ;
    record_stderr(gw, call, true);
    watch_close(&call->err);
    call->channel = NULL; /* it may be closed from now on */
    if (call->finishing)
        read_while_room(gw, call);
}

/* Sends body[from, to) as one chunk, or as it is to an HTTP/1.0 client. */
static void send_held(struct gateway *gw, struct call *call)
{
    char *data = call->body + call->body_from;
    size_t size = call->body_to - call->body_from;
    call->body_from = call->body_to;
    if (call->drop_body)
        return;
    if (!call->conn->http10) {
        struct text head = text_over(data - CHUNK_HEAD, CHUNK_HEAD);
        text_hex(&head, size, 6);
        text_put(&head, "\r\n");
        memcpy(data + size, "\r\n", 2);
        data -= CHUNK_HEAD;
        size += CHUNK_HEAD + 2;
    }
    conn_send(gw, call->conn, NULL, 0, data, size);
}

static void send_end(struct gateway *gw, struct call *call)
{
    struct conn *conn = call->conn;
    struct text text = text_over(call->head, CALL_HEAD_ROOM);
    if (!conn->http10 && !call->drop_body) {
        text_put(&text, "0\r\n");
        if (conn->takes_trailers) {
            text_put(&text, "X-Duration-Seconds: ");
            text_seconds(&text, clock_now_ns() - call->clock.at_ns[STAGE_ACCEPTED]);
            text_put(&text, "\r\n");
        }
        text_put(&text, "\r\n");
    }
    call->finishing = false;
    conn->state = CONN_WRITE;
    conn_send(gw, conn, call->head, (size_t)(text.at - call->head), NULL, 0);
}

bool call_stream(struct gateway *gw, struct call *call)
{
    if (!call->committed)
        return false;
    int result = 1;
    if (call->body_from == call->body_to) {
        call->body_from = call->body_to = OUTPUT_LEAD;
        result = call_read_output(call);
    }
    if (result == 1) {
        function_worked(gw, call, call->body_to - call->body_from);
        send_held(gw, call);
        return true;
    }
    if (!call->finishing)
        return false;
    send_end(gw, call); /* it is dead and its pipe is empty */
    return true;
}
