/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/lane.h"

#include <stddef.h>

static void lane_open(struct lane *lane)
{
    if (lane->conns.next != NULL)
        return;
    list_init(&lane->conns);
    list_init(&lane->functions);
    list_init(&lane->held);
    list_init(&lane->busy);
    list_init(&lane->node);
    list_init(&lane->held_node);
}

void lanes_init(struct lanes *lanes, struct lane *array, uint32_t count, uint32_t busy_max)
{
    lanes->lane = array;
    lanes->count = count;
    lanes->busy_max = busy_max;
    list_init(&lanes->turn);
    list_init(&lanes->held);
    lane_open(&array[0]);
}

struct lane *lanes_take(struct lanes *lanes)
{
    for (uint32_t i = 1; i < lanes->count; i++) {
        if (lanes->lane[i].users > 0)
            continue;
        lane_open(&lanes->lane[i]);
        return &lanes->lane[i];
    }
    return &lanes->lane[0];
}

void lane_wake(struct lanes *lanes, struct lane *lane)
{
    if (lane->in_turn)
        return;
    lane->in_turn = true;
    list_append(&lanes->turn, &lane->node);
}

static bool is_alone(const struct lanes *lanes, const struct lane *lane, uint64_t now_ns)
{
    uint64_t other_ns = lanes->last == lane ? lanes->other_ns : lanes->last_ns;
    return other_ns == 0 || now_ns - other_ns > LANE_ALONE_NS;
}

static void leave(struct lane *lane, struct lane_work *work)
{
    list_remove(&work->node);
    lane->busy_count--;
    work->lane = NULL;
}

bool lane_may_start(struct lanes *lanes, struct lane *lane, uint64_t now_ns)
{
    while (lane->busy_count >= lanes->busy_max) {
        struct lane_work *first = LIST_OWNER(lane->busy.next, struct lane_work, node);
        if (now_ns - first->at_ns < LANE_BUSY_NS)
            return is_alone(lanes, lane, now_ns);
        leave(lane, first);
    }
    return true;
}

static void enter(struct lane *lane, struct lane_work *work, uint64_t now_ns)
{
    work->lane = lane;
    work->at_ns = now_ns;
    list_append(&lane->busy, &work->node);
    lane->busy_count++;
}

void lane_work_begin(struct lanes *lanes, struct lane *lane, struct lane_work *work,
                     uint64_t now_ns)
{
    work->begun_ns = now_ns;
    enter(lane, work, now_ns);
    if (lanes->last != lane)
        lanes->other_ns = lanes->last_ns;
    lanes->last = lane;
    lanes->last_ns = now_ns;
}

void lane_work_touch(struct lane *lane, struct lane_work *work, uint64_t now_ns)
{
    if (now_ns - work->begun_ns > LANE_WORK_NS)
        return;
    if (work->lane != NULL)
        leave(work->lane, work);
    enter(lane, work, now_ns);
}

static void release(struct lanes *lanes, struct lane *lane)
{
    if (list_is_empty(&lane->held))
        return;
    list_move(&lane->held, &lane->functions);
    list_remove(&lane->held_node);
    lane_wake(lanes, lane);
}

void lane_hold(struct lanes *lanes, struct lane *lane, struct list *function)
{
    if (list_is_empty(&lane->held))
        list_append(&lanes->held, &lane->held_node);
    list_append(&lane->held, function);
}

void lane_work_end(struct lanes *lanes, struct lane_work *work)
{
    struct lane *lane = work->lane;
    if (lane == NULL)
        return;
    leave(lane, work);
    struct list *function = list_pop(&lane->held);
    if (function == NULL)
        return;
    if (list_is_empty(&lane->held))
        list_remove(&lane->held_node);
    list_append(&lane->functions, function);
    lane_wake(lanes, lane);
}

void lanes_release(struct lanes *lanes)
{
    while (!list_is_empty(&lanes->held))
        release(lanes, LIST_OWNER(lanes->held.next, struct lane, held_node));
}

struct lane *lanes_next(struct lanes *lanes)
{
    struct list *node;
    while ((node = list_pop(&lanes->turn)) != NULL) {
        struct lane *lane = LIST_OWNER(node, struct lane, node);
        lane->in_turn = !list_is_empty(&lane->conns) || !list_is_empty(&lane->functions);
        if (!lane->in_turn)
            continue;
        list_append(&lanes->turn, node);
        return lane;
    }
    return NULL;
}
