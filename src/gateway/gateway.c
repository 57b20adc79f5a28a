/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's process: what it is made of at start, and the loop.
 *
 * A round: wait, take every event (which marks what can go on), fire timers, go on with some of
 * what is marked, each tenant in its turn (lane.h), free what was given back.
 *
 * System calls of a request without a body on a kept connection, one at a time (counted by strace
 * -c over 500): epoll_wait, recvfrom, 2 x (pipe2, fchmod, fcntl), sendmsg (start), 2 x close,
 * epoll_wait, recvmsg (report), read (stderr), 2 x read (stdout, its end), sendmsg (answer),
 * 2 x close: 19, and a write of the access log every 20 ms. A body adds pipe2, fchmod, write and
 * 2 x close.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "gateway/core.h"

#define CONNS_DEFAULT 8192u
#define EVENTS_MAX    256
#define TURNS_NS      (100 * UINT64_C(1000)) /* steps of tenants between two looks for events */

static_assert(CONNS_MAX < 0xffff, "a call's index is 16 bits of its id, 0xffff is no call's");

void watch_set(struct gateway *gw, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int op = events == 0 ? EPOLL_CTL_DEL : watch->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (watch->fd < 0 || (events == 0 && watch->events == 0))
        return;
    if (epoll_ctl(gw->epoll, op, watch->fd, &event) < 0)
        log_error("epoll_ctl %d of a descriptor of kind %u: %s", op, watch->kind, strerror(errno));
    watch->events = events;
}

void watch_close(struct watch *watch)
{
    fd_close(&watch->fd);
    watch->events = 0;
}

static void listeners_watch(struct gateway *gw, uint32_t events)
{
    for (unsigned int i = 0; i < gw->listener_count; i++)
        watch_set(gw, &gw->listeners[i], events);
}

void accept_pause(struct gateway *gw, uint64_t ns)
{
    if (ns > 0)
        wheel_set(&gw->wheel, &gw->accept_timer, gw->now_ns + ns);
    if (gw->full_told_ns == 0 || gw->now_ns - gw->full_told_ns > 10 * NS_PER_SEC) {
        log_info("no more connections can be accepted for now (%u are open)", gw->conns_used);
        gw->full_told_ns = gw->now_ns;
    }
    gw->accept_paused = true;
    listeners_watch(gw, 0);
}

static void accept_resume(struct gateway *gw)
{
    wheel_clear(&gw->wheel, &gw->accept_timer);
    gw->accept_paused = false;
    if (gw->serving && !gw->draining)
        listeners_watch(gw, EPOLLIN);
}

void gateway_serve(struct gateway *gw)
{
    if (gw->serving)
        return;
    gw->serving = true;
    accept_resume(gw);
    link_send(gw, LINK_READY, 0, 0, 0);
}

