/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/lane.h"

#include <stddef.h>

static void lane_open(struct lane *lane)
{
    if (lane->conns.next != NULL)
        return;
    list_init(&lane->conns);
    list_init(&lane->functions);
    list_init(&lane->node);
}

void lanes_init(struct lanes *lanes, struct lane *array, uint32_t count)
{
    lanes->lane = array;
    lanes->count = count;
    list_init(&lanes->turn);
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
