/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call: events go through the table of sandbox/life.h, here are its actions. A call belongs to
 * its connection until that is gone (then it is an orphan that is being killed) and to its channel
 * while a sandbox has it; it is given back when neither holds it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/core.h"

static void call_reset(struct gateway *gw, struct call *call)
{
    call->state = LIFE_GATHERING;
    call->watched = call->retry_kill = call->in_blocked = call->in_gone = call->out_ended =
        call->out_ready = call->err_ready = false;
    call->started = call->finishing = call->committed = call->drop_body = call->failed = false;
    call->status = 0;
    call->kills = 0;
    call->result = STATS_REFUSED;
    call->channel = NULL;
    call->in.fd = call->out.fd = call->err.fd = -1;
    call->in.events = call->out.events = call->err.events = 0;
    memset(&call->clock, 0, sizeof(call->clock));
    call->report.kind = 0;
    call->report.flags = 0;
    call->why = NULL;
    call->body_from = call->body_to = OUTPUT_LEAD;
    call->err_size = call->err_logged = call->log_bytes = 0;
    call->bytes_in = call->bytes_out = 0;
    /* The low bits find the call when its report comes, the high ones make the id unique. */
    call->id = ++gw->last_call << 16 | call->index;
}

static void text_copy(char *out, size_t room, struct http_span text)
{
    size_t size = text.size < room - 1 ? text.size : room - 1;
    memcpy(out, text.at, size);
    out[size] = '\0';
}

struct call *call_open(struct gateway *gw, struct conn *conn, struct function *function)
{
    struct call *call = call_take(gw);
    if (call == NULL)
        return NULL;
    gw->calls_used++;
    call_reset(gw, call);
    call->conn = conn;
    conn->call = call;
    call->function = function;
    call->incarnation = function->incarnation;
    call->limits = function->spec.limits;
    call->flags = function->spec.flags;
    call->clock.at_ns[STAGE_ACCEPTED] = conn->accepted_ns;
    text_copy(call->method, sizeof(call->method), gw->request.method);
    text_copy(call->path, sizeof(call->path), gw->request.path);
    return call;
}

void call_note(struct call *call, int status, const char *why)
{
    call->status = (uint16_t)status;
    call->why = why;
}

enum stats_start call_start_kind(const struct call *call)
{
    if (call->report.flags & REPORT_RESTORED)
        return STATS_RESTORED;
    return call->report.flags & REPORT_POOLED ? STATS_POOLED : STATS_COLD;
}

/* The finished call's figures; nothing when its function's slot has another function by now. */
static void stats_take(struct gateway *gw, const struct call *call)
{
    struct function_stats *stats = function_stats(gw, call);
    if (stats == NULL)
        return;
    stats_add(&stats->invocations, 1);
    stats_add(&stats->result[call->result], 1);
    stats_observe(&stats->total, gw->now_ns - call->clock.at_ns[STAGE_ACCEPTED]);
    if (call->report.kind == 0)
        return;
    enum stats_start start = call_start_kind(call);
    stats_add(&stats->starts[start], 1);
    atomic_store_explicit(&stats->last_start, start, memory_order_relaxed);
    stats_add(&stats->cpu_us, call->report.user_us + call->report.system_us);
    if (call->report.maxrss_kib > atomic_load_explicit(&stats->maxrss_kib, memory_order_relaxed))
        atomic_store_explicit(&stats->maxrss_kib, call->report.maxrss_kib, memory_order_relaxed);
    atomic_store_explicit(&stats->last_clone, call->clock.clone_ns, memory_order_relaxed);
    for (enum stage stage = STAGE_ACCEPTED; stage < STAGE_COUNT; stage++) {
        atomic_store_explicit(&stats->last_stage[stage], call->clock.at_ns[stage],
                              memory_order_relaxed);
        uint64_t span = stage_span_ns(&call->clock, stage);
        if (span > 0)
            stats_observe(&stats->stage[stage], span);
    }
}

