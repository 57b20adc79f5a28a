/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: the statistics page as Prometheus text (format 0.0.4), written in pieces. All samples
 * of a family stand together, so the cursor walks families and, within each, functions.
 */
#ifndef SKERRY_GATEWAY_METRICS_H
#define SKERRY_GATEWAY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/stats.h"

struct metrics_cursor {
    uint32_t family;
    uint32_t function;
    uint32_t part; /* stage of a family that has one histogram a stage */
};

/* Gives the name and tenant of function `index`; false: there is none. */
typedef bool (*metrics_label_fn)(const void *arg, uint32_t index, const char **out_name,
                                 const char **out_tenant);

/* The least room that metrics_write needs to get on. */
#define METRICS_ROOM_MIN 8192u

/*
 * Writes whole lines into out (room >= METRICS_ROOM_MIN) from where the cursor stands and moves it.
 * Returns the bytes written; 0: everything has been written.
 */
size_t metrics_write(const struct stats_page *page, metrics_label_fn label, const void *arg,
                     struct metrics_cursor *cursor, char *out, size_t room);

#endif
