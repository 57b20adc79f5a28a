/* SPDX-License-Identifier: Apache-2.0 */
/* Time by the time stamp counter: no exit. Timers are kept in the order of their deadlines. */
#ifndef SKERRY_GUEST_TIME_H
#define SKERRY_GUEST_TIME_H

#include "base.h"

struct timer {
    struct list link;
    uint64_t deadline_ns; /* of the monotonic clock */
    void (*fire)(struct timer *timer);
};

/** time_init(): at tsc the clocks were mono_ns and real_ns, and the counter runs with hz. */
void time_init(uint64_t tsc, uint64_t mono_ns, uint64_t real_ns, uint64_t hz);

uint64_t time_mono_ns(void);
uint64_t time_real_ns(void);
int64_t time_real_offset_ns(void);

/** time_tsc_of(): the counter's value at a time of the monotonic clock; NEVER stays NEVER. */
uint64_t time_tsc_of(uint64_t mono_ns);

/** timer_start(): fires once at deadline (moves a running one). timer_stop(): does nothing to one
 * that does not run. */
void timer_start(struct timer *timer, uint64_t deadline_ns);
void timer_stop(struct timer *timer);
void timer_init(struct timer *timer, void (*fire)(struct timer *));

/** timers_next(): deadline of the next timer, NEVER without one. timers_run(): fires what is due.
 */
uint64_t timers_next(void);
void timers_run(void);

#endif
