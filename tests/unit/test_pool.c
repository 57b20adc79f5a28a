/* SPDX-License-Identifier: Apache-2.0 */
/* Sandboxes shared out among functions: the budget holds at every moment and nobody starves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/pool.h"

#define T(seconds) ((uint64_t)(1000 + (seconds)) * NS_PER_SEC)

static struct pool *make(uint32_t budget)
{
    static struct pool pool;
    struct pool_config config = {
        .warm = 2, .idle = 1, .idle_after_ns = 60 * NS_PER_SEC, .budget = budget};
    pool_init(&pool, &config, T(0));
    return &pool;
}

/* Zygotes that do at once what they are asked. */
static void obey(struct pool *pool, uint64_t now)
{
    uint32_t index, granted;
    while (pool_next_change(pool, &index, &granted))
        pool_live(pool, index, granted);
}

static void holds(const struct pool *pool)
{
    uint32_t used = 0, granted = 0, is_short = 0;
    uint64_t used_bytes = 0, granted_bytes = 0, tenants_bytes = 0;
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        const struct pool_member *member = &pool->members[i];
        uint32_t charged = member->granted > member->live ? member->granted : member->live;
        used += charged;
        used_bytes += charged * member->cost;
        granted += member->granted;
        granted_bytes += member->granted * member->cost;
        tenants_bytes += pool->tenant_bytes[i];
        is_short += member->is_short;
        assert_true(member->granted <= member->max);
    }
    assert_int_equal(used, pool->used);
    assert_int_equal(granted, pool->granted);
    assert_int_equal(is_short, pool->short_count);
    assert_true(used <= pool->config.budget);
    assert_int_equal(used_bytes, pool->used_bytes);
    assert_int_equal(granted_bytes, pool->granted_bytes);
    assert_int_equal(granted_bytes, tenants_bytes);
}

static void test_new_function_is_warm_then_idle(void **state)
{
    struct pool *pool = make(100);
    pool_add(pool, 3, 64, 0, 1, T(0));
    assert_int_equal(pool_granted(pool, 3), 2);
    obey(pool, T(0));
    pool_tick(pool, T(59));
    assert_int_equal(pool_granted(pool, 3), 2);
    pool_tick(pool, T(61));
    assert_int_equal(pool_granted(pool, 3), 1);
    holds(pool);
}

static void test_grows_with_demand_and_shrinks_later(void **state)
{
    struct pool *pool = make(100);
    pool_add(pool, 0, 16, 0, 1, T(0));
    pool_want(pool, 0, 4, T(1));
    assert_int_equal(pool_granted(pool, 0), 10);
    pool_want(pool, 0, 100, T(2));
    assert_int_equal(pool_granted(pool, 0), 16); /* its own concurrency */
    obey(pool, T(2));
    pool_want(pool, 0, 1, T(3));
    pool_tick(pool, T(4));
    assert_int_equal(pool_granted(pool, 0), 16); /* a lull is not the end */
    pool_tick(pool, T(11));
    pool_tick(pool, T(22));
    assert_int_equal(pool_granted(pool, 0), 4);
    pool_want(pool, 0, 0, T(23));
    pool_tick(pool, T(34));
    pool_tick(pool, T(45));
    assert_int_equal(pool_granted(pool, 0), 2);
    pool_tick(pool, T(90));
    assert_int_equal(pool_granted(pool, 0), 1);
    holds(pool);
}

static void test_idle_functions_give_way(void **state)
{
    struct pool *pool = make(8);
    for (uint32_t i = 0; i < 4; i++)
        pool_add(pool, i, 64, 0, 1, T(i));
    pool_tick(pool, T(4)); /* 2 each: the budget is used up */
    obey(pool, T(4));
    assert_int_equal(pool->used, 8);
    pool_want(pool, 3, 4, T(20));
    /* the two oldest idle ones were told to give up theirs, but still have them */
    assert_int_equal(pool_granted(pool, 0), 0);
    assert_int_equal(pool_granted(pool, 1), 2);
    assert_int_equal(pool_granted(pool, 3), 2);
    holds(pool);
    pool_live(pool, 0, 0);
    assert_int_equal(pool_granted(pool, 3), 4);
    holds(pool);
}

