/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway_case.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

struct rig rig;
struct rig_function fn;
struct rig_start start;
struct rig_answer answer;

static int deploy(void)
{
    rig_put(&rig, &fn, 3, 100, "f", 0, NULL);
    rig_slots(&rig, &fn, 4);
    return 0;
}

int case_setup(void **state)
{
    rig_start(&rig, 0);
    return deploy();
}

int case_setup_full(void **state)
{
    rig_start_full(&rig);
    return deploy();
}

int case_teardown(void **state)
{
    rig_stop(&rig);
    rig_function_close(&fn);
    return 0;
}

void redeploy(uint32_t flags, const struct function_limits *limits, uint32_t slots)
{
    struct rig_function old = fn;
    rig_put(&rig, &fn, 3, fn.generation + 1, "f", flags, limits);
    rig_slots(&rig, &fn, slots);
    rig_function_close(&old);
}

int begin(const char *request)
{
    int client = rig_connect(&rig);
    rig_send(client, request);
    rig_take(&fn, &start);
    return client;
}

void stop_gateway(void)
{
    siginfo_t stopped;
    assert_int_equal(kill(rig.pid, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)rig.pid, &stopped, WSTOPPED), 0);
}
