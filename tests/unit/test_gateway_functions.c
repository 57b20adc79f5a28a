/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's functions: their zygotes' deaths and updates, queues, tenants and demand. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/packet.h"
#include "gateway/width.h"
#include "gateway_case.h"

#define LIGHT_GET "GET /function/g.light HTTP/1.1\r\nHost: h\r\n\r\n"

/* Two clients: the one's request runs, as start, and the other's waits for it. Returns the other.
 */
static int run_and_wait(int *out_running)
{
    redeploy(0, NULL, 1);
    *out_running = begin(GET);
    int waiting = rig_connect(&rig);
    rig_send(waiting, GET);
    while (rig.stats->function[3].queued != 1)
        usleep(100);
    return waiting;
}

static void a_lost_zygote_is_502_and_the_queue_waits(void **state)
{
    int running, waiting = run_and_wait(&running);
    struct rig_function dead = fn;
    rig_function_close(&dead);
    rig_answer(running, &answer, false);
    assert_int_equal(answer.status, 502);
    close(start.in);
    close(start.out);
    close(start.err);
    rig_tell(&rig, LINK_FUNCTION_DOWN, &fn);
    rig_put(&rig, &fn, 3, fn.generation + 1, "f", 0, NULL);
    rig_slots(&rig, &fn, 1);
    rig_take(&fn, &start);
    rig_write(start.out, "after all");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(waiting, &answer, false);
    assert_string_equal(answer.body, "after all");
    close(running);
    close(waiting);
}

static void reports_before_the_death_count(void **state)
{
    int client = begin(GET);
    rig_write(start.out, "done");
    rig_exit(&fn, &start, 0, 0);
    struct rig_function dead = fn;
    rig_function_close(&dead); /* report and end of file arrive together */
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    close(client);
    rig_put(&rig, &fn, 3, fn.generation + 1, "f", 0, NULL);
}

/* The supervisor's word of a death overtakes a report that is still in its socket. */
static void reports_count_before_a_told_death(void **state)
{
    int client = begin(GET);
    rig_write(start.out, "done");
    stop_gateway();
    rig_exit(&fn, &start, 0, 0);
    rig_tell(&rig, LINK_FUNCTION_DOWN, &fn);
    assert_int_equal(kill(rig.pid, SIGCONT), 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "done");
    close(client);
}

static void an_update_lets_the_old_finish(void **state)
{
    int old_client = begin(GET);
    struct rig_start old_start = start;
    struct rig_function old = fn;
    rig_put(&rig, &fn, 3, 101, "f", 0, NULL);
    rig_slots(&rig, &fn, 1);
    int client = begin(GET);
    rig_write(start.out, "new");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_string_equal(answer.body, "new");
    rig_write(old_start.out, "old");
    rig_exit(&old, &old_start, 0, 0);
    rig_answer(old_client, &answer, false);
    assert_string_equal(answer.body, "old");
    struct link_message retired;
    rig_hear(&rig, LINK_RETIRED, &retired); /* the old zygote may go */
    assert_int_equal(retired.index, 3);
    assert_int_equal(retired.generation, 100);
    assert_int_equal(retired.value, 5100);
    rig_function_close(&old);
    close(client);
    close(old_client);
}

static void tell_failed(void)
{
    struct link_message message = {
        .kind = LINK_FUNCTION_FAILED, .index = fn.index, .generation = fn.generation};
    struct iovec part = {&message, sizeof(message)};
    assert_int_equal(packet_send(rig.link, &part, 1, NULL, 0, 0), 0);
}

/* Its zygote cannot be built: who waits and who comes is told at once, not at the deadline. */
static void a_function_that_failed_says_so(void **state)
{
    int waiting = rig_connect(&rig);
    rig_tell(&rig, LINK_FUNCTION_DOWN, &fn);
    rig_send(waiting, GET);
    while (rig.stats->function[3].queued != 1)
        usleep(100);
    tell_failed();
    rig_answer(waiting, &answer, false);
    assert_int_equal(answer.status, 503);
    assert_string_equal(rig_header(&answer, "Retry-After"), "1");
    assert_non_null(strstr(answer.body, "cannot be served now"));
    rig_send(waiting, "POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
    rig_answer(waiting, &answer, false);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.body, "cannot be served now"));
    close(waiting);
    rig_put(&rig, &fn, 3, fn.generation, "f", 0, NULL);
    rig_slots(&rig, &fn, 1);
    int client = begin(GET);
    rig_write(start.out, "mended");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    close(client);
}