/* What was called a moment ago keeps its last one, but for somebody who has none. */
static void test_functions_in_turn_keep_theirs(void **state)
{
    struct pool *pool = make(8);
    for (uint32_t i = 0; i < 4; i++)
        pool_add(pool, i, 64, 0, 1, T(i));
    pool_tick(pool, T(4));
    obey(pool, T(4));
    pool_want(pool, 3, 8, T(5));
    obey(pool, T(5));
    assert_int_equal(pool_granted(pool, 3), 5);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(pool_granted(pool, i), 1);
    pool_add(pool, 4, 64, 0, 1, T(6));
    pool_want(pool, 4, 1, T(6));
    obey(pool, T(6));
    assert_int_equal(pool_granted(pool, 4), 1);
    holds(pool);
}

static void test_each_gets_at_least_one(void **state)
{
    struct pool *pool = make(4);
    pool_add(pool, 0, 64, 0, 1, T(0));
    pool_want(pool, 0, 50, T(0));
    obey(pool, T(0));
    assert_int_equal(pool_granted(pool, 0), 4);
    pool_add(pool, 1, 64, 0, 1, T(1));
    assert_int_equal(pool_granted(pool, 1), 0);
    pool_want(pool, 1, 1, T(1));
    assert_int_equal(pool_granted(pool, 0), 3);
    assert_int_equal(pool_granted(pool, 1), 0); /* until the other one let go */
    obey(pool, T(1));
    assert_int_equal(pool_granted(pool, 1), 1);
    holds(pool);
}

static void test_more_functions_than_budget(void **state)
{
    struct pool *pool = make(10);
    for (uint32_t i = 0; i < 100; i++)
        pool_add(pool, i, 64, 0, 1, T(0));
    obey(pool, T(0));
    holds(pool);
    for (uint32_t i = 0; i < 100; i++) {
        pool_want(pool, i, 1, T(1));
        obey(pool, T(1));
        assert_true(pool_granted(pool, i) >= 1);
        pool_want(pool, i, 0, T(1));
        holds(pool);
    }
}

static void test_removal_frees_for_those_who_wait(void **state)
{
    struct pool *pool = make(4);
    pool_add(pool, 0, 4, 0, 1, T(0));
    pool_want(pool, 0, 4, T(0));
    pool_add(pool, 1, 4, 0, 1, T(0));
    pool_want(pool, 1, 4, T(0));
    obey(pool, T(0));
    pool_remove(pool, 0);
    assert_int_equal(pool_granted(pool, 1), 4);
    obey(pool, T(1));
    holds(pool);
}

static void test_death_of_a_zygote_frees(void **state)
{
    struct pool *pool = make(4);
    pool_add(pool, 0, 4, 0, 1, T(0));
    pool_want(pool, 0, 4, T(0));
    obey(pool, T(0));
    pool_live(pool, 0, 0);
    assert_int_equal(pool_granted(pool, 0), 4); /* its next zygote is asked for as many */
    holds(pool);
}

static void test_nothing_for_strangers(void **state)
{
    struct pool *pool = make(4);
    uint32_t index, granted;
    pool_want(pool, 7, 3, T(0));
    pool_live(pool, 7, 3);
    assert_false(pool_next_change(pool, &index, &granted));
    assert_int_equal(pool->used, 0);
}

static void test_memory_bounds_too(void **state)
{
    struct pool *pool = make(100);
    pool->config.budget_bytes = 1000;
    pool_add(pool, 0, 64, 0, 100, T(0));
    pool_add(pool, 1, 64, 0, 50, T(0));
    pool_want(pool, 0, 64, T(20));
    obey(pool, T(20));
    pool_tick(pool, T(20));
    /* what the other one had in reserve went to who needs it */
    assert_int_equal(pool_granted(pool, 0), 10);
    assert_int_equal(pool->used_bytes, 1000);
    pool_want(pool, 1, 1, T(21));
    obey(pool, T(21));
    assert_int_equal(pool_granted(pool, 1), 1);
    assert_true(pool->used_bytes <= 1000);
    holds(pool);
}

/* The first tenant holds so much besides its sandboxes. */
static void set_other(struct pool *pool, uint64_t bytes)
{
    static uint64_t of_tenant[FUNCTIONS_MAX];
    of_tenant[0] = bytes;
    pool_other(pool, bytes, of_tenant);
}

