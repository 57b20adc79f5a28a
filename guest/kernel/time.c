// SPDX-License-Identifier: Apache-2.0
/* Time by the time stamp counter, and timers. */
#include "time.h"

#include "../arch.h"

static struct {
    uint64_t tsc, mono_ns, hz;
    int64_t real_offset;
    uint64_t ns_per_tick; /* 2^-32 ns */
} base;

static struct list timers = {&timers, &timers};

void time_init(uint64_t tsc, uint64_t mono_ns, uint64_t real_ns, uint64_t hz)
{
    base.tsc = tsc;
    base.mono_ns = mono_ns;
    base.real_offset = (int64_t)(real_ns - mono_ns);
    base.hz = hz;
    base.ns_per_tick = (NS_PER_S << 32) / hz;
    arch_vdso_time(tsc, mono_ns, (uint64_t)base.real_offset, base.ns_per_tick);
}

uint64_t time_mono_ns(void)
{
    uint64_t ticks = arch_tsc() - base.tsc;
    return base.mono_ns + (uint64_t)(((unsigned __int128)ticks * base.ns_per_tick) >> 32);
}

int64_t time_real_offset_ns(void)
{
    return base.real_offset;
}

uint64_t time_real_ns(void)
{
    return time_mono_ns() + (uint64_t)base.real_offset;
}

uint64_t time_tsc_of(uint64_t mono_ns)
{
    if (mono_ns == NEVER)
        return NEVER;
    uint64_t ns = mono_ns > base.mono_ns ? mono_ns - base.mono_ns : 0;
    /* In two parts, so that no division of 128 bits is needed. */
    uint64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;
    if (s > NEVER / 2 / base.hz)
        return NEVER;
    return base.tsc + s * base.hz + rest * (base.hz / 1000) / 1000000 + 1;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *))
{
    list_init(&timer->link);
    timer->fire = fire;
}

void timer_start(struct timer *timer, uint64_t deadline_ns)
{
    list_del(&timer->link);
    timer->deadline_ns = deadline_ns;
    struct list *at = timers.prev;
    while (at != &timers && container_of(at, struct timer, link)->deadline_ns > deadline_ns)
        at = at->prev;
    list_add(at, &timer->link);
}

void timer_stop(struct timer *timer)
{
    list_del(&timer->link);
}

uint64_t timers_next(void)
{
    return list_empty(&timers) ? NEVER : container_of(timers.next, struct timer, link)->deadline_ns;
}

void timers_run(void)
{
    while (!list_empty(&timers)) {
        struct timer *timer = container_of(timers.next, struct timer, link);
        if (timer->deadline_ns > time_mono_ns())
            return;
        list_del(&timer->link);
        timer->fire(timer);
    }
}