/* One whole call of another tenant's function. */
static void light_call(int client, struct rig_function *function)
{
    rig_send(client, LIGHT_GET);
    rig_take(function, &start);
    rig_exit(function, &start, 0, 0);
    rig_answer(client, &answer, false);
}

/* Of what has piled up a tenant with one request is served after one of another's many, not last.
 */
static void tenants_take_turns(void **state)
{
    enum { MANY = 40 };
    int many[MANY];
    struct rig_function g;
    rig_put(&rig, &g, 4, 1, "g.light", 0, NULL);
    rig_slots(&rig, &g, 1);
    rig_slots(&rig, &fn, MANY);
    for (int i = 0; i < MANY; i++) {
        many[i] = begin(GET);
        rig_exit(&fn, &start, 0, 0);
        rig_answer(many[i], &answer, false);
    }
    int light = rig_connect(&rig);
    light_call(light, &g);

    stop_gateway();
    for (int i = 0; i < MANY; i++)
        rig_send(many[i], GET);
    rig_send(light, LIGHT_GET);
    assert_int_equal(kill(rig.pid, SIGCONT), 0);
    struct rig_start mine;
    rig_take(&g, &mine);
    int before = 0;
    for (int i = 0; i < MANY; i++) {
        rig_take(&fn, &start);
        before += start.call_id >> 16 < mine.call_id >> 16; /* numbered as they begin */
        rig_exit(&fn, &start, 0, 0);
    }
    rig_exit(&g, &mine, 0, 0);
    assert_in_range(before, 0, 2);
    for (int i = 0; i < MANY; i++)
        close(many[i]);
    close(light);
    rig_function_close(&g);
}

/* While another tenant starts calls, too, more are asked for than may be busy: none of them is
 * refused for it, and each starts though none has ended. */
static void what_is_held_is_not_refused_and_starts(void **state)
{
    enum { MANY = 6 };
    int many[MANY];
    struct rig_start starts[MANY];
    struct function_limits narrow = {.queue_max = 1};
    struct rig_function g;
    redeploy(0, &narrow, MANY);
    rig_put(&rig, &g, 4, 1, "g.light", 0, NULL);
    rig_slots(&rig, &g, 1);
    int light = rig_connect(&rig);
    for (int i = 0; i < MANY; i++)
        many[i] = rig_connect(&rig);
    light_call(light, &g);
    stop_gateway();
    for (int i = 0; i < MANY; i++)
        rig_send(many[i], GET);
    assert_int_equal(kill(rig.pid, SIGCONT), 0);
    for (int i = 0; i < MANY; i++)
        rig_take(&fn, &starts[i]);
    for (int i = 0; i < MANY; i++)
        rig_exit(&fn, &starts[i], 0, 0);
    for (int i = 0; i < MANY; i++) {
        rig_answer(many[i], &answer, false);
        assert_int_equal(answer.status, 200);
        close(many[i]);
    }
    close(light);
    rig_function_close(&g);
}

