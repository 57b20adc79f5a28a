/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets how many sandboxes; see pool.h. */
#include "control/pool.h"

#include <string.h>

#include "base/clock.h"

#define WINDOW_NS (10 * NS_PER_SEC)

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t charge(const struct pool_member *member)
{
    return larger(member->granted, member->live);
}

static uint32_t room(const struct pool *pool)
{
    return pool->used < pool->config.budget ? pool->config.budget - pool->used : 0;
}

static void set_short(struct pool *pool, struct pool_member *member, bool is_short)
{
    if (member->is_short != is_short)
        pool->short_count += is_short ? 1u : UINT32_MAX; /* UINT32_MAX: minus one */
    member->is_short = is_short;
}

static void set_granted(struct pool *pool, struct pool_member *member, uint32_t granted)
{
    if (member->granted == granted)
        return;
    pool->used -= charge(member);
    pool->granted = pool->granted - member->granted + granted;
    member->granted = granted;
    pool->used += charge(member);
    if (!member->is_change) {
        member->is_change = true;
        pool->changes[pool->change_count++] = (uint32_t)(member - pool->members);
    }
}

static uint32_t desired(const struct pool *pool, const struct pool_member *member, uint64_t now_ns)
{
    uint32_t peak = larger(member->want, larger(member->peak, member->peak_before));
    bool idle = now_ns - member->active_ns >= pool->config.idle_after_ns;
    uint64_t count = idle ? pool->config.idle : pool->config.warm;
    if (peak > 0)
        count = 2 * (uint64_t)peak + pool->config.warm;
    return count < member->max ? (uint32_t)count : member->max;
}

/* Takes from the function that has been idle for longest all that it has. Returns how many. */
static uint32_t take_from_idle(struct pool *pool, const struct pool_member *taker)
{
    struct pool_member *oldest = NULL;
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        if (member == taker || member->granted == 0 || member->want > 0)
            continue;
        if (oldest == NULL || member->active_ns < oldest->active_ns)
            oldest = member;
    }
    if (oldest == NULL)
        return 0;
    uint32_t count = oldest->granted;
    set_granted(pool, oldest, 0);
    return count;
}

/* Takes a reserve that is not in use from a busy function: from the one that has most of it. */
static uint32_t take_reserve(struct pool *pool, const struct pool_member *taker)
{
    struct pool_member *richest = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        if (member == taker || member->granted <= member->want)
            continue;
        if (member->granted - member->want > most) {
            most = member->granted - member->want;
            richest = member;
        }
    }
    if (richest == NULL)
        return 0;
    uint32_t count = (most + 1) / 2;
    set_granted(pool, richest, richest->granted - count);
    return count;
}

/* Takes one from the function that has most, so that one without any can go on at all. */
static uint32_t take_one(struct pool *pool, const struct pool_member *taker)
{
    struct pool_member *largest = NULL;
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        if (member != taker && member->granted > 1 &&
            (largest == NULL || member->granted > largest->granted))
            largest = member;
    }
    if (largest == NULL)
        return 0;
    set_granted(pool, largest, largest->granted - 1);
    return 1;
}

/* Functions that want some and have none. */
static uint32_t starving_count(const struct pool *pool)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pool->top && count < pool->short_count; i++)
        count += pool->members[i].is_short && pool->members[i].granted == 0;
    return count;
}

static bool has_enough(const struct pool_member *member)
{
    return member->granted >= smaller(member->want, member->max);
}

static void give(struct pool *pool, struct pool_member *member, uint32_t target)
{
    if (target <= member->granted)
        return;
    /* what it still has of an earlier grant is paid for already */
    uint32_t paid = charge(member) - member->granted;
    uint32_t more = smaller(target - member->granted, room(pool) + paid);
    set_granted(pool, member, member->granted + more);
}

/* Makes others give up what the function lacks; it gets that when it is really free. */
static void reclaim(struct pool *pool, struct pool_member *member)
{
    uint32_t need = smaller(member->want, member->max) - member->granted;
    uint32_t coming = pool->used - pool->granted; /* taken back and not yet gone */
    while (coming < need) {
        uint32_t got = take_from_idle(pool, member);
        if (got == 0)
            got = take_reserve(pool, member);
        if (got == 0)
            break;
        coming += got;
    }
    for (uint32_t starving = starving_count(pool); coming < starving; coming++) {
        if (take_one(pool, member) == 0)
            break;
    }
}

