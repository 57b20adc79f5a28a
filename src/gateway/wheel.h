/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a hashed wheel of one-millisecond slots. Setting and clearing are two pointer writes and
 * a bit, so that each request can have a deadline; a timer never fires early, and at most two ticks
 * late.
 */
#ifndef SKERRY_GATEWAY_WHEEL_H
#define SKERRY_GATEWAY_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_SLOTS 4096u

struct timer {
    struct timer *next;
    struct timer **link; /* what points at us; NULL: not set */
    uint64_t tick;
    uint64_t due_ns; /* as asked */
    uint32_t kind;   /* of the owner, for whoever fires it */
};

struct wheel {
    struct timer *slots[WHEEL_SLOTS];
    uint64_t used[WHEEL_SLOTS / 64]; /* a bit for each slot that holds something */
    uint64_t tick;                   /* all timers up to this tick have fired */
    uint32_t count;
};

void wheel_init(struct wheel *wheel, uint64_t now_ns);

/* Sets (or moves) the timer to fire at due_ns, CLOCK_MONOTONIC. A time that has passed fires next.
 */
void wheel_set(struct wheel *wheel, struct timer *timer, uint64_t due_ns);

/* Clears the timer; nothing happens when it is not set. */
void wheel_clear(struct wheel *wheel, struct timer *timer);

static inline bool timer_is_set(const struct timer *timer)
{
    return timer->link != 0;
}

/*
 * Takes one timer that is due at now_ns and returns it, not set any more; NULL when none is left.
 * The owner of the returned one may set and clear any timer before the next call.
 */
struct timer *wheel_take(struct wheel *wheel, uint64_t now_ns);

/* Milliseconds that epoll_wait may sleep until the next timer: 0 or more, -1 when none is set. */
int wheel_sleep_ms(const struct wheel *wheel, uint64_t now_ns);

#endif