/* Snapshots and what was replaced: not a sandbox that could be taken back. */
static void test_other_memory_counts(void **state)
{
    struct pool *pool = make(100);
    pool->config.budget_bytes = 1000;
    pool_add(pool, 0, 64, 0, 100, T(0));
    pool_want(pool, 0, 64, T(1));
    obey(pool, T(1));
    assert_int_equal(pool_granted(pool, 0), 10);
    set_other(pool, 600);
    obey(pool, T(2));
    assert_int_equal(pool_granted(pool, 0), 4);
    pool_tick(pool, T(3));
    assert_int_equal(pool_granted(pool, 0), 4);
    set_other(pool, 5000); /* no place at all: one still runs */
    obey(pool, T(4));
    assert_int_equal(pool_granted(pool, 0), 1);
    set_other(pool, 0);
    pool_tick(pool, T(5));
    obey(pool, T(5));
    assert_int_equal(pool_granted(pool, 0), 10);
    holds(pool);
}

/* A tenant that deploys again and again has less room for sandboxes for it, not the others. */
static void test_other_memory_is_its_tenants(void **state)
{
    struct pool *pool = make(100);
    pool->config.budget_bytes = 1000;
    for (uint32_t i = 0; i < 2; i++)
        pool_add(pool, i, 64, i, 100, T(0));
    set_other(pool, 300);
    pool_want(pool, 0, 64, T(21));
    obey(pool, T(21));
    assert_int_equal(pool_granted(pool, 0), 7);
    pool_want(pool, 1, 64, T(22));
    obey(pool, T(22));
    assert_int_equal(pool_granted(pool, 0), 2);
    assert_int_equal(pool_granted(pool, 1), 5);
    set_other(pool, 400); /* it pays for what it makes, and gets it back */
    obey(pool, T(23));
    assert_int_equal(pool_granted(pool, 0), 1);
    assert_int_equal(pool_granted(pool, 1), 5);
    set_other(pool, 0);
    pool_tick(pool, T(24));
    obey(pool, T(24));
    assert_int_equal(pool_granted(pool, 0), 5);
    assert_int_equal(pool_granted(pool, 1), 5);
    holds(pool);
}

static void test_what_costs_more_is_taken_back(void **state)
{
    struct pool *pool = make(100);
    pool->config.budget_bytes = 1000;
    pool_add(pool, 0, 64, 0, 10, T(0));
    pool_want(pool, 0, 64, T(1));
    obey(pool, T(1));
    assert_int_equal(pool_granted(pool, 0), 64);
    pool_cost(pool, 0, 200);
    assert_int_equal(pool_granted(pool, 0), 5);
    assert_true(pool->used_bytes > 1000); /* until the requests in flight end */
    obey(pool, T(2));
    assert_true(pool->used_bytes <= 1000);
    pool_cost(pool, 0, 5000); /* one that fits nowhere: it still runs, alone */
    assert_int_equal(pool_granted(pool, 0), 1);
    holds(pool);
}

static void test_what_waits_is_taken_back_too(void **state)
{
    struct pool *pool = make(100);
    pool->config.budget_bytes = 300;
    for (uint32_t i = 0; i < 6; i++)
        pool_add(pool, i, 1, 0, 10, T(0));
    obey(pool, T(1));
    assert_int_equal(pool->granted, 6);
    for (uint32_t i = 0; i < 6; i++)
        pool_cost(pool, i, 100);
    pool_tick(pool, T(2)); /* before any of them is gone */
    obey(pool, T(3));
    assert_int_equal(pool->granted, 3);
    assert_true(pool->used_bytes <= 300);
    pool_tick(pool, T(4));
    assert_int_equal(pool->granted, 3);
    holds(pool);
}

static void test_larger_than_the_bound_runs_alone(void **state)
{
    struct pool *pool = make(100);
    pool->config.budget_bytes = 10;
    for (uint32_t i = 0; i < 3; i++)
        pool_add(pool, i, 64, 0, 100, T(0));
    for (uint32_t i = 0; i < 3; i++) {
        pool_want(pool, i, 2, T(1));
        obey(pool, T(1));
        assert_int_equal(pool_granted(pool, i), 1);
        assert_int_equal(pool->used, 1);
        pool_want(pool, i, 0, T(1));
        holds(pool);
    }
}

/* A tenant with ten functions that want all there is, and one with a single function. */
static void test_tenants_share_alike(void **state)
{
    struct pool *pool = make(40);
    for (uint32_t i = 0; i < 10; i++) {
        pool_add(pool, i, 64, 0, 1, T(0));
        pool_want(pool, i, 64, T(0));
        obey(pool, T(0));
    }
    pool_add(pool, 10, 64, 1, 1, T(1));
    pool_want(pool, 10, 8, T(1));
    obey(pool, T(1));
    assert_int_equal(pool_granted(pool, 10), 8); /* less than its half: all that it wants */
    pool_want(pool, 10, 64, T(2));
    obey(pool, T(2));
    assert_in_range(pool_granted(pool, 10), 19, 20);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(pool_granted(pool, i) >= 1);
    pool_want(pool, 3, 64, T(3)); /* the greedy one asks again: nothing changes */
    obey(pool, T(3));
    assert_in_range(pool_granted(pool, 10), 19, 20);
    holds(pool);
}

