/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real template with real sandboxes, from the owner's side. Needs root (namespaces with a range
 * of ids, cgroups); without it each test is skipped and says so.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "jail/start.h"
#include "jail/template.h"

#define WAIT_MS 60000 /* a bound for a broken machine, not a measure */

static struct jail_host *host;
static struct jail_template *template;
static struct jail_plan plan;
static uint64_t next_call;

static void need_root(void)
{
    if (geteuid() != 0)
        skip();
}

static int group_setup(void **state)
{
    struct err err;
    const struct jail_host_options options = {.zygote_path = ZYGOTE_PATH,
                                              .cgroup_prefix = "skerry-test"};
    if (geteuid() != 0)
        return 0;
    int result = jail_host_open(&options, &host, &err);
    if (result < 0)
        print_error("%s\n", err.text);
    return result;
}

static int group_teardown(void **state)
{
    jail_host_close(host);
    return 0;
}

static int setup(void **state)
{
    jail_plan_init(&plan);
    strcpy(plan.name, "default.test");
    plan.host_usr = 1;
    STRBLOCK_ADD(&plan.env, "PATH=/usr/bin:/bin");
    return 0;
}

static int teardown(void **state)
{
    jail_template_close(template);
    template = NULL;
    return 0;
}

static void wait_for(enum jail_event_kind kind, uint32_t slots)
{
    struct err err = {0};
    struct jail_event event;
    do {
        if (jail_template_wait(template, WAIT_MS, &event, &err) < 0)
            fail_msg("%s", err.text);
    } while (event.kind == JAIL_EVENT_SLOTS && kind == JAIL_EVENT_SLOTS && event.slots != slots);
    if (event.kind != kind)
        fail_msg("event %d instead of %d: %s", event.kind, kind, event.why.text);
}

static void open_template(const char *const *args, uint32_t slots)
{
    struct err err = {0};
    need_root();
    for (; *args != NULL; args++)
        assert_int_equal(STRBLOCK_ADD(&plan.args, *args), 0);
    if (jail_template_open(host, &plan, &template, &err) < 0)
        fail_msg("%s", err.text);
    wait_for(JAIL_EVENT_READY, 0);
    assert_int_equal(jail_template_set_epoch(template, 1), 0);
    assert_int_equal(jail_template_slots(template, slots, &err), 0);
    wait_for(JAIL_EVENT_SLOTS, slots);
}

/* Starts one call with the given standard output; returns its id. */
static uint64_t start(int out, uint32_t epoch)
{
    static const char env[] = "CALL=yes";
    struct start_header header;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[3] = {null, out >= 0 ? out : null, null};
    start_header_init(&header, ++next_call, epoch, 1, sizeof(env));
    assert_int_equal(start_send(jail_template_start_socket(template), &header, env, fds), 0);
    close(null);
    return next_call;
}

static struct exit_report await_report(void)
{
    struct exit_report report;
    struct pollfd polled = {.fd = jail_template_report_socket(template), .events = POLLIN};
    assert_int_equal(poll(&polled, 1, WAIT_MS), 1);
    assert_int_equal(report_recv(polled.fd, &report), 1);
    return report;
}

/* As await_report, doing the owner's work meanwhile: a slot is replaced by whoever owns the
 * template. */
