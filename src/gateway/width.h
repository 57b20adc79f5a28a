/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many calls of a function run at once, at most: its width, between two more than there are
 * CPUs and its concurrency.
 *
 * Programs that sleep or wait may run at once in any number. Programs that compute are served no
 * sooner by being started together: they share the CPUs, each takes so much longer, and every
 * sandbox that is made for it has its first request, its memory and its place in the caches to pay
 * for. So each function begins narrow, and becomes wider as long as the machine has processor time
 * left, or as long as it is not its tenant's own calls that use it up; it becomes narrower while
 * they do. What the machine has left is read while some function is held or wide, else never.
 *
 * Nothing here has a clock, a list or a call of its own.
 */
#ifndef SKERRY_GATEWAY_WIDTH_H
#define SKERRY_GATEWAY_WIDTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define WIDTH_LOOK_NS   (40 * NS_PER_MS) /* from one look to the next */
#define WIDTH_PERIOD_NS (200 * NS_PER_MS)

/* What a look says of the machine. */
enum width_view {
    WIDTH_IDLE,    /* half of its time was left since the last look */
    WIDTH_UNKNOWN, /* nothing: the period is not over */
    WIDTH_ROOM,    /* a tenth was left in the period */
    WIDTH_FULL,
};

struct width_point {
    uint64_t at_ns, idle_ns;
};

struct widths {
    uint32_t cpus;
    int uptime; /* /proc/uptime; -1 (it could not be read): functions are as wide as they may be */
    struct width_point last, period;
};

struct width {
    uint32_t now; /* 0: it has not been asked for */
    bool held;    /* a call waited for it since the last look */
};

void widths_init(struct widths *widths, uint32_t cpus, int uptime);
/* Time that all CPUs together were idle since boot, in steps of 10 ms. False: it cannot be read. */
bool widths_idle(const struct widths *widths, uint64_t *out_idle_ns);
/* The first look after a pause: a period begins. */
void widths_begin(struct widths *widths, uint64_t now_ns, uint64_t idle_ns);
enum width_view widths_look(struct widths *widths, uint64_t now_ns, uint64_t idle_ns);
/*
 * Whether a tenant's calls took a large part of a full machine's time in the period that a look
 * ended: a quarter of what it could have had beside so many other tenants that computed, too.
 */
bool widths_computes(const struct widths *widths, uint64_t period_ns, uint64_t cpu_ns,
                     uint32_t tenants);

/* The width of a function of that concurrency. */
uint32_t width_of(const struct widths *widths, struct width *width, uint32_t concurrency);
/* Whether a function with so many calls is watched: it may become wider or narrower. */
bool width_is_watched(const struct widths *widths, const struct width *width, uint32_t in_flight);
/* After a look; computes: widths_computes of its tenant. True: it has become wider. */
bool width_judge(const struct widths *widths, struct width *width, uint32_t concurrency,
                 enum width_view view, bool computes);

#endif
