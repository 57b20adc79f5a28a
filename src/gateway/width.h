/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many calls of a function run at once, at most: its width, between two more than there are
 * CPUs and its concurrency.
 *
 * Programs that sleep or wait may run at once in any number. Programs that compute are served no
 * sooner by being started together: they share the CPUs, each takes so much longer, and every
 * sandbox that is made for it has its first request, its memory and its place in the caches to pay
 * for. So each function begins narrow, and becomes wider as long as the machine has processor time
 * left, or as long as it is not its own calls that use it up; it becomes narrower while they do.
 * What the machine has left is read while some function is held, or wide and computing, else never.
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
#define WIDTH_CPU_NS    (2 * NS_PER_MS) /* in a period: with less a function does not compute */

/* What a look says of the machine. */
enum width_view {
    WIDTH_IDLE,    /* half of its time was left since the last look */
    WIDTH_UNKNOWN, /* nothing: the period is not over */
    WIDTH_ROOM,    /* a tenth was left in the period that has ended */
    WIDTH_FULL,
};

struct width_point {
    uint64_t at_ns, idle_ns;
};

struct widths {
    uint32_t cpus;
    int uptime; /* /proc/uptime; -1 (it could not be read): functions are as wide as they may be */
    struct width_point last, begun;
    uint32_t period;    /* the number of the one that began at begun */
    uint32_t computing; /* functions that used WIDTH_CPU_NS in it, as far as is known */
    uint32_t shared;    /* the same of the period before, at least 1 */
};

/* Of a function; all zeroes at first. */
struct width {
    uint32_t now;    /* 0: it has not been asked for */
    bool held;       /* calls wait for it */
    uint32_t period; /* that cpu_ns is of */
    uint64_t cpu_ns; /* of calls that ended in it, and what those of before used beyond theirs */
};

void widths_init(struct widths *widths, uint32_t cpus, int uptime);
/* Time that all CPUs together were idle since boot, in steps of 10 ms. False: it cannot be read. */
bool widths_idle(const struct widths *widths, uint64_t *out_idle_ns);
/* The first look after a pause: a period begins. Nothing was charged since the last one. */
void widths_begin(struct widths *widths, uint64_t now_ns, uint64_t idle_ns);
enum width_view widths_look(struct widths *widths, uint64_t now_ns, uint64_t idle_ns);
/* After a look, when all have been judged: if it ended a period, the next one begins. */
void widths_looked(struct widths *widths, uint64_t now_ns, uint64_t idle_ns);

/* The width of a function of that concurrency. */
uint32_t width_of(const struct widths *widths, struct width *width, uint32_t concurrency);
/* While something is watched: a call of it ended that used so much. 0: what is left of others. */
void width_charge(struct widths *widths, struct width *width, uint64_t cpu_ns);
/* Whether so many calls make a function worth watching: it may have to become narrower. */
bool width_is_wide(const struct widths *widths, uint32_t in_flight);
/* After a look, and a width_charge of 0 to all that are watched. True: it has become wider. */
bool width_judge(const struct widths *widths, struct width *width, uint32_t concurrency,
                 enum width_view view);

#endif