static void call_detach(struct call *call)
{
    if (call->conn == NULL)
        return;
    call->bytes_in = call->conn->bytes_in;
    call->bytes_out = call->conn->bytes_out;
    call->conn->call = NULL;
    call->conn = NULL;
}

static void call_release(struct gateway *gw, struct call *call)
{
    call_detach(call);
    call_close_pipes(call);
    wheel_clear(&gw->wheel, &call->timer);
    gw->now_ns = clock_now_ns(); /* what the figures say is up to the last byte */
    stats_take(gw, call);
    record_call(gw, call);
    list_append(&gw->calls_given_back, &call->node);
}

/*
 * Asks for the death of the sandbox. While its report is awaited the timer comes back: a full
 * socket is tried again soon, and a kill that brought no report is repeated.
 */
static void call_kill(struct gateway *gw, struct call *call)
{
    call->kills++;
    call->retry_kill = call->channel != NULL &&
                       kill_send(call->channel->report.fd, call->id, gw->epoch) == -EAGAIN;
    uint64_t wait = call->state == LIFE_EXPIRING ? EXPIRE_GRACE_NS : KILL_AGAIN_NS;
    call->deadline_ns = gw->now_ns + wait;
    wheel_set(&gw->wheel, &call->timer, gw->now_ns + (call->retry_kill ? KILL_RETRY_NS : wait));
}

/* Kills for a client that is not there any more, or that gets its answer without waiting. */
static void call_kill_detached(struct gateway *gw, struct call *call)
{
    call_detach(call);
    record_stderr(gw, call, true);
    call_close_pipes(call);
    call_kill(gw, call);
}

static void call_kill_reply(struct gateway *gw, struct call *call, int status, const char *why)
{
    struct conn *conn = call->conn;
    call_note(call, status, why);
    call_kill_detached(gw, call);
    conn->id = call->id; /* its call's id; the call writes the record */
    conn_reply(gw, conn, status, why, true);
}

static void call_watch_now(struct gateway *gw, struct call *call)
{
    call_watch(gw, call);
    wheel_set(&gw->wheel, &call->timer, call->deadline_ns);
}

static void call_end_stream(struct gateway *gw, struct call *call)
{
    int status = call_exit_judge(call);
    call_drain(gw, call);
    if (status != 0) {
        conn_abort(gw, call->conn); /* the status is sent: without the last chunk it is no answer */
        return;
    }
    call->finishing = true;
    conn_mark(gw, call->conn);
}

/* Carries out the action of a cell. The call may be given back afterwards. */
static void call_act(struct gateway *gw, struct call *call, enum life_action action)
{
    switch (action) {
    case LIFE_NOTHING:
        return;
    case LIFE_ENQUEUE:
        function_enqueue(gw, call->function, call);
        return;
    case LIFE_WATCH:
        wheel_set(&gw->wheel, &call->timer, gw->now_ns + WATCH_DELAY_NS);
        if (call->flags & FUNCTION_STREAM)
            call_watch_now(gw, call);
        return;
    case LIFE_STREAM:
        call_commit(gw, call);
        return;
    case LIFE_ANSWER_EXIT:
        call_answer_exit(gw, call);
        return;
    case LIFE_ANSWER_LOST:
        call->result = STATS_FAILED;
        call->why = "its sandbox was lost while it ran";
        call_drain(gw, call);
        call_answer_text(gw, call, 502, call->why);
        return;
    case LIFE_ANSWER_EXPIRED:
        call->result = STATS_TIMEOUT;
        call_drain(gw, call); /* its stderr belongs into the log */
        call->why = "killed: its deadline passed";
        call_answer_text(gw, call, 504, call->why);
        return;
    case LIFE_ANSWER_BUSY:
        function_dequeue(gw, call);
        call->why = "the function's queue is full";
        call_answer_text(gw, call, 429, call->why);
        return;
    case LIFE_ANSWER_WAITED:
        function_dequeue(gw, call);
        call->why = "no sandbox became free before the deadline";
        call_answer_text(gw, call, 503, call->why);
        return;
    case LIFE_ANSWER_SLOW:
        call->why = "the request's body did not come in time";
        call_answer_text(gw, call, 408, call->why);
        return;
    case LIFE_ANSWER_REMOVED:
        function_dequeue(gw, call);
        call->why = "the function was removed while the request waited";
        call_answer_text(gw, call, 404, call->why);
        return;
    case LIFE_ANSWER_REFUSED:
        function_dequeue(gw, call);
        call_answer_text(gw, call, call->status, call->why);
        return;
    case LIFE_KILL:
        if (call->state == LIFE_EXPIRING)
            call_kill(gw, call);
        else
            call_kill_detached(gw, call);
        return;
    case LIFE_KILL_ABORT: {
        struct conn *conn = call->conn;
        call_kill_detached(gw, call);
        conn_abort(gw, conn);
        return;
    }
    case LIFE_KILL_REFUSE:
        call_kill_reply(gw, call, call->status, call->why);
        return;
    case LIFE_KILL_EXPIRED:
        call->result = STATS_TIMEOUT;
        call_kill_reply(gw, call, 504, "its deadline passed and it is still being killed");
        return;
    case LIFE_END_STREAM:
        call_end_stream(gw, call);
        return;
    case LIFE_ABORT_STREAM:
        call->result = STATS_FAILED;
        call->why = "its sandbox was lost while it streamed";
        conn_abort(gw, call->conn);
        return;
    case LIFE_DROP:
        function_dequeue(gw, call);
        call_release(gw, call);
        return;
    case LIFE_RELEASE:
        call_release(gw, call);
        return;
    case LIFE_IMPOSSIBLE:
        return;
    }
}

