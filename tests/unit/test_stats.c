/* SPDX-License-Identifier: Apache-2.0 */
/* The stage clock's spans and the histograms' buckets and quantiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/stage.h"
#include "sandbox/stats.h"

static void spans_of_a_pooled_start(void **state)
{
    /* Furnished long before the request: sending to taking is short, cloning is its own. */
    struct stage_clock clock = {.clone_ns = 100};
    clock.at_ns[STAGE_CLONED] = 150;
    clock.at_ns[STAGE_FURNISHED] = 250;
    clock.at_ns[STAGE_ACCEPTED] = 1000;
    clock.at_ns[STAGE_QUEUED] = 1010;
    clock.at_ns[STAGE_SENT] = 1030;
    clock.at_ns[STAGE_TAKEN] = 1060;
    clock.at_ns[STAGE_EXEC] = 1100;
    clock.at_ns[STAGE_EXIT] = 1300;
    clock.at_ns[STAGE_FIRST_BYTE] = 1350; /* read after the exit */
    clock.at_ns[STAGE_CLEANED] = 1700;
    static const uint64_t want[STAGE_COUNT] = {0, 10, 20, 50, 100, 30, 40, 0, 0, 0, 250, 200, 400};
    for (int i = 0; i < STAGE_COUNT; i++)
        assert_int_equal(stage_span_ns(&clock, (enum stage)i), want[i]);
}

static void spans_of_a_machine_that_waited(void **state)
{
    struct stage_clock clock = {.clone_ns = 100};
    clock.at_ns[STAGE_CLONED] = 150;
    clock.at_ns[STAGE_MAPPED] = 900;
    clock.at_ns[STAGE_SENT] = 1030;
    clock.at_ns[STAGE_EXEC] = 1100;
    clock.at_ns[STAGE_KERNEL] = 1110;
    clock.at_ns[STAGE_PROGRAM] = 1130;
    clock.at_ns[STAGE_FIRST_BYTE] = 1200;
    clock.at_ns[STAGE_EXIT] = 1300;
    assert_int_equal(stage_span_ns(&clock, STAGE_MAPPED), 750);
    assert_int_equal(stage_span_ns(&clock, STAGE_KERNEL), 10);
    assert_int_equal(stage_span_ns(&clock, STAGE_PROGRAM), 20);
    assert_int_equal(stage_span_ns(&clock, STAGE_FIRST_BYTE), 70);
    assert_int_equal(stage_span_ns(&clock, STAGE_EXIT), 200);
}

static void spans_without_a_beginning_are_zero(void **state)
{
    struct stage_clock clock = {0};
    for (int i = 0; i <= STAGE_COUNT; i++)
        assert_int_equal(stage_span_ns(&clock, (enum stage)i), 0);
    clock.at_ns[STAGE_EXEC] = 50;
    assert_int_equal(stage_span_ns(&clock, STAGE_EXEC), 0);
    clock.at_ns[STAGE_ACCEPTED] = 60; /* backwards: never a huge number */
    assert_int_equal(stage_span_ns(&clock, STAGE_EXEC), 0);
    clock.at_ns[STAGE_ACCEPTED] = 10;
    clock.at_ns[STAGE_TAKEN] = 40;
    assert_int_equal(stage_span_ns(&clock, STAGE_TAKEN), 0); /* SENT is missing */
    assert_string_equal(stage_name(STAGE_FIRST_BYTE), "first_byte");
    assert_string_equal(stage_name(STAGE_CLEANED), "cleaned");
    assert_string_equal(stage_name(STAGE_COUNT), "unknown");
}

static void bounds_are_inclusive(void **state)
{
    static struct stats_histogram h;
    stats_observe(&h, 0);
    stats_observe(&h, 8000);
    stats_observe(&h, 8001);
    stats_observe(&h, UINT64_C(8000) << 18);
    stats_observe(&h, (UINT64_C(8000) << 18) + 1);
    assert_int_equal(h.bucket[0], 2);
    assert_int_equal(h.bucket[1], 1);
    assert_int_equal(h.bucket[18], 1);
    assert_int_equal(h.bucket[19], 1);
    assert_int_equal(h.count, 5);
    assert_int_equal(h.sum_ns, 8000 + 8001 + 2 * (UINT64_C(8000) << 18) + 1);
    assert_int_equal(stats_bucket_bound_ns(18), UINT64_C(8000) << 18);
    assert_true(stats_bucket_bound_ns(19) == UINT64_MAX);
    assert_true(stats_bucket_bound_ns(1000) == UINT64_MAX);
}

static void quantiles_interpolate(void **state)
{
    static struct stats_histogram h;
    assert_int_equal(stats_quantile_ns(&h, 0.5), 0);
    for (int i = 0; i < 10; i++)
        stats_observe(&h, 10000); /* bucket 1: (8000, 16000] */
    assert_int_equal(stats_quantile_ns(&h, 0.5), 12000);
    for (int i = 0; i < 10; i++)
        stats_observe(&h, 20000); /* bucket 2: (16000, 32000] */
    assert_int_equal(stats_quantile_ns(&h, 0.5), 16000);
    assert_int_equal(stats_quantile_ns(&h, 0.75), 24000);
    assert_int_equal(stats_quantile_ns(&h, 0), 0);
    assert_int_equal(stats_quantile_ns(&h, 1), 0);
    static struct stats_histogram beyond;
    stats_observe(&beyond, UINT64_MAX);
    assert_int_equal(stats_quantile_ns(&beyond, 0.5), UINT64_C(8000) << 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_of_a_pooled_start),
        cmocka_unit_test(spans_of_a_machine_that_waited),
        cmocka_unit_test(spans_without_a_beginning_are_zero),
        cmocka_unit_test(bounds_are_inclusive),
        cmocka_unit_test(quantiles_interpolate),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
