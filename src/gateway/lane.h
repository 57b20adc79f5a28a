/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is: what is to be gone on with lies in a lane of its tenant, and the loop takes one
 * thing out of each lane in turn. So what a tenant waits for is one step of each of the others,
 * however many connections they have. The first lane is for connections of which nobody knows yet
 * whom they ask for.
 *
 * Between some steps the loop looks for new events: a tenant that has had nothing to do until now
 * gets into the turn.
 *
 * And how much of a tenant's work is under way at once: what is given to the scheduler is out of
 * our hands, and a sandbox that wakes up then waits for all that others were given. So while more
 * than one tenant starts calls, each has only so many that are *busy* that a CPU is left (but at
 * least one), and the rest of its calls wait in their queues: a call is busy for a millisecond from
 * its start, and from each larger piece of body or output that went through us in its first 20.
 * What sleeps or computes for longer is not counted: the first takes no CPU, and with the second
 * the scheduler deals well.
 */
#ifndef SKERRY_GATEWAY_LANE_H
#define SKERRY_GATEWAY_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "gateway/list.h"

#define LANE_BUSY_NS    (1 * NS_PER_MS)
#define LANE_ALONE_NS   (500 * NS_PER_MS) /* without a start of another tenant */
#define LANE_WORK_NS    (20 * NS_PER_MS) /* from a start; what goes on for longer holds nobody up */
#define LANE_BUSY_BYTES 4096u            /* a piece that makes a call busy */

struct lane {
    struct list conns;     /* marked */
    struct list functions; /* marked */
    struct list held;      /* functions whose next start waits for a call that is busy */
    struct list busy;      /* calls, the longest since its last sign first */
    struct list node;      /* of lanes.turn, while there is anything in it */
    struct list held_node; /* of lanes.held, while any of its functions is held */
    uint32_t users;        /* functions of its tenant */
    uint32_t busy_count;
    bool in_turn;
};

/* A call's part in it, all zeroes but the node at first. */
struct lane_work {
    struct list node;
    struct lane *lane; /* NULL: it is not busy */
    uint64_t at_ns;    /* its last sign of it */
    uint64_t begun_ns;
};

struct lanes {
    struct lane *lane; /* an array of zeroes, lane[0] the first one */
    uint32_t count;
    uint32_t busy_max; /* of each tenant's, unless it is alone */
    struct list turn;
    struct list held;
    const struct lane *last; /* that started a call, at last_ns; another one last at other_ns */
    uint64_t last_ns, other_ns;
};

void lanes_init(struct lanes *lanes, struct lane *array, uint32_t count, uint32_t busy_max);
/* A lane that nobody uses, or the first one when there is none. */
struct lane *lanes_take(struct lanes *lanes);
/* Something was put into the lane. */
void lane_wake(struct lanes *lanes, struct lane *lane);
/* Whether a call of the lane may be started now. */
bool lane_may_start(struct lanes *lanes, struct lane *lane, uint64_t now_ns);
/* A call was started. */
void lane_work_begin(struct lanes *lanes, struct lane *lane, struct lane_work *work,
                     uint64_t now_ns);
/* LANE_BUSY_BYTES or more of it went through. */
void lane_work_touch(struct lane *lane, struct lane_work *work, uint64_t now_ns);
/* It has ended: the function that was held first, if any, is marked again. */
void lane_work_end(struct lanes *lanes, struct lane_work *work);
/* Keeps a function, by its node, which is in no list, until one more may be started. */
void lane_hold(struct lanes *lanes, struct lane *lane, struct list *function);
/* Marks all that is held: some of the calls that were busy may not be so any more. */
void lanes_release(struct lanes *lanes);
/* The lane whose turn it is, now at the end of the turn; NULL: nothing is to be done. */
struct lane *lanes_next(struct lanes *lanes);

#endif
