/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel: the two sockets to one zygote's sandboxes. Starts go out on one, exit reports come in
 * on the other. When a function gets a new zygote the old channel is retired: what runs on it
 * finishes there.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "gateway/core.h"

struct channel *channel_open(struct gateway *gw, struct function *function, const int fds[3])
{
    struct channel *channel = channel_take(gw);
    if (channel == NULL) {
        log_error("more than %u channels", CHANNELS_MAX);
        return NULL;
    }
    channel->function = function;
    channel->index = function->index;
    channel->generation = function->generation;
    channel->slots = channel->in_flight = 0;
    channel->start_blocked = false;
    list_init(&channel->running);
    channel->start = (struct watch){.fd = fds[0], .kind = WATCH_START, .owner = channel};
    channel->report = (struct watch){.fd = fds[1], .kind = WATCH_REPORT, .owner = channel};
    channel->log = fds[2];
    struct stat log;
    channel->log_size = fstat(fds[2], &log) == 0 ? (uint64_t)log.st_size : 0;
    watch_set(gw, &channel->report, EPOLLIN);
    return channel;
}

static void channel_close(struct gateway *gw, struct channel *channel)
{
    /* The supervisor can let its zygote go: nothing of ours is left on it. */
    link_send(gw, LINK_RETIRED, channel->index, channel->generation, channel->serial);
    watch_close(&channel->start);
    watch_close(&channel->report);
    fd_close(&channel->log);
    list_append(&gw->channels_given_back, &channel->node);
}

void channel_retire(struct gateway *gw, struct channel *channel)
{
    if (channel->function != NULL) {
        channel->function->channel = NULL;
        channel->function = NULL;
    }
    watch_close(&channel->start);
    if (channel->in_flight == 0)
        channel_close(gw, channel);
}

void channel_enter(struct channel *channel, struct call *call)
{
    channel->in_flight++;
    list_append(&channel->running, &call->node);
}

void channel_leave(struct gateway *gw, struct call *call)
{
    struct channel *channel = call->channel;
    list_remove(&call->node);
    lane_work_end(&gw->lanes, &call->work);
    channel->in_flight--;
    if (channel->function != NULL)
        function_mark(gw, channel->function);
}

void channel_settle(struct gateway *gw, struct channel *channel)
{
    if (channel->function == NULL && channel->in_flight == 0)
        channel_close(gw, channel);
}

static struct call *call_by_id(struct gateway *gw, struct channel *channel, uint64_t id)
{
    uint64_t index = id & 0xffff;
    if (index >= gw->calls_made)
        return NULL;
    struct call *call = &gw->calls[index];
    bool runs = call->state == LIFE_RUNNING || call->state == LIFE_STREAMING ||
                call->state == LIFE_EXPIRING || call->state == LIFE_ORPHAN;
    return runs && call->id == id && call->channel == channel ? call : NULL;
}

static void report_stamps(struct call *call, const struct exit_report *report)
{
    struct stage_clock *clock = &call->clock;
    clock->clone_ns = report->clone_ns;
    clock->at_ns[STAGE_CLONED] = report->cloned_ns;
    clock->at_ns[STAGE_FURNISHED] = report->furnished_ns;
    clock->at_ns[STAGE_TAKEN] = report->taken_ns;
    clock->at_ns[STAGE_EXEC] = report->exec_ns;
    clock->at_ns[STAGE_EXIT] = report->exit_ns;
    clock->at_ns[STAGE_MAPPED] = report->inner_ns[WARM_STAGE_MAPPED];
    clock->at_ns[STAGE_KERNEL] = report->inner_ns[WARM_STAGE_ENTERED];
    clock->at_ns[STAGE_PROGRAM] = report->inner_ns[WARM_STAGE_PROGRAM];
    /* Its own clean-up is still to come: the slot's previous one stands for it. */
    if (report->prev_cleaned_ns != 0 && report->exit_ns != 0)
        clock->at_ns[STAGE_CLEANED] = report->exit_ns + report->prev_cleaned_ns;
}

/* What the program used, of which a monitor says itself how much: not more than there was. */
static void charge_function(struct gateway *gw, const struct call *call)
{
    if (!timer_is_set(&gw->width_timer) || call->channel->function == NULL)
        return; /* nobody asks, or it is a program that was replaced */
    const struct exit_report *report = &call->report;
    uint64_t sent_ns = call->clock.at_ns[STAGE_SENT];
    uint64_t most_us = gw->now_ns > sent_ns ? (gw->now_ns - sent_ns) / 1000 * gw->widths.cpus : 0;
    uint64_t user_us = report->user_us < most_us ? report->user_us : most_us;
    uint64_t system_us = report->system_us < most_us ? report->system_us : most_us;
    uint64_t cpu_us = user_us + system_us < most_us ? user_us + system_us : most_us;
    width_charge(&gw->widths, &call->channel->function->width, cpu_us * 1000);
}

/* Takes one report: 1, 0 at the end of the connection, or -errno. */
static int report_take(struct gateway *gw, struct channel *channel)
{
    struct exit_report report;
    int rc = report_recv(channel->report.fd, &report);
    if (rc <= 0)
        return rc;
    struct call *call = call_by_id(gw, channel, report.call_id);
    if (report.epoch != gw->epoch || call == NULL)
        return 1; /* of an earlier gateway, or malformed: there is nobody to tell */
    call->report = report;
    report_stamps(call, &report);
    charge_function(gw, call);
    channel_leave(gw, call);
    call_event(gw, call, report.kind == REPORT_LOST ? LIFE_EV_LOST : LIFE_EV_EXITED);
    return 1;
}

/* One report an event: the socket is level-triggered, and another read would mostly find nothing.
 */
void channel_report(struct gateway *gw, struct channel *channel)
{
    if (channel->report.fd < 0)
        return;
    int rc = report_take(gw, channel);
    if (rc <= 0 && rc != -EAGAIN)
        channel_lost(gw, channel);
    else
        channel_settle(gw, channel);
}

void channel_lost(struct gateway *gw, struct channel *channel)
{
    while (report_take(gw, channel) == 1) /* what ended before the zygote did has ended well */
        ;
    struct list *node;
    while ((node = list_pop(&channel->running)) != NULL) {
        struct call *call = LIST_OWNER(node, struct call, node);
        channel->in_flight--;
        lane_work_end(&gw->lanes, &call->work);
        call_event(gw, call, LIFE_EV_LOST);
    }
    if (channel->function != NULL) {
        channel->function->channel = NULL;
        function_mark(gw, channel->function);
        channel->function = NULL;
    }
    channel_close(gw, channel);
}

void channel_writable(struct gateway *gw, struct channel *channel)
{
    channel->start_blocked = false;
    if (channel->start.fd < 0)
        return;
    watch_set(gw, &channel->start, 0);
    if (channel->function != NULL)
        function_mark(gw, channel->function);
}
