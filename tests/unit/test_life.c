/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of a call's life: ways through it, and properties that every cell must keep, so that a
 * call can neither be lost nor given back while a sandbox has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/life.h"

static bool has_sandbox(int state)
{
    return state == LIFE_RUNNING || state == LIFE_STREAMING || state == LIFE_EXPIRING ||
           state == LIFE_ORPHAN;
}

static bool has_client(int state)
{
    return state != LIFE_ORPHAN && state != LIFE_GONE;
}

static void walk(const enum life_event *events, size_t count, const unsigned char *actions,
                 enum life_state end)
{
    enum life_state state = LIFE_GATHERING;
    for (size_t i = 0; i < count; i++) {
        struct life_step step = life_step(state, events[i]);
        assert_int_equal(step.action, actions[i]);
        state = step.next;
    }
    assert_int_equal(state, end);
}
#define WALK(end, events, actions)                                                                 \
    walk((const enum life_event[])events, sizeof((const enum life_event[])events) / sizeof(int),   \
         (const unsigned char[])actions, end)
#define LIST(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void ways_through(void **state)
{
    WALK(LIFE_GONE, LIST(LIFE_EV_READY, LIFE_EV_STARTED, LIFE_EV_EXITED, LIFE_EV_ANSWERED),
         LIST(LIFE_ENQUEUE, LIFE_WATCH, LIFE_ANSWER_EXIT, LIFE_RELEASE));
    WALK(LIFE_GONE,
         LIST(LIFE_EV_READY, LIFE_EV_STARTED, LIFE_EV_COMMITTED, LIFE_EV_EXITED, LIFE_EV_ANSWERED),
         LIST(LIFE_ENQUEUE, LIFE_WATCH, LIFE_STREAM, LIFE_END_STREAM, LIFE_RELEASE));
    WALK(LIFE_GONE,
         LIST(LIFE_EV_READY, LIFE_EV_STARTED, LIFE_EV_DEADLINE, LIFE_EV_EXITED, LIFE_EV_ANSWERED),
         LIST(LIFE_ENQUEUE, LIFE_WATCH, LIFE_KILL, LIFE_ANSWER_EXPIRED, LIFE_RELEASE));
    WALK(LIFE_GONE,
         LIST(LIFE_EV_READY, LIFE_EV_STARTED, LIFE_EV_GONE, LIFE_EV_DEADLINE, LIFE_EV_EXITED),
         LIST(LIFE_ENQUEUE, LIFE_WATCH, LIFE_KILL, LIFE_KILL, LIFE_RELEASE));
    WALK(LIFE_ENDED, LIST(LIFE_EV_READY, LIFE_EV_LOST, LIFE_EV_DEADLINE),
         LIST(LIFE_ENQUEUE, LIFE_NOTHING, LIFE_ANSWER_WAITED));
    WALK(LIFE_ENDED, LIST(LIFE_EV_READY, LIFE_EV_NO_ROOM), LIST(LIFE_ENQUEUE, LIFE_ANSWER_BUSY));
    WALK(LIFE_ENDED, LIST(LIFE_EV_REFUSED), LIST(LIFE_ANSWER_REFUSED));
    WALK(LIFE_GONE, LIST(LIFE_EV_READY, LIFE_EV_GONE), LIST(LIFE_ENQUEUE, LIFE_DROP));
    WALK(LIFE_GONE, LIST(LIFE_EV_GONE), LIST(LIFE_RELEASE));
}

/* A state with a sandbox is only left for one without by the sandbox's end. */
static void a_sandbox_is_never_forgotten(void **state)
{
    for (int s = 0; s < LIFE_STATES; s++) {
        for (int e = 0; e < LIFE_EVENTS; e++) {
            struct life_step step = life_step((enum life_state)s, (enum life_event)e);
            if (has_sandbox(s) && !has_sandbox(step.next)) {
                assert_true(e == LIFE_EV_EXITED || e == LIFE_EV_LOST);
                assert_true(step.next == LIFE_ENDED || step.next == LIFE_GONE);
            }
            if (!has_sandbox(s) && has_sandbox(step.next))
                assert_int_equal(e, LIFE_EV_STARTED);
        }
    }
}

/* Whoever loses its client while it has a sandbox is killed. */
static void what_nobody_waits_for_is_killed(void **state)
{
    for (int s = 0; s < LIFE_STATES; s++) {
        for (int e = 0; e < LIFE_EVENTS; e++) {
            struct life_step step = life_step((enum life_state)s, (enum life_event)e);
            if (s == LIFE_ORPHAN || step.next != LIFE_ORPHAN)
                continue;
            bool kills = step.action == LIFE_KILL || step.action == LIFE_KILL_ABORT ||
                         step.action == LIFE_KILL_REFUSE || step.action == LIFE_KILL_EXPIRED;
            assert_true(kills); /* even if a kill is under way: these let go of the connection */
        }
    }
}

/* Exactly the way into GONE gives back, and nothing leads out of it. */
static void given_back_once(void **state)
{
    for (int s = 0; s < LIFE_STATES; s++) {
        for (int e = 0; e < LIFE_EVENTS; e++) {
            struct life_step step = life_step((enum life_state)s, (enum life_event)e);
            bool releases = step.action == LIFE_RELEASE || step.action == LIFE_DROP;
            if (s == LIFE_GONE) {
                assert_int_equal(step.next, LIFE_GONE);
                assert_int_equal(step.action, LIFE_IMPOSSIBLE);
            } else {
                assert_int_equal(releases, step.next == LIFE_GONE);
            }
            if (step.action == LIFE_IMPOSSIBLE)
                assert_int_equal(step.next, s);
        }
    }
}

/* A client that is there can always leave, and a deadline is never impossible for the living. */
static void clients_can_leave(void **state)
{
    for (int s = 0; s < LIFE_GONE; s++) {
        struct life_step step = life_step((enum life_state)s, LIFE_EV_GONE);
        if (has_client(s)) {
            assert_int_not_equal(step.action, LIFE_IMPOSSIBLE);
            assert_false(has_client(step.next));
        }
        assert_int_not_equal(life_step((enum life_state)s, LIFE_EV_DEADLINE).action,
                             LIFE_IMPOSSIBLE);
    }
    assert_int_equal(life_step(LIFE_STATES, LIFE_EV_GONE).action, LIFE_IMPOSSIBLE);
    assert_int_equal(life_step(LIFE_RUNNING, LIFE_EVENTS).action, LIFE_IMPOSSIBLE);
    assert_string_equal(life_state_name(LIFE_EXPIRING), "expiring");
    assert_string_equal(life_event_name(LIFE_EV_REFUSED), "REFUSED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_through),
        cmocka_unit_test(a_sandbox_is_never_forgotten),
        cmocka_unit_test(what_nobody_waits_for_is_killed),
        cmocka_unit_test(given_back_once),
        cmocka_unit_test(clients_can_leave),
    };
    return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
