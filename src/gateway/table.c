/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that may be called: found by name, started while there are slots, queued in order
 * otherwise. The supervisor tells what there is (PUT, DEL, SLOTS, DOWN) and is told the demand.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/core.h"

/* The reason names places of the host: it is for the owner. */
const char function_failed_text[] = "it cannot be served now; 'skerry describe' says why";

/* FNV-1a. Only the administrator chooses what is in the table, so nobody can aim at its buckets. */
static struct function **bucket_of(struct gateway *gw, const char *name, const char *tenant)
{
    uint32_t hash = 2166136261u;
    for (const char *at = name; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    hash = (hash ^ '.') * 16777619u;
    for (const char *at = tenant; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return &gw->buckets[hash % FUNCTION_BUCKETS];
}

struct function *function_find(struct gateway *gw, const char *name, const char *tenant)
{
    struct function *function = *bucket_of(gw, name, tenant);
    while (function != NULL &&
           (strcmp(function->spec.name, name) != 0 || strcmp(function->spec.tenant, tenant) != 0))
        function = function->bucket;
    return function;
}

static void bucket_remove(struct gateway *gw, struct function *function)
{
    struct function **link = bucket_of(gw, function->spec.name, function->spec.tenant);
    while (*link != function)
        link = &(*link)->bucket;
    *link = function->bucket;
}

struct function_stats *function_stats(struct gateway *gw, const struct call *call)
{
    if (call->function->incarnation != call->incarnation)
        return NULL;
    return &gw->stats->function[call->function->index];
}

static uint32_t function_flight(const struct function *function)
{
    return function->channel != NULL ? function->channel->in_flight : 0;
}

/* Sandboxes that have or would get work: what is held by the function's width needs none. */
static uint32_t function_need(const struct function *function)
{
    uint32_t flight = function_flight(function), demand = function->queued + flight;
    uint32_t width = function->width.now > flight ? function->width.now : flight;
    return function->width.now == 0 || demand < width ? demand : width;
}

static void gauge_set(_Atomic uint64_t *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

/* After any change of queue or flight: the gauges, and more sandboxes at once when more are needed.
 */
static void function_changed(struct gateway *gw, struct function *function)
{
    struct function_stats *stats = &gw->stats->function[function->index];
    uint32_t need = function_need(function);
    gauge_set(&stats->queued, function->queued);
    gauge_set(&stats->in_flight, function_flight(function));
    gauge_set(&stats->slots, function->channel != NULL ? function->channel->slots : 0);
    if (need > function->peak)
        function->peak = need;
    if (need <= function->want)
        return;
    if (!link_send(gw, LINK_WANT, function->index, function->generation, need))
        return; /* said again with the next change */
    if (function->want == 0)
        list_append(&gw->functions_wanted, &function->wanted);
    function->want = need;
    if (!timer_is_set(&gw->want_timer))
        wheel_set(&gw->wheel, &gw->want_timer, gw->now_ns + WANT_WINDOW_NS);
}

void want_tick(struct gateway *gw)
{
    struct list now;
    list_init(&now);
    list_move(&gw->functions_wanted, &now);
    struct list *node;
    while ((node = list_pop(&now)) != NULL) {
        struct function *function = LIST_OWNER(node, struct function, wanted);
        if (function->peak < function->want &&
            link_send(gw, LINK_WANT, function->index, function->generation, function->peak))
            function->want = function->peak;
        function->peak = function_need(function);
        if (function->want > 0)
            list_append(&gw->functions_wanted, &function->wanted);
    }
    if (!list_is_empty(&gw->functions_wanted))
        wheel_set(&gw->wheel, &gw->want_timer, gw->now_ns + WANT_WINDOW_NS);
}

void function_mark(struct gateway *gw, struct function *function)
{
    if (function->marked)
        return;
    function->marked = true;
    list_append(&function->lane->functions, &function->node);
    lane_wake(&gw->lanes, function->lane);
}

/* Until a call of its tenant's has ended, or is not busy any more, which nothing tells us of. */
static void function_hold(struct gateway *gw, struct function *function)
{
    if (function->marked)
        return;
    function->marked = true;
    lane_hold(&gw->lanes, function->lane, &function->node);
    if (!timer_is_set(&gw->lane_timer))
        wheel_set(&gw->wheel, &gw->lane_timer, gw->now_ns + LANE_BUSY_NS);
}

/* From now on its width is looked at, with those of others; the first begins a period. */
static void function_watch(struct gateway *gw, struct function *function)
{
    if (!list_is_empty(&function->watched))
        return;
    list_append(&gw->functions_watched, &function->watched);
    if (timer_is_set(&gw->width_timer))
        return;
    uint64_t idle_ns = 0;
    widths_idle(&gw->widths, &idle_ns); /* if it cannot be read, the next look says idle */
    widths_begin(&gw->widths, gw->now_ns, idle_ns);
    wheel_set(&gw->wheel, &gw->width_timer, gw->now_ns + WIDTH_LOOK_NS);
}

/* Whether its width is what the next call waits for. */
static bool function_is_held(struct gateway *gw, struct function *function)
{
    uint32_t concurrency = function->spec.limits.concurrency_max;
    uint32_t width = width_of(&gw->widths, &function->width, concurrency);
    return function_flight(function) >= width && width < concurrency;
}

/* Judges a function after a look. True: it stays watched. */
static bool function_judge(struct gateway *gw, struct function *function, enum width_view view)
{
    struct width *width = &function->width;
    bool wider = width_judge(&gw->widths, width, function->spec.limits.concurrency_max, view);
    /* told by the queue, since no call tries again by itself; if there are too few sandboxes, it is
     * not the width that it waits for */
    uint32_t concurrency = function->spec.limits.concurrency_max;
    uint32_t now = width_of(&gw->widths, width, concurrency);
    width->held = function->queued > 0 && now < concurrency && function->channel != NULL &&
                  function->channel->slots >= now;
    if (wider) {
        function_changed(gw, function);
        function_mark(gw, function);
    }
    bool moves = width->cpu_ns > 0 || view == WIDTH_UNKNOWN;
    return wider || width->held || (moves && width_is_wide(&gw->widths, function_flight(function)));
}

void width_tick(struct gateway *gw)
{
    struct list now, *node;
    list_init(&now);
    list_move(&gw->functions_watched, &now);
    uint64_t idle_ns = 0;
    if (!widths_idle(&gw->widths, &idle_ns))
        idle_ns = gw->widths.last.idle_ns + /* it is not known: nobody is held for long */
                  (gw->now_ns - gw->widths.last.at_ns) * gw->widths.cpus;
    enum width_view view = widths_look(&gw->widths, gw->now_ns, idle_ns);
    for (node = now.next; node != &now; node = node->next)
        width_charge(&gw->widths, &LIST_OWNER(node, struct function, watched)->width, 0);
    while ((node = list_pop(&now)) != NULL) {
        struct function *function = LIST_OWNER(node, struct function, watched);
        if (function_judge(gw, function, view))
            list_append(&gw->functions_watched, &function->watched);
    }
    widths_looked(&gw->widths, gw->now_ns, idle_ns);
    if (!list_is_empty(&gw->functions_watched))
        wheel_set(&gw->wheel, &gw->width_timer, gw->now_ns + WIDTH_LOOK_NS);
}

/* Sends the start if the function has a free slot. 0: it runs; 1: it must wait; -1: it cannot be.
 */
static int function_start(struct gateway *gw, struct function *function, struct call *call)
{
    struct channel *channel = function->channel;
    if (channel == NULL || channel->start_blocked)
        return 1;
    if (function_is_held(gw, function)) {
        function->width.held = true;
        function_watch(gw, function);
        return 1;
    }
    if (channel->in_flight >= channel->slots)
        return 1;
    if (!lane_may_start(&gw->lanes, function->lane, gw->now_ns)) {
        function_hold(gw, function);
        return 1;
    }
    call->channel = channel;
    int rc = call_start(gw, call);
    if (rc == 0)
        return 0;
    call->channel = NULL;
    if (rc == -EAGAIN) {
        channel->start_blocked = true;
        watch_set(gw, &channel->start, EPOLLOUT);
        return 1;
    }
    if (rc == -EPIPE) {
        channel_lost(gw, channel);
        return 1;
    }
    return -1;
}

static void function_started(struct gateway *gw, struct function *function, struct call *call)
{
    channel_enter(call->channel, call);
    lane_work_begin(&gw->lanes, function->lane, &call->work, gw->now_ns);
    if (width_is_wide(&gw->widths, call->channel->in_flight))
        function_watch(gw, function);
    call_event(gw, call, LIFE_EV_STARTED);
    function_changed(gw, function);
}

void function_worked(struct gateway *gw, struct call *call, size_t bytes)
{
    bool runs = call->state == LIFE_RUNNING || call->state == LIFE_STREAMING;
    if (runs && bytes >= LANE_BUSY_BYTES && call->function->incarnation == call->incarnation)
        lane_work_touch(call->function->lane, &call->work, gw->now_ns);
}

bool function_has_room(const struct function *function)
{
    const struct channel *channel = function->channel;
    uint32_t waits = function->queued;
    if (channel == NULL)
        return waits < function->spec.limits.queue_max;
    /* with a width, what it does not let run yet has a place: all that the concurrency allows */
    uint32_t places =
        function->width.now != 0 ? function->spec.limits.concurrency_max : channel->slots;
    uint32_t free = places > channel->in_flight ? places - channel->in_flight : 0;
    waits = waits > free ? waits - free : 0;
    return waits < function->spec.limits.queue_max;
}

void function_enqueue(struct gateway *gw, struct function *function, struct call *call)
{
    if (!function->present || function->incarnation != call->incarnation) {
        call_event(gw, call, LIFE_EV_REMOVED);
        return;
    }
    if (function->failed) {
        call_note(call, 503, function_failed_text);
        call_event(gw, call, LIFE_EV_UNSTARTABLE);
        return;
    }
    call->clock.at_ns[STAGE_QUEUED] = clock_now_ns();
    call->deadline_ns = call->clock.at_ns[STAGE_QUEUED] + call->limits.timeout_ns;
    int rc = list_is_empty(&function->queue) ? function_start(gw, function, call) : 1;
    if (rc == 0) {
        function_started(gw, function, call);
    } else if (rc < 0) {
        call_event(gw, call, LIFE_EV_UNSTARTABLE);
    } else if (!function_has_room(function)) {
        call_event(gw, call, LIFE_EV_NO_ROOM);
    } else {
        list_append(&function->queue, &call->node);
        function->queued++;
        wheel_set(&gw->wheel, &call->timer, call->deadline_ns);
        function_changed(gw, function);
    }
}

void function_dequeue(struct gateway *gw, struct call *call)
{
    if (call->started || list_is_empty(&call->node))
        return; /* it was not in the queue */
    list_remove(&call->node);
    call->function->queued--;
    function_changed(gw, call->function);
}

void function_progress(struct gateway *gw, struct function *function)
{
    if (!function->present)
        return;
    int rc = 1;
    if (!list_is_empty(&function->queue)) {
        struct call *call = LIST_OWNER(function->queue.next, struct call, node);
        rc = function_start(gw, function, call);
        if (rc < 0) {
            call_event(gw, call, LIFE_EV_UNSTARTABLE); /* takes it out of the queue */
        } else if (rc == 0) {
            list_remove(&call->node);
            function->queued--;
            function_started(gw, function, call);
        }
    }
    if (rc <= 0)
        function_mark(gw, function); /* the next one in the tenant's next turn */
    else
        function_changed(gw, function);
}

/* The lane of a tenant: that of its other functions, else one that is free. */
static struct lane *lane_of(struct gateway *gw, const struct function *function)
{
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        const struct function *other = &gw->functions[i];
        if (other->present && other != function &&
            strcmp(other->spec.tenant, function->spec.tenant) == 0)
            return other->lane;
    }
    return lanes_take(&gw->lanes);
}

/* Those that wait are told; what runs on its channel finishes there. */
static void function_forget(struct gateway *gw, struct function *function)
{
    if (!function->present)
        return;
    if (function->channel != NULL)
        channel_retire(gw, function->channel);
    function->incarnation++;
    while (!list_is_empty(&function->queue)) {
        struct call *call = LIST_OWNER(function->queue.next, struct call, node);
        call_event(gw, call, LIFE_EV_REMOVED);
    }
    bucket_remove(gw, function);
    function->lane->users--;
    if (function->want > 0)
        list_remove(&function->wanted);
    list_remove(&function->watched);
    function->present = false;
    function->want = function->peak = 0;
}

static void stats_begin(struct gateway *gw, const struct function *function, bool other)
{
    struct function_stats *stats = &gw->stats->function[function->index];
    uint64_t held = atomic_load_explicit(&stats->generation, memory_order_relaxed);
    if (other && held != function->generation)
        memset(stats, 0, sizeof(*stats)); /* the slot has another function from now on */
    gauge_set(&stats->generation, function->generation);
}

static bool link_function_valid(const struct link_function *spec)
{
    return memchr(spec->name, '\0', sizeof(spec->name)) != NULL &&
           memchr(spec->tenant, '\0', sizeof(spec->tenant)) != NULL &&
           function_name_valid(spec->name) && function_name_valid(spec->tenant);
}

void function_put(struct gateway *gw, const struct link_message *message, const int *fds,
                  size_t fd_count)
{
    if (message->index >= FUNCTIONS_MAX || !link_function_valid(&message->function)) {
        log_error("the supervisor's function %u is malformed", message->index);
        for (size_t i = 0; i < fd_count; i++)
            watch_close(&(struct watch){.fd = fds[i]});
        return;
    }
    struct function *function = &gw->functions[message->index];
    struct function *same = function_find(gw, message->function.name, message->function.tenant);
    if (same != NULL && same != function)
        function_forget(gw, same); /* it moved to another slot */
    bool other = same != function;
    if (other)
        function_forget(gw, function);
    else if (function->channel != NULL)
        channel_retire(gw, function->channel);
    if (function->queue.next == NULL) { /* the slot is used for the first time */
        list_init(&function->queue);
        list_init(&function->wanted);
        list_init(&function->watched);
        list_init(&function->node);
    }
    function->index = message->index;
    function->generation = message->generation;
    function->spec = message->function;
    function_limits_fill(&function->spec.limits);
    if (other) {
        struct function **bucket = bucket_of(gw, function->spec.name, function->spec.tenant);
        function->bucket = *bucket;
        *bucket = function;
        function->lane = lane_of(gw, function);
        function->lane->users++;
        function->present = true;
    } else if (function->want > 0) {
        list_remove(&function->wanted);
    }
    function->want = function->peak = 0; /* the new zygote has not been told anything */
    function->width = (struct width){0}; /* nor is the new program known */
    width_of(&gw->widths, &function->width, function->spec.limits.concurrency_max);
    stats_begin(gw, function, other);
    function->channel = NULL;
    if (fd_count == 3)
        function->channel = channel_open(gw, function, fds);
    else
        watch_close(&(struct watch){.fd = fds[0]}); /* its log comes again with its zygote */
    if (function->channel != NULL)
        function->channel->serial = message->value;
    if (function->channel != NULL || other)
        function->failed = false;
    function_changed(gw, function);
}

static struct function *function_of(struct gateway *gw, const struct link_message *message)
{
    if (message->index >= FUNCTIONS_MAX)
        return NULL;
    struct function *function = &gw->functions[message->index];
    bool current = function->present && function->generation == message->generation;
    return current ? function : NULL; /* a message about what has been replaced meanwhile */
}

void function_del(struct gateway *gw, const struct link_message *message)
{
    struct function *function = function_of(gw, message);
    if (function == NULL)
        return;
    function_forget(gw, function);
    memset(&gw->stats->function[function->index], 0, sizeof(struct function_stats));
}

void function_slots(struct gateway *gw, const struct link_message *message)
{
    struct function *function = function_of(gw, message);
    if (function == NULL || function->channel == NULL)
        return;
    function->channel->slots = message->value > UINT16_MAX ? UINT16_MAX : (uint32_t)message->value;
    function_mark(gw, function);
}

void function_failed(struct gateway *gw, const struct link_message *message)
{
    struct function *function = function_of(gw, message);
    if (function == NULL || function->channel != NULL)
        return;
    function->failed = true;
    while (!list_is_empty(&function->queue)) {
        struct call *call = LIST_OWNER(function->queue.next, struct call, node);
        call_note(call, 503, function_failed_text);
        call_event(gw, call, LIFE_EV_UNSTARTABLE); /* takes it out of the queue */
    }
}

void function_down(struct gateway *gw, const struct link_message *message)
{
    struct function *function = function_of(gw, message);
    if (function == NULL || function->channel == NULL)
        return;
    channel_lost(gw, function->channel);
}