/* What the figures say of a call that ends by this event, where the action does not decide it. */
static void call_mark_result(struct call *call, enum life_event event)
{
    bool running = call->state == LIFE_RUNNING || call->state == LIFE_STREAMING;
    if (event == LIFE_EV_GONE && call->state != LIFE_ENDED) {
        call->result = STATS_ABORTED;
        if (!call->committed)
            call->status = 499; /* never sent: the log's word for it */
        call->why = "the client went away";
    } else if (event == LIFE_EV_DEADLINE && running) {
        call->result = STATS_TIMEOUT;
        call->why = "killed: its deadline passed";
    }
}

void call_event(struct gateway *gw, struct call *call, enum life_event event)
{
    enum life_state before = call->state;
    struct life_step step = life_step(before, event);
    if (step.action == LIFE_IMPOSSIBLE) {
        log_error("call %llx: %s in state %s", (unsigned long long)call->id, life_event_name(event),
                  life_state_name(before));
        return;
    }
    call_mark_result(call, event);
    call->state = step.next;
    if (step.next == LIFE_ENDED || step.next == LIFE_GONE)
        wheel_clear(&gw->wheel, &call->timer);
    call_act(gw, call, step.action);
}

/* The timer serves, in turn, the wait before the pipes are watched, the deadline, and kills. */
void call_timeout(struct gateway *gw, struct call *call)
{
    if (call->retry_kill) {
        uint64_t deadline = call->deadline_ns;
        call->retry_kill = kill_send(call->channel->report.fd, call->id, gw->epoch) == -EAGAIN;
        call->deadline_ns = deadline;
        uint64_t next = gw->now_ns + KILL_RETRY_NS;
        wheel_set(&gw->wheel, &call->timer, call->retry_kill && next < deadline ? next : deadline);
        return;
    }
    if (call->started && !call->watched && call->state == LIFE_RUNNING) {
        call_watch_now(gw, call);
        return;
    }
    if (call->state == LIFE_ORPHAN && call->kills >= KILLS_MAX) {
        log_error("call %llx: no report after %u kills, its slot is taken for free",
                  (unsigned long long)call->id, call->kills);
        struct channel *channel = call->channel;
        channel_leave(gw, call);
        call_event(gw, call, LIFE_EV_LOST);
        channel_settle(gw, channel);
        return;
    }
    call_event(gw, call, LIFE_EV_DEADLINE);
}