/* Zeroed pages that cost nothing until they are touched. */
static void *pages(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static int pools_make(struct gateway *gw)
{
    struct lane *lanes = pages((FUNCTIONS_MAX + 1) * sizeof(struct lane));
    gw->conns = pages(gw->conns_max * sizeof(struct conn));
    gw->calls = pages(gw->calls_max * sizeof(struct call));
    gw->functions = pages(FUNCTIONS_MAX * sizeof(struct function));
    gw->channels = pages(CHANNELS_MAX * sizeof(struct channel));
    gw->conn_rooms = pages((size_t)gw->conns_max * CONN_IN_ROOM);
    gw->call_rooms = pages(gw->calls_max * CALL_ROOM);
    bool all = lanes && gw->conns && gw->calls && gw->functions && gw->channels && gw->conn_rooms &&
               gw->call_rooms;
    if (!all)
        return -ENOMEM;
    uint32_t cpus = gw->widths.cpus;
    lanes_init(&gw->lanes, lanes, FUNCTIONS_MAX + 1, cpus > 1 ? cpus - 1 : 1);
    return 0;
}

/* An object of a pool is made when it is first needed: what was never needed costs no memory. */

struct conn *conn_take(struct gateway *gw)
{
    struct list *node = list_pop(&gw->conns_free);
    if (node != NULL)
        return LIST_OWNER(node, struct conn, node);
    if (gw->conns_made == gw->conns_max)
        return NULL;
    struct conn *conn = &gw->conns[gw->conns_made];
    conn->index = gw->conns_made++;
    conn->timer.kind = TIMER_CONN;
    conn->in = gw->conn_rooms + (size_t)conn->index * CONN_IN_ROOM;
    list_init(&conn->node);
    list_init(&conn->idle);
    return conn;
}

struct call *call_take(struct gateway *gw)
{
    struct list *node = list_pop(&gw->calls_free);
    if (node != NULL)
        return LIST_OWNER(node, struct call, node);
    if (gw->calls_made == gw->calls_max)
        return NULL;
    struct call *call = &gw->calls[gw->calls_made];
    char *room = gw->call_rooms + gw->calls_made * CALL_ROOM;
    call->index = gw->calls_made++;
    call->state = LIFE_GONE;
    call->timer.kind = TIMER_CALL;
    call->in = (struct watch){.fd = -1, .kind = WATCH_CALL_IN, .owner = call};
    call->out = (struct watch){.fd = -1, .kind = WATCH_CALL_OUT, .owner = call};
    call->err = (struct watch){.fd = -1, .kind = WATCH_CALL_ERR, .owner = call};
    call->head = room;
    call->err_text = room + CALL_HEAD_ROOM;
    call->body = room + CALL_HEAD_ROOM + STDERR_ROOM;
    list_init(&call->node);
    list_init(&call->work.node);
    return call;
}

struct channel *channel_take(struct gateway *gw)
{
    struct list *node = list_pop(&gw->channels_free);
    if (node != NULL)
        return LIST_OWNER(node, struct channel, node);
    if (gw->channels_made == CHANNELS_MAX)
        return NULL;
    struct channel *channel = &gw->channels[gw->channels_made++];
    list_init(&channel->node);
    return channel;
}

static void listener_add(struct gateway *gw, int fd)
{
    unsigned int i = gw->listener_count++;
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof(name);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
    if (getsockname(fd, (struct sockaddr *)&name, &size) == 0) {
        if (name.ss_family == AF_INET)
            gw->listener_ports[i] = ntohs(((const struct sockaddr_in *)&name)->sin_port);
        else if (name.ss_family == AF_INET6)
            gw->listener_ports[i] = ntohs(((const struct sockaddr_in6 *)&name)->sin6_port);
    }
    gw->listeners[i] = (struct watch){.fd = fd, .kind = WATCH_LISTENER, .owner = &gw->listeners[i]};
}

static void lists_init(struct gateway *gw)
{
    struct list *const lists[] = {
        &gw->conns_free,          &gw->conns_given_back, &gw->calls_free,
        &gw->calls_given_back,    &gw->functions_wanted, &gw->channels_free,
        &gw->channels_given_back, &gw->conns_idle,       &gw->functions_watched,
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        list_init(lists[i]);
}

static struct gateway *gateway_open(const struct gateway_options *options)
{
    struct gateway *gw = pages(sizeof(*gw));
    if (gw == NULL)
        return NULL;
    lists_init(gw);
    gw->now_ns = clock_now_ns();
    wheel_init(&gw->wheel, gw->now_ns);
    gw->want_timer.kind = TIMER_WANT;
    gw->log_timer.kind = TIMER_LOG;
    gw->accept_timer.kind = TIMER_ACCEPT;
    gw->lane_timer.kind = TIMER_LANE;
    gw->width_timer.kind = TIMER_WIDTH;
    gw->api = options->api;
    gw->access_log = options->access_log;
    gw->dev_null = options->dev_null;
    gw->epoch = options->epoch;
    widths_init(&gw->widths, options->cpus, options->uptime);
    gw->conns_max = options->connections_max != 0 ? options->connections_max : CONNS_DEFAULT;
    if (gw->conns_max > CONNS_MAX)
        gw->conns_max = CONNS_MAX;
    gw->calls_max = gw->conns_max;
    gw->stats =
        mmap(NULL, sizeof(*gw->stats), PROT_READ | PROT_WRITE, MAP_SHARED, options->stats, 0);
    gw->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (gw->stats == MAP_FAILED || gw->epoll < 0 || pools_make(gw) < 0)
        return NULL;
    for (unsigned int i = 0; i < options->listener_count && i < LISTENERS_MAX; i++)
        listener_add(gw, options->listeners[i]);
    gw->link = (struct watch){.fd = options->link, .kind = WATCH_LINK, .owner = gw};
    watch_set(gw, &gw->link, EPOLLIN);
    return gw;
}

static void event_take(struct gateway *gw, const struct epoll_event *event)
{
    struct watch *watch = event->data.ptr;
    if (watch->fd < 0)
        return; /* closed by an earlier event of this round */
    switch ((enum watch_kind)watch->kind) {
    case WATCH_LISTENER:
        conn_accept(gw, (unsigned int)(watch - gw->listeners));
        return;
    case WATCH_LINK:
        return; /* taken before the others */
    case WATCH_CONN:
        conn_event(gw, watch->owner, event->events);
        return;
    case WATCH_CALL_IN: {
        struct call *call = watch->owner;
        call->in_blocked = false;
        if (call->conn != NULL)
            conn_mark(gw, call->conn);
        return;
    }
    case WATCH_CALL_OUT:
        call_out_event(gw, watch->owner);
        return;
    case WATCH_CALL_ERR:
        call_err_event(gw, watch->owner);
        return;
    case WATCH_REPORT:
        channel_report(gw, watch->owner);
        return;
    case WATCH_START:
        channel_writable(gw, watch->owner);
        return;
    }
}

static void timer_fire(struct gateway *gw, struct timer *timer)
{
    switch ((enum timer_kind)timer->kind) {
    case TIMER_CONN:
        conn_timeout(gw, LIST_OWNER(timer, struct conn, timer));
        return;
    case TIMER_CALL:
        call_timeout(gw, LIST_OWNER(timer, struct call, timer));
        return;
    case TIMER_WANT:
        want_tick(gw);
        return;
    case TIMER_LOG:
        record_flush(gw);
        return;
    case TIMER_ACCEPT:
        accept_resume(gw);
        return;
    case TIMER_LANE:
        lanes_release(&gw->lanes);
        return;
    case TIMER_WIDTH:
        width_tick(gw);
        return;
    }
}

/* Goes on with what was marked, one thing of each tenant in turn. What is left waits for the next
 * round, so that whoever has an event by then is in the turn. */
static void marked_progress(struct gateway *gw)
{
    struct lane *lane;
    uint64_t until_ns = clock_now_ns() + TURNS_NS;
    while ((lane = lanes_next(&gw->lanes)) != NULL) {
        struct list *node = list_pop(&lane->functions);
        if (node != NULL) {
            struct function *function = LIST_OWNER(node, struct function, node);
            function->marked = false;
            function_progress(gw, function);
        }
        node = list_pop(&lane->conns);
        if (node != NULL)
            conn_progress(gw, LIST_OWNER(node, struct conn, node));
        if (clock_now_ns() >= until_ns)
            return;
    }
}

/* The most recently used come first again: their pages are in the caches. */
static void free_given_back(struct gateway *gw)
{
    struct list *node;
    while ((node = list_pop(&gw->conns_given_back)) != NULL) {
        list_append(gw->conns_free.next, node);
        gw->conns_used--;
        if (gw->accept_paused)
            accept_resume(gw);
    }
    while ((node = list_pop(&gw->calls_given_back)) != NULL) {
        struct call *call = LIST_OWNER(node, struct call, node);
        if (call->index >= POOL_HOT)
            madvise(call->head, CALL_ROOM, MADV_DONTNEED);
        list_append(gw->calls_free.next, node);
        gw->calls_used--;
    }
    while ((node = list_pop(&gw->channels_given_back)) != NULL)
        list_append(gw->channels_free.next, node);
}

/* Stops accepting, lets idle connections go, and ends when the last call has been answered. */
static void drain_progress(struct gateway *gw)
{
    for (unsigned int i = 0; i < gw->listener_count; i++) {
        watch_set(gw, &gw->listeners[i], 0);
        watch_close(&gw->listeners[i]);
    }
    gw->listener_count = 0;
    for (unsigned int i = 0; i < gw->conns_made && gw->conns_used > 0; i++) {
        if (gw->conns[i].state == CONN_HEAD && gw->conns[i].raw_to == 0)
            conn_close(gw, &gw->conns[i]);
    }
    free_given_back(gw);
    if (gw->conns_used == 0 && gw->calls_used == 0) {
        link_send(gw, LINK_DRAINED, 0, 0, 0);
        gw->ended = true;
    }
}

static void gateway_round(struct gateway *gw)
{
    struct epoll_event events[EVENTS_MAX];
    int sleep_ms = list_is_empty(&gw->lanes.turn) ? wheel_sleep_ms(&gw->wheel, clock_now_ns()) : 0;
    int count = epoll_wait(gw->epoll, events, EVENTS_MAX, sleep_ms);
    gw->now_ns = clock_now_ns();
    for (int i = 0; i < count; i++) { /* what is deployed now, before who asks for it */
        if (events[i].data.ptr == &gw->link)
            link_event(gw);
    }
    for (int i = 0; i < count; i++)
        event_take(gw, &events[i]);
    struct timer *timer;
    while ((timer = wheel_take(&gw->wheel, gw->now_ns)) != NULL)
        timer_fire(gw, timer);
    marked_progress(gw);
    free_given_back(gw);
    if (gw->draining)
        drain_progress(gw);
}

int gateway_main(const struct gateway_options *options)
{
    signal(SIGPIPE, SIG_IGN);
    struct gateway *gw = gateway_open(options);
    if (gw == NULL) {
        log_error("the gateway could not be set up: %s", strerror(errno));
        return 1;
    }
    if (!options->hold)
        gateway_serve(gw);
    while (!gw->ended)
        gateway_round(gw);
    record_flush(gw);
    return 0;
}
