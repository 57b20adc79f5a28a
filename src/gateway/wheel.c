/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/wheel.h"

#include <string.h>

#include "base/clock.h"

/* Rounded up, so that no timer fires early. */
static uint64_t tick_of(uint64_t ns)
{
    return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
    memset(wheel, 0, sizeof(*wheel));
    wheel->tick = now_ns / NS_PER_MS;
}

void wheel_clear(struct wheel *wheel, struct timer *timer)
{
    if (timer->link == NULL)
        return;
    *timer->link = timer->next;
    if (timer->next != NULL)
        timer->next->link = timer->link;
    timer->link = NULL;
    wheel->count--;
    unsigned int slot = timer->tick % WHEEL_SLOTS;
    if (wheel->slots[slot] == NULL)
        wheel->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

void wheel_set(struct wheel *wheel, struct timer *timer, uint64_t due_ns)
{
    wheel_clear(wheel, timer);
    uint64_t tick = tick_of(due_ns);
    timer->due_ns = due_ns;
    timer->tick = tick > wheel->tick ? tick : wheel->tick + 1;
    unsigned int slot = timer->tick % WHEEL_SLOTS;
    timer->next = wheel->slots[slot];
    timer->link = &wheel->slots[slot];
    if (timer->next != NULL)
        timer->next->link = &timer->next;
    wheel->slots[slot] = timer;
    wheel->used[slot / 64] |= UINT64_C(1) << (slot % 64);
    wheel->count++;
}

/* Distance from `tick` + 1 to the next slot in use, WHEEL_SLOTS when there is none. */
static uint64_t next_used(const struct wheel *wheel, uint64_t tick)
{
    unsigned int first = (unsigned int)((tick + 1) % WHEEL_SLOTS);
    for (unsigned int step = 0; step <= WHEEL_SLOTS / 64; step++) {
        unsigned int word = (first / 64 + step) % (WHEEL_SLOTS / 64);
        uint64_t bits = wheel->used[word];
        if (step == 0)
            bits &= ~UINT64_C(0) << (first % 64);
        if (bits != 0) {
            unsigned int slot = word * 64 + (unsigned int)__builtin_ctzll(bits);
            return (slot - first) % WHEEL_SLOTS;
        }
    }
    return WHEEL_SLOTS;
}

struct timer *wheel_take(struct wheel *wheel, uint64_t now_ns)
{
    uint64_t now = now_ns / NS_PER_MS;
    while (wheel->tick < now) {
        uint64_t step = next_used(wheel, wheel->tick);
        if (step >= WHEEL_SLOTS || wheel->tick + 1 + step > now) {
            wheel->tick = now; /* nothing in use up to now */
            return NULL;
        }
        uint64_t tick = wheel->tick + 1 + step;
        for (struct timer *timer = wheel->slots[tick % WHEEL_SLOTS]; timer; timer = timer->next) {
            if (timer->tick <= tick) { /* the others are due in a later round */
                wheel_clear(wheel, timer);
                wheel->tick = tick - 1; /* look at this slot again */
                return timer;
            }
        }
        wheel->tick = tick;
    }
    return NULL;
}

int wheel_sleep_ms(const struct wheel *wheel, uint64_t now_ns)
{
    if (wheel->count == 0)
        return -1;
    /* A slot of a later round wakes us for nothing, at most once a round. */
    uint64_t due = wheel->tick + 1 + next_used(wheel, wheel->tick);
    uint64_t due_ns = due * NS_PER_MS;
    return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}