static struct exit_report await_report_as_owner(void)
{
    struct pollfd polled[2] = {
        {.fd = jail_template_report_socket(template), .events = POLLIN},
        {.fd = jail_template_fd(template), .events = POLLIN},
    };
    for (;;) {
        struct err err;
        struct jail_event event;
        assert_true(poll(polled, 2, WAIT_MS) > 0);
        if (polled[0].revents)
            return await_report();
        assert_int_equal(jail_template_next(template, &event, &err), 0);
        assert_int_not_equal(event.kind, JAIL_EVENT_GONE);
    }
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_program_runs_with_both_environments(void **state)
{
    int out[2];
    char text[64] = "";
    STRBLOCK_ADD(&plan.env, "PLAN=too");
    open_template(ARGS("sh", "-c", "echo $CALL $PLAN $$; exit 7"), 1);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    uint64_t call = start(out[1], 1);
    close(out[1]);
    struct exit_report report = await_report();
    assert_int_equal(report.kind, REPORT_EXIT);
    assert_int_equal(report.call_id, call);
    assert_int_equal(WEXITSTATUS(report.wait_status), 7);
    assert_true(fd_read_all(out[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "yes too 2\n");
    close(out[0]);
    assert_true(report.clone_ns <= report.cloned_ns && report.cloned_ns <= report.furnished_ns);
    assert_true(report.taken_ns <= report.exec_ns && report.exec_ns <= report.exit_ns);
}

static void uid_0_of_a_sandbox_has_no_capability(void **state)
{
    int out[2];
    char text[512] = "";
    plan.uid = plan.gid = 0;
    open_template(ARGS("sh", "-c",
                       "id -u; grep -E 'CapEff|CapPrm' /proc/self/status; kill -USR1 1; kill -9 1; "
                       "cat /proc/1/environ /proc/1/maps /proc/1/fd/0; exit 0"),
                  1);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    start(out[1], 1);
    close(out[1]);
    struct exit_report report = await_report();
    assert_int_equal(report.wait_status, 0); /* pid 1 lived to tell */
    assert_true(fd_read_all(out[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "0\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
    close(out[0]);
}

static void a_signal_to_the_own_group_stays_in_the_sandbox(void **state)
{
    plan.uid = plan.gid = 0; /* the uid of spawners and zygote: only the group keeps them apart */
    open_template(ARGS("python3", "-c", "import os; os.kill(0, 9)"), 2);
    for (int i = 0; i < 3; i++) {
        start(-1, 1);
        struct exit_report report = await_report();
        assert_int_equal(report.kind, REPORT_EXIT);
        assert_int_equal(WTERMSIG(report.wait_status), SIGKILL);
    }
}

static void a_signal_is_reported(void **state)
{
    open_template(ARGS("sh", "-c", "kill -TERM $$; sleep 1000"), 1);
    start(-1, 1);
    struct exit_report report = await_report();
    assert_int_equal(report.kind, REPORT_EXIT);
    assert_true(WIFSIGNALED(report.wait_status));
    assert_int_equal(WTERMSIG(report.wait_status), SIGTERM);
}

static void orphans_are_reaped_and_die_with_the_program(void **state)
{
    int out[2];
    open_template(ARGS("sh", "-c", "(sleep 1000 &) ; (sleep 1000 &) ; exit 3"), 1);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    start(out[1], 1);
    close(out[1]);
    struct exit_report report = await_report();
    assert_int_equal(WEXITSTATUS(report.wait_status), 3);
    struct pollfd polled = {.fd = out[0], .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 0), 1); /* at the report nobody holds the pipe any more */
    assert_int_equal(polled.revents, POLLHUP);
    close(out[0]);
}

static void a_program_that_is_not_there_fails_the_template(void **state)
{
    struct err err = {0};
    need_root();
    STRBLOCK_ADD(&plan.args, "no-such-program");
    assert_int_equal(jail_template_open(host, &plan, &template, &err), 0);
    struct jail_event event;
    assert_int_equal(jail_template_wait(template, WAIT_MS, &event, &err), 0);
    assert_int_equal(event.kind, JAIL_EVENT_FAILED);
    assert_non_null(strstr(event.why.text, "no-such-program"));
    assert_int_equal(event.why.code, ENOENT);
}

static void an_unknown_format_is_an_exec_failure(void **state)
{
    char path[] = "/tmp/skerry-test-XXXXXX";
    need_root();
    int fd = mkstemp(path);
    assert_true(fd >= 0 && fchmod(fd, 0755) == 0 && write(fd, "\1\2\3\4", 4) == 4);
    close(fd);
    snprintf(plan.binds[0].source, sizeof(plan.binds[0].source), "%s", path);
    strcpy(plan.binds[0].target, "/prog/x");
    plan.binds[0].read_only = 1;
    plan.bind_count = 1;
    open_template(ARGS("/prog/x"), 1);
    uint64_t call = start(-1, 1);
    struct exit_report report = await_report();
    assert_int_equal(report.kind, REPORT_EXEC_FAILED);
    assert_int_equal(report.exec_errno, ENOEXEC);
    assert_int_equal(report.call_id, call);
    unlink(path);
}

static void a_kill_ends_everything_of_the_call(void **state)
{
    int out[2];
    char byte;
    open_template(ARGS("sh", "-c", "sleep 1000 & (setsid sleep 1000 &) ; echo up; wait"), 2);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    uint64_t call = start(out[1], 1);
    close(out[1]);
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(kill_send(jail_template_report_socket(template), call, 1), 0);
    struct exit_report report = await_report();
    assert_int_equal(report.call_id, call);
    assert_int_equal(WTERMSIG(report.wait_status), SIGKILL);
    assert_true(report.flags & REPORT_KILLED);
    char rest[16]; /* the pipe ends only when every sleep is dead */
    assert_int_equal(fd_read_all(out[0], rest, sizeof(rest)), 2);
    close(out[0]);
}

static void a_full_signal_queue_does_not_save_from_a_kill(void **state)
{
    int out[2];
    char byte;
    plan.uid = plan.gid = 0;
    open_template(ARGS("python3", "-c",
                       "import os, signal, time\n"
                       "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})\n"
                       "for i in range(200000): os.kill(os.getpid(), signal.SIGRTMIN)\n"
                       "print('full', flush=True)\n"
                       "time.sleep(1000)\n"),
                  1);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    uint64_t call = start(out[1], 1);
    close(out[1]);
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(kill_send(jail_template_report_socket(template), call, 1), 0);
    assert_int_equal(await_report().call_id, call);
    close(out[0]);
}

static void a_kill_before_the_start_is_taken_holds(void **state)
{
    open_template(ARGS("true"), 1);
    assert_int_equal(kill_send(jail_template_report_socket(template), next_call + 1, 1), 0);
    /* the zygote works through its sockets in order: once this slot stands, the kill is noted */
    struct err err;
    assert_int_equal(jail_template_slots(template, 2, &err), 0);
    wait_for(JAIL_EVENT_SLOTS, 2);
    uint64_t call = start(-1, 1);
    struct exit_report report = await_report();
    assert_int_equal(report.call_id, call);
    assert_true(report.flags & REPORT_KILLED);
}

static void stale_starts_are_dropped_and_running_ones_killed(void **state)
{
    int out[2];
    char byte;
    open_template(ARGS("sh", "-c", "echo up; sleep 1000"), 1);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    uint64_t first = start(out[1], 1);
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(jail_template_set_epoch(template, 2), 0);
    struct exit_report report = await_report();
    assert_int_equal(report.call_id, first);
    assert_int_equal(WTERMSIG(report.wait_status), SIGKILL);
    start(out[1], 1); /* of the gateway that is gone */
    uint64_t fresh = start(out[1], 2);
    close(out[1]);
    assert_int_equal(kill_send(jail_template_report_socket(template), fresh, 2), 0);
    report = await_report();
    assert_int_equal(report.call_id, fresh);
    close(out[0]);
}

static void slots_grow_and_shrink(void **state)
{
    struct err err;
    open_template(ARGS("true"), 1);
    assert_int_equal(jail_template_slots(template, 5, &err), 0);
    wait_for(JAIL_EVENT_SLOTS, 5);
    assert_int_equal(jail_template_slots(template, 2, &err), 0);
    wait_for(JAIL_EVENT_SLOTS, 2);
    for (int i = 0; i < 20; i++)
        start(-1, 1);
    for (int i = 0; i < 20; i++)
        assert_int_equal(await_report().wait_status, 0);
}

/* Pids of the children of a process, from the kernel's own list. */
static int children_of(pid_t pid, pid_t *out, int room)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    int count = 0;
    while (file != NULL && count < room && fscanf(file, "%d", &out[count]) == 1)
        count++;
    if (file != NULL)
        fclose(file);
    return count;
}

static void a_dead_spawner_takes_its_sandbox_and_is_replaced(void **state)
{
    int out[2];
    char byte;
    pid_t children[8];
    plan.net = FUNCTION_NET_NONE; /* no notify handler: the only child is the spawner */
    open_template(ARGS("sh", "-c", "echo up; sleep 1000"), 1);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    uint64_t call = start(out[1], 1);
    close(out[1]);
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(children_of(jail_template_pid(template), children, 8), 1);
    assert_int_equal(kill(children[0], SIGKILL), 0);
    struct exit_report report = await_report();
    assert_int_equal(report.kind, REPORT_LOST);
    assert_int_equal(report.call_id, call);
    char rest[16];
    assert_int_equal(fd_read_all(out[0], rest, sizeof(rest)), 2); /* "p\n", then the end */
    close(out[0]);
    call = start(-1, 1);
    assert_int_equal(kill_send(jail_template_report_socket(template), call, 1), 0);
    assert_int_equal(await_report_as_owner().call_id, call);
}

static void a_dead_notify_handler_ends_the_template(void **state)
{
    pid_t children[8];
    int out[2];
    char byte;
    open_template(ARGS("sh", "-c", "echo up; sleep 1000"), 1);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    start(out[1], 1);
    close(out[1]);
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(children_of(jail_template_pid(template), children, 8), 2);
    assert_int_equal(kill(children[0], SIGKILL), 0); /* it is the zygote's first child */
    wait_for(JAIL_EVENT_GONE, 0);
    char rest[16];
    assert_int_equal(fd_read_all(out[0], rest, sizeof(rest)), 2);
    close(out[0]);
}

static void the_memory_limit_is_reported(void **state)
{
    need_root();
    if (jail_host_limits_missing(host)[0] != '\0')
        skip();
    plan.limits.mem_bytes = 32u << 20;
    open_template(ARGS("python3", "-c", "x = bytearray(200 << 20); print(len(x))"), 1);
    start(-1, 1);
    struct exit_report report = await_report();
    assert_true(report.flags & REPORT_OOM);
    assert_int_equal(WTERMSIG(report.wait_status), SIGKILL);
    start(-1, 1); /* the slot lives on */
    assert_true(await_report().flags & REPORT_OOM);
}

static void a_malformed_start_is_reported_and_harmless(void **state)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[3] = {null, null, null};
    struct start_header header;
    open_template(ARGS("true"), 1);
    start_header_init(&header, ++next_call, 1, 3, 0); /* three strings in no bytes */
    assert_int_equal(start_send(jail_template_start_socket(template), &header, NULL, fds), 0);
    assert_int_equal(await_report().kind, REPORT_BAD_START);
    start(-1, 1);
    assert_int_equal(await_report().wait_status, 0);
    close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_program_runs_with_both_environments, setup, teardown),
        cmocka_unit_test_setup_teardown(uid_0_of_a_sandbox_has_no_capability, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_to_the_own_group_stays_in_the_sandbox, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_signal_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(orphans_are_reaped_and_die_with_the_program, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_program_that_is_not_there_fails_the_template, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_unknown_format_is_an_exec_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_ends_everything_of_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_signal_queue_does_not_save_from_a_kill, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_kill_before_the_start_is_taken_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(stale_starts_are_dropped_and_running_ones_killed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(slots_grow_and_shrink, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_spawner_takes_its_sandbox_and_is_replaced, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_dead_notify_handler_ends_the_template, setup, teardown),
        cmocka_unit_test_setup_teardown(the_memory_limit_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(a_malformed_start_is_reported_and_harmless, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("jail", tests, group_setup, group_teardown);
}
