/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is: what is to be gone on with lies in a lane of its tenant, and the loop takes one
 * thing out of each lane in turn. So what a tenant waits for is one step of each of the others,
 * however many connections they have. The first lane is for connections of which nobody knows yet
 * whom they ask for.
 *
 * Between some steps the loop looks for new events: a tenant that has had nothing to do until now
 * gets into the turn.
 */
#ifndef SKERRY_GATEWAY_LANE_H
#define SKERRY_GATEWAY_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/list.h"

struct lane {
    struct list conns;     /* marked */
    struct list functions; /* marked */
    struct list node;      /* of lanes.turn, while there is anything in it */
    uint32_t users;        /* functions of its tenant */
    bool in_turn;
};

struct lanes {
    struct lane *lane; /* an array of zeroes, lane[0] the first one */
    uint32_t count;
    struct list turn;
};

void lanes_init(struct lanes *lanes, struct lane *array, uint32_t count);
/* A lane that nobody uses, or the first one when there is none. */
struct lane *lanes_take(struct lanes *lanes);
/* Something was put into the lane. */
void lane_wake(struct lanes *lanes, struct lane *lane);
/* The lane whose turn it is, now at the end of the turn; NULL: nothing is to be done. */
struct lane *lanes_next(struct lanes *lanes);

#endif
