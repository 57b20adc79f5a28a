/* SPDX-License-Identifier: Apache-2.0 */
/* Small parts of the gateway: timers, dates, text, lists, the metrics writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/civil.h"
#include "gateway/lane.h"
#include "gateway/list.h"
#include "gateway/metrics.h"
#include "gateway/text.h"
#include "gateway/wheel.h"
#include "gateway/width.h"

#define TIMERS 500

static struct wheel wheel;
static struct timer timers[TIMERS];

/* Random times, random clears: none fires early, none is lost, all fire within two ticks. */
static void timers_fire_in_time(void **state)
{
    uint64_t now = 123456789012345;
    unsigned int seed = 7;
    bool cleared[TIMERS] = {false}, fired[TIMERS] = {false};
    wheel_init(&wheel, now);
    assert_int_equal(wheel_sleep_ms(&wheel, now), -1);
    for (int i = 0; i < TIMERS; i++) {
        seed = seed * 1103515245 + 12345;
        wheel_set(&wheel, &timers[i], now + (uint64_t)(seed % 20000000) * 1000); /* up to 20 s */
        if (i % 3 == 0)
            wheel_set(&wheel, &timers[i], now + (uint64_t)(seed % 9000000) * 1000);
        if (i % 7 == 0) {
            wheel_clear(&wheel, &timers[i]);
            wheel_clear(&wheel, &timers[i]);
            cleared[i] = true;
        }
    }
    uint64_t end = now + 21 * NS_PER_SEC;
    int left = TIMERS;
    for (int i = 0; i < TIMERS; i++)
        left -= cleared[i];
    assert_int_equal(wheel.count, left);
    while (now < end) {
        int sleep = wheel_sleep_ms(&wheel, now);
        if (sleep < 0)
            break;
        now += (uint64_t)(sleep + 1) * NS_PER_MS; /* epoll_wait may oversleep */
        struct timer *timer;
        while ((timer = wheel_take(&wheel, now)) != NULL) {
            int i = (int)(timer - timers);
            assert_false(cleared[i] || fired[i]);
            assert_true(timer->due_ns <= now);
            assert_true(now - timer->due_ns <= 3 * NS_PER_MS);
            assert_false(timer_is_set(timer));
            fired[i] = true;
            left--;
        }
    }
    assert_int_equal(left, 0);
    assert_int_equal(wheel.count, 0);
}

static void a_long_sleep_fires_all(void **state)
{
    uint64_t now = 1000 * NS_PER_SEC;
    wheel_init(&wheel, now);
    memset(timers, 0, sizeof(timers));
    for (int i = 0; i < TIMERS; i++)
        wheel_set(&wheel, &timers[i], now + (uint64_t)i * 37 * NS_PER_MS);
    int count = 0;
    now += 3600 * NS_PER_SEC;
    while (wheel_take(&wheel, now) != NULL)
        count++;
    assert_int_equal(count, TIMERS);
    wheel_set(&wheel, &timers[0], now - 5 * NS_PER_SEC); /* in the past: at the next tick */
    assert_null(wheel_take(&wheel, now));
    assert_ptr_equal(wheel_take(&wheel, now + 2 * NS_PER_MS), &timers[0]);
}

