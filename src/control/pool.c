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

/* How many sandboxes of a cost fit beside so many, and so many bytes, of others. */
static uint32_t fit(const struct pool *pool, uint64_t cost, uint32_t used, uint64_t used_bytes)
{
    const struct pool_config *config = &pool->config;
    uint32_t count = used < config->budget ? config->budget - used : 0;
    if (config->budget_bytes == 0 || cost == 0)
        return count;
    used_bytes += pool->other_bytes;
    uint64_t bytes = used_bytes < config->budget_bytes ? config->budget_bytes - used_bytes : 0;
    if (used == 0 && bytes < cost && count > 0)
        return 1; /* what is larger than all the memory still runs, alone */
    return bytes / cost < count ? (uint32_t)(bytes / cost) : count;
}

static uint32_t room(const struct pool *pool, const struct pool_member *member)
{
    return fit(pool, member->cost, pool->used, pool->used_bytes);
}

/* The room when all that was taken back is gone. */
static uint32_t room_to_come(const struct pool *pool, const struct pool_member *member)
{
    return fit(pool, member->cost, pool->granted, pool->granted_bytes);
}

/* What the tenant has, for comparing it with others. */
static uint64_t tenant_has(const struct pool *pool, uint32_t tenant)
{
    return pool->tenant_bytes[tenant] + pool->tenant_other[tenant];
}

static void set_short(struct pool *pool, struct pool_member *member, bool is_short)
{
    if (member->is_short != is_short)
        pool->short_count += is_short ? 1u : UINT32_MAX; /* UINT32_MAX: minus one */
    member->is_short = is_short;
}

static void count_out(struct pool *pool, const struct pool_member *member)
{
    uint64_t bytes = member->granted * member->cost;
    pool->granted -= member->granted;
    pool->used -= charge(member);
    pool->granted_bytes -= bytes;
    pool->used_bytes -= charge(member) * member->cost;
    pool->tenant_bytes[member->tenant] -= bytes;
}

static void count_in(struct pool *pool, const struct pool_member *member)
{
    uint64_t bytes = member->granted * member->cost;
    pool->granted += member->granted;
    pool->used += charge(member);
    pool->granted_bytes += bytes;
    pool->used_bytes += charge(member) * member->cost;
    pool->tenant_bytes[member->tenant] += bytes;
}

static void set_granted(struct pool *pool, struct pool_member *member, uint32_t granted)
{
    if (member->granted == granted)
        return;
    count_out(pool, member);
    member->granted = granted;
    count_in(pool, member);
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

/*
 * How many an idle function keeps: its last one, if it was called a moment ago, is only for
 * somebody who has none. Else functions that are called in turn would take theirs from those whose
 * turn is next.
 */
static uint32_t last_kept(const struct pool_member *member, const struct pool_member *taker,
                          uint64_t now_ns)
{
    return taker->granted > 0 && now_ns < member->active_ns + WINDOW_NS;
}

/* Takes from the function that has been idle for longest all that it need not keep. Returns how
 * many. */
static uint32_t take_from_idle(struct pool *pool, const struct pool_member *taker, uint64_t now_ns)
{
    struct pool_member *oldest = NULL;
    uint32_t keeps = 0;
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        uint32_t kept = last_kept(member, taker, now_ns);
        if (member == taker || member->granted <= kept || member->want > 0)
            continue;
        if (oldest == NULL || member->active_ns < oldest->active_ns) {
            oldest = member;
            keeps = kept;
        }
    }
    if (oldest == NULL)
        return 0;
    uint32_t count = oldest->granted - keeps;
    set_granted(pool, oldest, keeps);
    return count;
}

/* Takes a reserve that is not in use from a busy function: from the one that has most of it. */
static uint32_t take_reserve(struct pool *pool, const struct pool_member *taker, uint64_t now_ns)
{
    struct pool_member *richest = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        uint32_t kept = larger(member->want, last_kept(member, taker, now_ns));
        if (member == taker || member->granted <= kept)
            continue;
        if (member->granted - kept > most) {
            most = member->granted - kept;
            richest = member;
        }
    }
    if (richest == NULL)
        return 0;
    uint32_t count = (most + 1) / 2;
    set_granted(pool, richest, richest->granted - count);
    return count;
}