/* One tenant has all there is, one sandbox a function, all of them busy. */
static void test_a_tenant_with_nothing_gets_one(void **state)
{
    struct pool *pool = make(4);
    for (uint32_t i = 0; i < 4; i++) {
        pool_add(pool, i, 1, 0, 1, T(0));
        pool_want(pool, i, 1, T(0));
        obey(pool, T(0));
        assert_int_equal(pool_granted(pool, i), 1);
    }
    pool_add(pool, 4, 1, 1, 1, T(1));
    pool_want(pool, 4, 1, T(1));
    obey(pool, T(1));
    assert_int_equal(pool_granted(pool, 4), 1);
    pool_add(pool, 5, 1, 1, 1, T(2)); /* and a second, until both have the same */
    pool_want(pool, 5, 1, T(2));
    obey(pool, T(2));
    assert_int_equal(pool_granted(pool, 5), 1);
    pool_want(pool, 0, 1, T(3)); /* who lost one does not get it back from those */
    obey(pool, T(3));
    assert_int_equal(pool_granted(pool, 4), 1);
    assert_int_equal(pool_granted(pool, 5), 1);
    holds(pool);
}

static void test_a_thousand_functions_have_one_each(void **state)
{
    struct pool *pool = make(1024);
    for (uint32_t i = 0; i < 1000; i++) {
        pool_add(pool, i, 64, 0, 1, T(0));
        obey(pool, T(0));
    }
    pool_tick(pool, T(1));
    obey(pool, T(1));
    pool_tick(pool, T(2));
    for (uint32_t i = 0; i < 1000; i++)
        assert_true(pool_granted(pool, i) >= 1);
    holds(pool);
}

/* Whatever comes in whatever order: the sums are right, the budget holds, and the waiting are
 * served. */
static void test_random_walk(void **state)
{
    struct pool *pool = make(50);
    srand(1);
    for (int step = 0; step < 20000; step++) {
        uint32_t index = (uint32_t)(rand() % 40);
        uint64_t now = T(step / 20);
        switch (rand() % 6) {
        case 0:
            pool_add(pool, index, (uint32_t)(1 + rand() % 30), index % 3, 1 + index % 2, now);
            break;
        case 1:
            pool_remove(pool, index);
            break;
        case 2:
        case 3:
            pool_want(pool, index, (uint32_t)(rand() % 40), now);
            break;
        case 4:
            pool_tick(pool, now);
            break;
        default:
            obey(pool, now);
        }
        if (step % 50 == 0)
            holds(pool);
    }
    for (int i = 0; i < 10; i++) {
        obey(pool, T(2000 + i));
        pool_tick(pool, T(2000 + i));
    }
    for (uint32_t i = 0; i < 40; i++) {
        const struct pool_member *member = &pool->members[i];
        assert_true(member->want == 0 || member->max == 0 || member->granted >= 1);
    }
    holds(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_function_is_warm_then_idle),
        cmocka_unit_test(test_grows_with_demand_and_shrinks_later),
        cmocka_unit_test(test_idle_functions_give_way),
        cmocka_unit_test(test_functions_in_turn_keep_theirs),
        cmocka_unit_test(test_each_gets_at_least_one),
        cmocka_unit_test(test_more_functions_than_budget),
        cmocka_unit_test(test_removal_frees_for_those_who_wait),
        cmocka_unit_test(test_death_of_a_zygote_frees),
        cmocka_unit_test(test_nothing_for_strangers),
        cmocka_unit_test(test_memory_bounds_too),
        cmocka_unit_test(test_other_memory_counts),
        cmocka_unit_test(test_other_memory_is_its_tenants),
        cmocka_unit_test(test_what_costs_more_is_taken_back),
        cmocka_unit_test(test_what_waits_is_taken_back_too),
        cmocka_unit_test(test_larger_than_the_bound_runs_alone),
        cmocka_unit_test(test_tenants_share_alike),
        cmocka_unit_test(test_a_tenant_with_nothing_gets_one),
        cmocka_unit_test(test_a_thousand_functions_have_one_each),
        cmocka_unit_test(test_random_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