static void dates(void **state)
{
    static const struct {
        uint64_t unix_s;
        struct civil civil;
    } rows[] = {
        {0, {1970, 1, 1, 0, 0, 0, 4}},
        {951782399, {2000, 2, 28, 23, 59, 59, 1}},
        {951782400, {2000, 2, 29, 0, 0, 0, 2}},
        {1709251199, {2024, 2, 29, 23, 59, 59, 4}},
        {1735689599, {2024, 12, 31, 23, 59, 59, 2}},
        {4107542400, {2100, 3, 1, 0, 0, 0, 1}},
        {784111777, {1994, 11, 6, 8, 49, 37, 0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct civil got = civil_of(rows[i].unix_s);
        assert_memory_equal(&got, &rows[i].civil, sizeof(got));
    }
}

static void text_never_passes_its_end(void **state)
{
    char room[8] = "xxxxxxxx";
    struct text text = text_over(room, 7);
    text_uint(&text, 18446744073709551615u);
    assert_true(text.full);
    assert_ptr_equal(text.at, room);
    text = text_over(room, 7);
    text_uint_width(&text, 42, 5);
    text_hex(&text, 0xabc, 2);
    assert_false(text.full);
    assert_memory_equal(room, "00042bcx", 8);
    text_char(&text, 'y');
    assert_true(text.full);
    assert_int_equal(room[7], 'x');
    char seconds[32];
    text = text_over(seconds, sizeof(seconds));
    text_seconds(&text, 1234567890123);
    assert_memory_equal(seconds, "1234.567890", 11);
}

static void lists(void **state)
{
    struct list a, b, nodes[4];
    list_init(&a);
    list_init(&b);
    list_move(&a, &b);
    assert_true(list_is_empty(&b));
    for (int i = 0; i < 4; i++)
        list_append(i < 2 ? &a : &b, &nodes[i]);
    list_move(&b, &a);
    assert_true(list_is_empty(&b));
    list_remove(&nodes[1]);
    list_append(a.next, &nodes[1]); /* to the front */
    assert_ptr_equal(list_pop(&a), &nodes[1]);
    assert_ptr_equal(list_pop(&a), &nodes[0]);
    assert_ptr_equal(list_pop(&a), &nodes[2]);
    assert_ptr_equal(list_pop(&a), &nodes[3]);
    assert_null(list_pop(&a));
}

static struct stats_page page;

static bool label_of(const void *arg, uint32_t index, const char **out_name,
                     const char **out_tenant)
{
    *out_name = index == 5 ? "five" : "other\"\\\n";
    *out_tenant = "default";
    return index == 5 || index == FUNCTIONS_MAX - 1;
}

/* All of /metrics, written in pieces of the given room. */
static char *metrics_all(size_t room)
{
    static char text[1 << 20];
    struct metrics_cursor cursor = {0};
    size_t used = 0, size;
    while ((size = metrics_write(&page, label_of, NULL, &cursor, text + used, room)) > 0)
        used += size;
    text[used] = '\0';
    return text;
}

static void metrics_are_whole(void **state)
{
    struct function_stats *stats = &page.function[5];
    stats->result[STATS_OK] = 7;
    stats->result[STATS_SIGNALLED] = 2;
    stats->result[STATS_OOM] = 1;
    stats->starts[STATS_POOLED] = 6;
    stats_observe(&stats->total, 9000);
    stats_observe(&stats->total, UINT64_MAX / 4);
    stats_observe(&stats->stage[STAGE_EXEC], 100);
    char *small = strdup(metrics_all(METRICS_ROOM_MIN));
    assert_string_equal(small, metrics_all(64 * 1024));
    free(small);
    char *text = metrics_all(32 * 1024);
    static const char *const lines[] = {
        "# TYPE skerry_invocations_total counter\n",
        "\nskerry_invocations_total{function=\"five\",tenant=\"default\",result=\"ok\"} 7\n",
        "\nskerry_invocations_total{function=\"other\\\"\\\\\\n\",tenant=\"default\",result=\"ok\"}"
        " 0\n",
        "\ngateway_function_invocation_total{function_name=\"five.default\",code=\"200\"} 7\n",
        "\ngateway_function_invocation_total{function_name=\"five.default\",code=\"502\"} 3\n",
        "\nskerry_starts_total{function=\"five\",tenant=\"default\",kind=\"pooled\"} 6\n",
        "\nskerry_duration_seconds_bucket{function=\"five\",tenant=\"default\",le=\"0.000008\"} "
        "0\n",
        "\nskerry_duration_seconds_bucket{function=\"five\",tenant=\"default\",le=\"0.000016\"} "
        "1\n",
        "\nskerry_duration_seconds_bucket{function=\"five\",tenant=\"default\",le=\"+Inf\"} 2\n",
        "\nskerry_duration_seconds_count{function=\"five\",tenant=\"default\"} 2\n",
        "\nskerry_stage_seconds_bucket{function=\"five\",tenant=\"default\",stage=\"exec\",le=\"0."
        "000008\"} 1\n",
        "\nskerry_stage_seconds_sum{function=\"five\",tenant=\"default\",stage=\"exec\"} "
        "0.000000100\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (strstr(text, lines[i]) == NULL)
            fail_msg("missing: %s", lines[i]);
    }
    /* Every family is one group: its TYPE line stands once. */
    char *first = strstr(text, "# TYPE skerry_stage_seconds");
    assert_null(strstr(first + 1, "# TYPE skerry_stage_seconds"));
    assert_null(strstr(text, "\n\n"));
}

enum { LANES = 4, BUSY_MAX = 2 };
static struct lane lane_array[LANES];

static void lanes_begin(struct lanes *lanes, struct lane **a, struct lane **b)
{
    memset(lane_array, 0, sizeof(lane_array));
    memset(lanes, 0, sizeof(*lanes));
    lanes_init(lanes, lane_array, LANES, BUSY_MAX);
    *a = lanes_take(lanes);
    (*a)->users = 1;
    *b = lanes_take(lanes);
    (*b)->users = 1;
}

static struct lane_work *work_begin(struct lanes *lanes, struct lane *lane, uint64_t now_ns)
{
    static struct lane_work works[32];
    static unsigned int next;
    struct lane_work *work = &works[next++ % 32];
    list_init(&work->node);
    lane_work_begin(lanes, lane, work, now_ns);
    return work;
}

static void a_tenant_that_is_alone_is_not_held(void **state)
{
    struct lanes lanes;
    struct lane *a, *b;
    lanes_begin(&lanes, &a, &b);
    const uint64_t at = LANE_ALONE_NS;
    for (int i = 0; i < 8; i++) {
        assert_true(lane_may_start(&lanes, a, at));
        work_begin(&lanes, a, at);
    }
    work_begin(&lanes, b, at);
    assert_false(lane_may_start(&lanes, a, at));
    assert_true(lane_may_start(&lanes, b, at));
    /* busy all the time, and the other one has gone */
    const uint64_t later = at + LANE_ALONE_NS + 1;
    for (int i = 0; i < 8; i++) {
        assert_true(lane_may_start(&lanes, a, later));
        work_begin(&lanes, a, later);
    }
}

static void of_tenants_together_few_calls_are_busy(void **state)
{
    struct lanes lanes;
    struct lane *a, *b;
    lanes_begin(&lanes, &a, &b);
    const uint64_t at = LANE_ALONE_NS;
    work_begin(&lanes, b, at);
    struct lane_work *first = work_begin(&lanes, a, at);
    struct lane_work *second = work_begin(&lanes, a, at);
    assert_false(lane_may_start(&lanes, a, at + LANE_BUSY_NS - 1));
    lane_work_end(&lanes, second);
    assert_true(lane_may_start(&lanes, a, at));
    lane_work_end(&lanes, second); /* twice is once */
    second = work_begin(&lanes, a, at);
    /* the first has given no sign of work since: it sleeps or computes */
    lane_work_touch(a, second, at + LANE_BUSY_NS);
    assert_true(lane_may_start(&lanes, a, at + LANE_BUSY_NS));
    assert_null(first->lane);
    assert_ptr_equal(second->lane, a);
    lane_work_touch(a, first, at + LANE_BUSY_NS); /* it is at work again */
    assert_false(lane_may_start(&lanes, a, at + LANE_BUSY_NS));
    /* both go on without end: that holds nobody up for long */
    const uint64_t later = at + LANE_WORK_NS + LANE_BUSY_NS;
    lane_work_touch(a, first, later);
    lane_work_touch(a, second, later);
    assert_true(lane_may_start(&lanes, a, later));
}

static void what_is_held_goes_on_in_order(void **state)
{
    struct lanes lanes;
    struct lane *a, *b;
    struct list functions[3];
    lanes_begin(&lanes, &a, &b);
    struct lane_work *work = work_begin(&lanes, a, 1);
    for (int i = 0; i < 3; i++) {
        list_init(&functions[i]);
        lane_hold(&lanes, a, &functions[i]);
    }
    assert_null(lanes_next(&lanes));
    lane_work_end(&lanes, work); /* one for one */
    assert_ptr_equal(lanes_next(&lanes), a);
    assert_ptr_equal(list_pop(&a->functions), &functions[0]);
    assert_null(lanes_next(&lanes));
    lanes_release(&lanes);
    assert_ptr_equal(lanes_next(&lanes), a);
    assert_ptr_equal(list_pop(&a->functions), &functions[1]);
    assert_ptr_equal(list_pop(&a->functions), &functions[2]);
    assert_true(list_is_empty(&lanes.held));
    lanes_release(&lanes);
    assert_null(lanes_next(&lanes));
}

/* --- width.h --- */

static int uptime_of(const char *text)
{
    int fd = memfd_create("uptime", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static void idle_time_is_read(void **state)
{
    struct widths widths;
    uint64_t idle_ns = 0;
    widths_init(&widths, 2, uptime_of("10.00 123.45\n"));
    assert_true(widths_idle(&widths, &idle_ns));
    assert_int_equal(idle_ns, UINT64_C(123450) * NS_PER_MS);
    struct width width = {0};
    const char *const wrong[] = {"", "12"};
    for (size_t i = 0; i < 2; i++) { /* nobody is held for what nobody knows */
        widths_init(&widths, 2, uptime_of(wrong[i]));
        assert_int_equal(widths.uptime, -1);
        assert_int_equal(width_of(&widths, &width, 64), 64);
        assert_false(width_is_wide(&widths, 64));
        assert_int_equal(width.now, 0);
    }
}

static void a_look_tells_idle_from_full(void **state)
{
    struct widths widths;
    widths_init(&widths, 2, uptime_of("1.00 1.00\n"));
    const uint64_t now = 1000 * NS_PER_MS, idle = 500 * NS_PER_MS;
    const struct {
        uint64_t after_ms, idle_ms;
        enum width_view view;
    } looks[] = {
        {40, 40, WIDTH_IDLE},  {80, 50, WIDTH_UNKNOWN}, {200, 50, WIDTH_ROOM},
        {400, 80, WIDTH_FULL}, {600, 0, WIDTH_FULL}, /* the kernel's sum may go back a little */
    };
    widths_begin(&widths, now, idle);
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        uint64_t at_ns = now + looks[i].after_ms * NS_PER_MS;
        uint64_t idle_ns = idle + looks[i].idle_ms * NS_PER_MS;
        assert_int_equal(widths_look(&widths, at_ns, idle_ns), looks[i].view);
        widths_looked(&widths, at_ns, idle_ns);
    }
}

static void a_function_widens_while_there_is_time_left(void **state)
{
    struct widths widths;
    struct width width = {0}, one = {0};
    widths_init(&widths, 2, uptime_of("1.00 1.00\n"));
    assert_int_equal(width_of(&widths, &one, 1), 1);
    assert_int_equal(width_of(&widths, &width, 30), 4);
    assert_false(width_is_wide(&widths, 4));
    assert_true(width_is_wide(&widths, 5));
    assert_false(width_judge(&widths, &width, 30, WIDTH_IDLE)); /* nobody waits */
    width.held = true;
    assert_false(width_judge(&widths, &width, 30, WIDTH_UNKNOWN));
    assert_true(width_judge(&widths, &width, 30, WIDTH_IDLE));
    assert_int_equal(width_of(&widths, &width, 30), 8);
    /* who fills the machine is others: that takes little from who does not compute */
    const struct {
        uint32_t computing, next;
        enum width_view view;
    } looks[] = {{0, 11, WIDTH_ROOM}, {1, 14, WIDTH_FULL}, {0, 15, WIDTH_FULL}, {0, 19, WIDTH_ROOM},
                 {9, 24, WIDTH_FULL}, {0, 25, WIDTH_FULL}, {1, 30, WIDTH_FULL}};
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        widths.computing = looks[i].computing;
        assert_true(width_judge(&widths, &width, 30, looks[i].view));
        assert_int_equal(width_of(&widths, &width, 30), looks[i].next);
    }
    assert_false(width_judge(&widths, &width, 30, WIDTH_IDLE));
}

static void who_computes_becomes_narrow(void **state)
{
    struct widths widths;
    struct width width = {.now = 30};
    widths_init(&widths, 2, uptime_of("1.00 1.00\n"));
    widths_begin(&widths, NS_PER_SEC, 0);
    width_charge(&widths, &width, 50 * NS_PER_MS); /* an eighth of two CPUs */
    const uint32_t next[] = {23, 18, 14, 11, 9, 7, 6, 5, 4, 4};
    for (size_t i = 0; i < 10; i++) {
        width.held = i % 2 == 0;
        assert_false(width_judge(&widths, &width, 30, WIDTH_FULL));
        assert_int_equal(width_of(&widths, &width, 30), next[i]);
    }
}

/* What is much for one that computes depends on how many do; those that hardly do are not counted.
 */
static void a_share_is_a_share_of_those_who_compute(void **state)
{
    struct widths widths;
    struct width width[4] = {{.now = 30}, {.now = 30}, {.now = 30}, {.now = 30}};
    widths_init(&widths, 2, uptime_of("1.00 1.00\n"));
    widths_begin(&widths, NS_PER_SEC, 0);
    width_charge(&widths, &width[0], 30 * NS_PER_MS);
    width_charge(&widths, &width[1], WIDTH_CPU_NS - 1);
    width_judge(&widths, &width[0], 30, WIDTH_FULL);
    width_judge(&widths, &width[1], 30, WIDTH_FULL);
    assert_int_equal(width[0].now, 30);
    width_charge(&widths, &width[2], 200 * NS_PER_MS);
    for (int i = 0; i < 20; i++)
        width_charge(&widths, &width[3], 10 * NS_PER_MS);
    assert_int_equal(widths.computing, 3);
    for (int i = 0; i < 4; i++)
        width_judge(&widths, &width[i], 30, WIDTH_FULL);
    assert_int_equal(width[0].now, 23);
    assert_int_equal(width[1].now, 30);
    assert_int_equal(width[2].now, 23);
}

/* A call of a second on two CPUs: the two periods after it are full of it, too; if another one
 * computes, four are. A pause ends that. */
static void long_calls_count_for_later_periods(void **state)
{
    struct widths widths;
    struct width width = {.now = 30}, other = {.now = 30};
    widths_init(&widths, 2, uptime_of("1.00 1.00\n"));
    widths_begin(&widths, NS_PER_SEC, 0);
    width_charge(&widths, &width, NS_PER_SEC);
    const uint64_t left_ms[] = {1000, 600, 200, 0};
    for (uint64_t i = 0; i < 4; i++) {
        width_charge(&widths, &width, 0);
        assert_int_equal(width.cpu_ns, left_ms[i] * NS_PER_MS);
        assert_int_equal(widths.computing, i < 3);
        widths_looked(&widths, NS_PER_SEC + (i + 1) * WIDTH_PERIOD_NS, 0);
    }
    width_charge(&widths, &other, NS_PER_SEC);
    width_charge(&widths, &width, NS_PER_SEC);
    widths_looked(&widths, NS_PER_SEC + 5 * WIDTH_PERIOD_NS, 0);
    width_charge(&widths, &width, 0);
    assert_int_equal(width.cpu_ns, 800 * NS_PER_MS);
    widths_begin(&widths, 9 * NS_PER_SEC, 0);
    width_charge(&widths, &width, 0);
    assert_int_equal(width.cpu_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_time),
        cmocka_unit_test(a_long_sleep_fires_all),
        cmocka_unit_test(dates),
        cmocka_unit_test(text_never_passes_its_end),
        cmocka_unit_test(lists),
        cmocka_unit_test(a_tenant_that_is_alone_is_not_held),
        cmocka_unit_test(of_tenants_together_few_calls_are_busy),
        cmocka_unit_test(what_is_held_goes_on_in_order),
        cmocka_unit_test(idle_time_is_read),
        cmocka_unit_test(a_look_tells_idle_from_full),
        cmocka_unit_test(a_function_widens_while_there_is_time_left),
        cmocka_unit_test(who_computes_becomes_narrow),
        cmocka_unit_test(a_share_is_a_share_of_those_who_compute),
        cmocka_unit_test(long_calls_count_for_later_periods),
        cmocka_unit_test(metrics_are_whole),
    };
    return cmocka_run_group_tests_name("gateway_parts", tests, NULL, NULL);
}