/* Takes the second of two that nobody asked for, so that a new function has one. */
static void take_second(struct pool *pool, const struct pool_member *taker)
{
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        if (member == taker || member->granted < 2 || member->want > 0)
            continue;
        set_granted(pool, member, member->granted - 1);
        return;
    }
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

static bool has_enough(const struct pool_member *member)
{
    return member->granted >= smaller(member->want, member->max);
}

/*
 * Takes one from the tenant that has most memory, if it has more than the taker's tenant is going
 * to have, out of its function that has most.
 */
static uint32_t take_from_tenant(struct pool *pool, const struct pool_member *taker)
{
    const struct pool_member *largest = NULL;
    uint64_t most = 0;
    for (uint32_t i = 0; i < pool->top; i++) {
        const struct pool_member *member = &pool->members[i];
        uint64_t bytes = tenant_has(pool, member->tenant);
        if (member->max == 0 || member->granted == 0 || member->tenant == taker->tenant)
            continue;
        /* its last one only for somebody who has none, and who will have no more than it keeps */
        if (member->granted == 1 &&
            (taker->granted > 0 || pool->tenant_bytes[member->tenant] < 2 * member->cost))
            continue;
        if (bytes < most ||
            (bytes == most && largest != NULL && member->granted <= largest->granted))
            continue;
        most = bytes;
        largest = member;
    }
    uint64_t comes = (uint64_t)room_to_come(pool, taker) * taker->cost;
    if (largest == NULL ||
        most < tenant_has(pool, taker->tenant) + comes + taker->cost + largest->cost)
        return 0;
    struct pool_member *member = &pool->members[largest - pool->members];
    set_granted(pool, member, member->granted - 1);
    set_short(pool, member, !has_enough(member));
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

static void give(struct pool *pool, struct pool_member *member, uint32_t target)
{
    if (target <= member->granted)
        return;
    /* what it still has of an earlier grant is paid for already */
    uint32_t paid = charge(member) - member->granted;
    uint32_t more = smaller(target - member->granted, room(pool, member) + paid);
    set_granted(pool, member, member->granted + more);
}

/* Makes others give up what the function lacks; it gets that when it is really free. */
static void reclaim(struct pool *pool, struct pool_member *member, uint64_t now_ns)
{
    uint32_t need = smaller(member->want, member->max) - member->granted;
    while (room_to_come(pool, member) < need) {
        uint32_t got = take_from_idle(pool, member, now_ns);
        if (got == 0)
            got = take_reserve(pool, member, now_ns);
        if (got == 0)
            got = take_from_tenant(pool, member);
        if (got == 0)
            break;
    }
    uint32_t starving = starving_count(pool);
    while (room_to_come(pool, member) < starving && take_one(pool, member) > 0)
        ;
}

/* The one in need whose tenant has least, and among those the one that has fewest; NULL: there is
 * no room for any. */
static struct pool_member *neediest(struct pool *pool)
{
    struct pool_member *found = NULL;
    uint64_t least = 0;
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        if (!member->is_short || room(pool, member) == 0)
            continue;
        uint64_t bytes = tenant_has(pool, member->tenant);
        bool first = found == NULL || (member->granted == 0) > (found->granted == 0);
        bool same = found != NULL && (member->granted == 0) == (found->granted == 0);
        if (first ||
            (same && (bytes < least || (bytes == least && member->granted < found->granted)))) {
            found = member;
            least = bytes;
        }
    }
    return found;
}

/* Gives what is free to those in need, one by one: those who have none first. */
static void serve_short(struct pool *pool)
{
    struct pool_member *member;
    while (pool->short_count > 0 && (member = neediest(pool)) != NULL) {
        give(pool, member, member->granted + 1);
        set_short(pool, member, !has_enough(member));
    }
}

static void satisfy(struct pool *pool, struct pool_member *member, uint64_t now_ns)
{
    bool alone = pool->short_count == (member->is_short ? 1u : 0u);
    if (alone)
        give(pool, member, desired(pool, member, now_ns));
    set_short(pool, member, !has_enough(member));
    serve_short(pool);
    if (!member->is_short)
        return;
    reclaim(pool, member, now_ns);
    serve_short(pool); /* what was taken back may have been granted and never used */
}

