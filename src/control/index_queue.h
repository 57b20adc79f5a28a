/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of functions by index, first in first out. Whoever pushes makes sure that an index stands
 * in it at most once, so it never overflows.
 */
#ifndef SKERRY_CONTROL_INDEX_QUEUE_H
#define SKERRY_CONTROL_INDEX_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/function.h"

struct index_queue {
    uint32_t first, count;
    uint32_t at[FUNCTIONS_MAX];
};

static inline void queue_push(struct index_queue *queue, uint32_t index)
{
    queue->at[(queue->first + queue->count++) % FUNCTIONS_MAX] = index;
}

/* False when it is empty. */
static inline bool queue_peek(const struct index_queue *queue, uint32_t *out)
{
    if (queue->count == 0)
        return false;
    *out = queue->at[queue->first];
    return true;
}

static inline void queue_drop(struct index_queue *queue)
{
    queue->first = (queue->first + 1) % FUNCTIONS_MAX;
    queue->count--;
}

#endif