static void serve_short(struct pool *pool, uint64_t now_ns)
{
    for (int round = 0; round < 2; round++) { /* those who have none first */
        for (uint32_t i = 0; i < pool->top && pool->short_count > 0 && room(pool) > 0; i++) {
            struct pool_member *member = &pool->members[i];
            if (!member->is_short || (round == 0 && member->granted > 0))
                continue;
            if (round == 0)
                give(pool, member, 1);
            else
                give(pool, member, desired(pool, member, now_ns));
            set_short(pool, member, !has_enough(member));
        }
    }
}

static void satisfy(struct pool *pool, struct pool_member *member, uint64_t now_ns)
{
    uint32_t others = starving_count(pool) - (member->is_short && member->granted == 0);
    if (others == 0)
        give(pool, member, desired(pool, member, now_ns));
    else
        serve_short(pool, now_ns);
    set_short(pool, member, !has_enough(member));
    if (member->is_short)
        reclaim(pool, member);
    if (pool->short_count > 0)
        serve_short(pool, now_ns); /* what was taken back may have been granted and never used */
}

void pool_init(struct pool *pool, const struct pool_config *config, uint64_t now_ns)
{
    memset(pool, 0, sizeof(*pool));
    pool->config = *config;
    pool->window_ns = now_ns;
}

void pool_add(struct pool *pool, uint32_t index, uint32_t max, uint64_t now_ns)
{
    struct pool_member *member = &pool->members[index];
    pool->top = larger(pool->top, index + 1);
    member->max = max;
    member->active_ns = now_ns;
    if (member->granted > max)
        set_granted(pool, member, max);
    if (pool->short_count == 0)
        give(pool, member, desired(pool, member, now_ns));
}

void pool_remove(struct pool *pool, uint32_t index, uint64_t now_ns)
{
    struct pool_member *member = &pool->members[index];
    set_short(pool, member, false);
    set_granted(pool, member, 0);
    pool->used -= charge(member);
    bool is_change = member->is_change;
    memset(member, 0, sizeof(*member));
    member->is_change = is_change;
    serve_short(pool, now_ns);
}

void pool_want(struct pool *pool, uint32_t index, uint32_t want, uint64_t now_ns)
{
    struct pool_member *member = &pool->members[index];
    if (member->max == 0)
        return;
    if (want > 0 || member->want > 0)
        member->active_ns = now_ns;
    member->want = want;
    member->peak = larger(member->peak, want);
    if (want > 0)
        satisfy(pool, member, now_ns);
    else
        set_short(pool, member, false);
}

void pool_live(struct pool *pool, uint32_t index, uint32_t live, uint64_t now_ns)
{
    struct pool_member *member = &pool->members[index];
    if (member->max == 0)
        return;
    pool->used -= charge(member);
    member->live = live;
    pool->used += charge(member);
    serve_short(pool, now_ns);
}

void pool_tick(struct pool *pool, uint64_t now_ns)
{
    bool turn = now_ns - pool->window_ns >= WINDOW_NS;
    if (turn)
        pool->window_ns = now_ns;
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        if (member->max == 0)
            continue;
        if (turn) {
            member->peak_before = member->peak;
            member->peak = member->want;
        }
        uint32_t target = desired(pool, member, now_ns);
        if (member->granted > target)
            set_granted(pool, member, target);
    }
    serve_short(pool, now_ns);
    for (uint32_t i = 0; i < pool->top && pool->short_count == 0 && room(pool) > 0; i++) {
        if (pool->members[i].max > 0)
            give(pool, &pool->members[i], desired(pool, &pool->members[i], now_ns));
    }
    for (uint32_t i = 0; i < pool->top && pool->short_count > 0; i++) {
        if (pool->members[i].is_short)
            satisfy(pool, &pool->members[i], now_ns);
    }
}

uint32_t pool_granted(const struct pool *pool, uint32_t index)
{
    return pool->members[index].granted;
}

bool pool_next_change(struct pool *pool, uint32_t *out_index, uint32_t *out_granted)
{
    while (pool->change_count > 0) {
        uint32_t index = pool->changes[--pool->change_count];
        struct pool_member *member = &pool->members[index];
        member->is_change = false;
        if (member->max == 0)
            continue; /* removed meanwhile */
        *out_index = index;
        *out_granted = member->granted;
        return true;
    }
    return false;
}