/* Takes one from the tenant that has most memory, out of its function that has most. */
static uint32_t take_from_richest(struct pool *pool)
{
    struct pool_member *found = NULL;
    uint64_t most = 0;
    for (uint32_t i = 0; i < pool->top; i++) {
        struct pool_member *member = &pool->members[i];
        uint64_t bytes = tenant_has(pool, member->tenant);
        if (member->granted > 1 && (found == NULL || bytes > most ||
                                    (bytes == most && member->granted > found->granted))) {
            found = member;
            most = bytes;
        }
    }
    if (found == NULL)
        return 0;
    set_granted(pool, found, found->granted - 1);
    set_short(pool, found, !has_enough(found));
    return 1;
}

/* What is granted is too much, since something grew: the idle give first, in the end all but one.
 */
static void shrink(struct pool *pool)
{
    static const struct pool_member nobody = {.max = 0};
    while (pool->config.budget_bytes > 0 &&
           pool->granted_bytes + pool->other_bytes > pool->config.budget_bytes) {
        uint32_t got = take_from_idle(pool, &nobody, 0);
        if (got == 0)
            got = take_reserve(pool, &nobody, 0);
        if (got == 0)
            got = take_from_richest(pool);
        if (got == 0)
            return;
    }
}

void pool_init(struct pool *pool, const struct pool_config *config, uint64_t now_ns)
{
    memset(pool, 0, sizeof(*pool));
    pool->config = *config;
    pool->window_ns = now_ns;
}

void pool_add(struct pool *pool, uint32_t index, uint32_t max, uint32_t tenant, uint64_t cost,
              uint64_t now_ns)
{
    struct pool_member *member = &pool->members[index];
    pool->top = larger(pool->top, index + 1);
    count_out(pool, member);
    member->max = max;
    member->tenant = tenant;
    member->cost = cost;
    count_in(pool, member);
    shrink(pool);
    member->active_ns = now_ns;
    if (member->granted > max)
        set_granted(pool, member, max);
    if (member->is_short)
        set_short(pool, member, !has_enough(member));
    if (pool->short_count > 0)
        return;
    /* while there is plenty it is warm at once; later it gets one, if need be out of a reserve */
    bool plenty = room(pool, member) > fit(pool, cost, 0, 0) / 2;
    uint32_t target = plenty ? desired(pool, member, now_ns) : 1;
    if (member->granted == 0 && room(pool, member) == 0)
        take_second(pool, member);
    give(pool, member, target);
}

void pool_remove(struct pool *pool, uint32_t index)
{
    struct pool_member *member = &pool->members[index];
    set_short(pool, member, false);
    set_granted(pool, member, 0);
    count_out(pool, member);
    bool is_change = member->is_change;
    memset(member, 0, sizeof(*member));
    member->is_change = is_change;
    serve_short(pool);
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

void pool_live(struct pool *pool, uint32_t index, uint32_t live)
{
    struct pool_member *member = &pool->members[index];
    if (member->max == 0)
        return;
    count_out(pool, member);
    member->live = live;
    count_in(pool, member);
    serve_short(pool);
}

void pool_cost(struct pool *pool, uint32_t index, uint64_t cost)
{
    struct pool_member *member = &pool->members[index];
    if (member->max == 0 || member->cost == cost)
        return;
    count_out(pool, member);
    member->cost = cost;
    count_in(pool, member);
    shrink(pool);
}

void pool_other(struct pool *pool, uint64_t bytes, const uint64_t *of_tenant)
{
    pool->other_bytes = bytes;
    memcpy(pool->tenant_other, of_tenant, sizeof(pool->tenant_other));
    shrink(pool);
}

/* Before anyone has two in reserve each has one. False: some have none yet. */
static bool one_each(struct pool *pool)
{
    bool all = true;
    for (uint32_t i = 0; i < pool->top && pool->short_count == 0; i++) {
        struct pool_member *member = &pool->members[i];
        if (member->max == 0 || member->granted > 0)
            continue;
        if (room(pool, member) == 0)
            take_second(pool, member);
        /* its last one may not be gone yet, and was taken because there is too much */
        if (room_to_come(pool, member) > 0)
            give(pool, member, 1);
        all &= member->granted > 0;
    }
    return all;
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
    serve_short(pool);
    bool all = one_each(pool);
    for (uint32_t i = 0; i < pool->top && all && pool->short_count == 0; i++) {
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