/* Deployed, but its zygote is still being built: requests wait for it. */
static void a_function_without_a_zygote_waits(void **state)
{
    struct link_message message = {.kind = LINK_FUNCTION_PUT, .index = 4, .generation = 1};
    strcpy(message.function.name, "late");
    strcpy(message.function.tenant, "default");
    int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct iovec part = {&message, sizeof(message)};
    assert_int_equal(packet_send(rig.link, &part, 1, &log, 1, 0), 0);
    close(log);
    int client = rig_connect(&rig);
    rig_send(client, "GET /function/late HTTP/1.1\r\nHost: h\r\n\r\n");
    while (rig.stats->function[4].queued != 1)
        usleep(100);
    struct rig_function late;
    rig_put(&rig, &late, 4, 1, "late", 0, NULL);
    rig_slots(&rig, &late, 1);
    rig_take(&late, &start);
    rig_write(start.out, "at last");
    rig_exit(&late, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_string_equal(answer.body, "at last");
    close(client);
    rig_function_close(&late);
}

static void a_removed_function_is_404(void **state)
{
    int running, waiting = run_and_wait(&running);
    rig_tell(&rig, LINK_FUNCTION_DEL, &fn);
    rig_answer(waiting, &answer, false);
    assert_int_equal(answer.status, 404);
    rig_write(start.out, "still");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(running, &answer, false);
    assert_string_equal(answer.body, "still");
    rig_send(running, GET);
    rig_answer(running, &answer, false);
    assert_int_equal(answer.status, 404);
    close(running);
    close(waiting);
}

static void demand_is_told(void **state)
{
    struct link_message want;
    redeploy(0, NULL, 1);
    int first = begin(GET), second = rig_connect(&rig);
    rig_hear(&rig, LINK_WANT, &want);
    while (want.generation != fn.generation)
        rig_hear(&rig, LINK_WANT, &want);
    assert_int_equal(want.index, 3);
    assert_int_equal(want.value, 1);
    rig_send(second, GET);
    rig_hear(&rig, LINK_WANT, &want);
    assert_int_equal(want.value, 2);
    rig_exit(&fn, &start, 0, 0);
    rig_take(&fn, &start);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(first, &answer, false);
    rig_answer(second, &answer, false);
    rig_hear(&rig, LINK_WANT, &want); /* after the window: nothing is needed any more */
    while (want.value != 0)
        rig_hear(&rig, LINK_WANT, &want);
    close(first);
    close(second);
}

/* The next demand that is told is this one. */
static void expect_want(uint64_t value)
{
    struct link_message want;
    do {
        rig_hear(&rig, LINK_WANT, &want);
    } while (want.generation != fn.generation);
    assert_int_equal(want.value, value);
}

/* On a full machine of one CPU three run at once; no others are refused that may run or wait, and
 * all of them start in the end though none ends, also after the function's own call computed. */
static void a_full_machine_takes_few_at_once(void **state)
{
    enum { MOST = 8, MANY = MOST + 2 }; /* one waits, one is refused */
    int clients[MANY];
    uint64_t begun_ns = 0;
    struct rig_start starts[MOST + 1];
    struct function_limits limits = {.concurrency_max = MOST, .queue_max = 1};
    redeploy(0, &limits, MOST);
    for (int i = 0; i < MANY; i++) {
        clients[i] = rig_connect(&rig);
        rig_send(clients[i], GET);
        if (i < 3)
            rig_take(&fn, &starts[i]);
        if (i == 2)
            begun_ns = clock_now_ns();
    }
    rig_answer(clients[MANY - 1], &answer, false);
    assert_int_equal(answer.status, 429);
    for (uint64_t i = 1; i <= 4; i++) /* not all that wait, but as many as are to run */
        expect_want(i);
    usleep(100000); /* that it can have used */
    starts[0].cpu_us = 100000;
    rig_exit(&fn, &starts[0], 0, 0);
    for (int i = 3; i < MOST + 1; i++)
        rig_take(&fn, &starts[i]);
    /* from three to eight, one more a period at most */
    assert_true(clock_now_ns() - begun_ns >= 4 * WIDTH_PERIOD_NS);
    for (int i = 1; i < MOST + 1; i++)
        rig_exit(&fn, &starts[i], 0, 0);
    for (int i = 0; i < MANY; i++) {
        if (i < MANY - 1) {
            rig_answer(clients[i], &answer, false);
            assert_int_equal(answer.status, 200);
        }
        close(clients[i]);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        CASE(a_lost_zygote_is_502_and_the_queue_waits),
        CASE(reports_before_the_death_count),
        CASE(reports_count_before_a_told_death),
        CASE(an_update_lets_the_old_finish),
        CASE(a_function_without_a_zygote_waits),
        CASE(a_function_that_failed_says_so),
        CASE(tenants_take_turns),
        CASE(what_is_held_is_not_refused_and_starts),
        CASE(a_removed_function_is_404),
        CASE(demand_is_told),
        CASE_FULL(a_full_machine_takes_few_at_once),
    };
    return cmocka_run_group_tests_name("gateway_functions", tests, NULL, NULL);
}
