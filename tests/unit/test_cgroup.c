/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups of slots on the machine's own hierarchies, and what a dead owner leaves. Needs root. */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "jail/cgroup.h"

static const struct function_limits limits = {
    .mem_bytes = 64u << 20, .pids_max = 8, .cpu_millis = 500};

static struct cgroup_host *open_host(const char *prefix)
{
    struct cgroup_host *host = NULL;
    struct err err = {0};
    if (geteuid() != 0)
        skip();
    if (cgroup_host_open(prefix, &host, &err) < 0) {
        print_message("no cgroups here: %s\n", err.text);
        skip();
    }
    return host;
}

/* Whether a process is in a cgroup of the name. (In v2 a zombie still names its own, as deleted.)
 */
static int is_member(pid_t pid, const char *name)
{
    char path[64];
    char line[512];
    int found = 0;
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        found |= strstr(line, name) != NULL && strstr(line, " (deleted)") == NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

/* Directories of the prefix anywhere below the mounts of cgroups. */
static int directories_left(const char *prefix)
{
    char pattern[160];
    glob_t found = {0};
    snprintf(pattern, sizeof(pattern), "/sys/fs/cgroup/%s", prefix);
    glob(pattern, 0, NULL, &found);
    snprintf(pattern, sizeof(pattern), "/sys/fs/cgroup/*/%s", prefix);
    glob(pattern, found.gl_pathc > 0 ? GLOB_APPEND : 0, NULL, &found);
    int count = (int)found.gl_pathc;
    globfree(&found);
    return count;
}

/* Sleeps, with nothing of ours open: else it holds its owner's lock. Returns when that is so. */
static pid_t sleeper(void)
{
    int ready[2];
    char none;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close_range(3, ~0u, 0);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &none, 1), 0);
    close(ready[0]);
    return pid;
}

static void a_slot_holds_and_goes(void **state)
{
    char prefix[64];
    struct err err = {0};
    int events = -1;
    cgroup_prefix_of("skerry-unit", getpid(), prefix, sizeof(prefix));
    struct cgroup_host *host = open_host(prefix);
    assert_int_equal(cgroup_template_make(host, "t", true, &err), 0);
    assert_int_equal(cgroup_slot_make(host, "t", 0, &limits, &events, &err), 0);
    pid_t pid = sleeper();
    assert_int_equal(cgroup_slot_attach(host, "t", 0, pid, true, &err), 0);
    assert_true(is_member(pid, prefix));
    while (cgroup_slot_remove(host, "t", 0) ==
           -EBUSY) /* kills what is in it, which must be reaped */
        waitpid(pid, NULL, 0);
    waitpid(pid, NULL, 0); /* in v2 a zombie does not keep its cgroup busy */
    assert_int_equal(kill(pid, 0), -1);
    if (events >= 0)
        close(events);
    cgroup_template_remove(host, "t");
    cgroup_host_close(host);
}

static void what_a_dead_owner_left_is_swept(void **state)
{
    char prefix[64];
    struct err err = {0};
    int events = -1;
    int ready[2];
    int status;
    assert_int_equal(pipe(ready), 0);
    pid_t owner = fork();
    if (owner == 0) {
        struct cgroup_host *host = NULL;
        cgroup_prefix_of("skerry-unit", getpid(), prefix, sizeof(prefix));
        if (geteuid() != 0 || cgroup_host_open(prefix, &host, &err) < 0 ||
            cgroup_template_make(host, "t", true, &err) < 0 ||
            cgroup_slot_make(host, "t", 3, &limits, &events, &err) < 0)
            _exit(1);
        pid_t orphan = sleeper();
        if (cgroup_slot_attach(host, "t", 3, orphan, true, &err) < 0 ||
            write(ready[1], &orphan, 4) != 4)
            _exit(1);
        _exit(is_member(orphan, prefix) ? 0 : 2); /* when we are gone any daemon may sweep */
    }
    close(ready[1]);
    pid_t orphan = 0;
    ssize_t got = read(ready[0], &orphan, sizeof(orphan));
    close(ready[0]);
    cgroup_prefix_of("skerry-unit", owner, prefix, sizeof(prefix));
    assert_int_equal(waitpid(owner, &status, 0), owner);
    if (got != sizeof(orphan))
        skip(); /* no cgroups here */
    assert_int_equal(status, 0);
    /* another daemon that starts at this moment may have been first: what counts is that it is gone
     */
    assert_true(cgroup_sweep(&err) >= 0);
    assert_false(is_member(orphan, "skerry-unit"));
}

static void a_living_owner_is_left_alone(void **state)
{
    char prefix[64];
    struct err err = {0};
    cgroup_prefix_of("skerry-unit", getpid(), prefix, sizeof(prefix));
    struct cgroup_host *host = open_host(prefix);
    assert_int_equal(cgroup_template_make(host, "t", true, &err), 0);
    cgroup_sweep(&err);
    int events = -1;
    assert_int_equal(cgroup_slot_make(host, "t", 0, &limits, &events, &err), 0);
    if (events >= 0)
        close(events);
    assert_int_equal(cgroup_slot_remove(host, "t", 0), 0);
    cgroup_template_remove(host, "t");
    cgroup_host_close(host);
}

/* As of a daemon in another pid namespace: its name tells of a process that is not there. */
static void an_owner_that_cannot_be_seen_is_left_alone_while_it_lives(void **state)
{
    static const char prefix[] = "skerry-unit-4194303-1";
    struct err err = {0};
    struct cgroup_host *host = open_host(prefix);
    pid_t pid = sleeper();
    int events = -1;
    assert_int_equal(cgroup_template_make(host, "tenant-a/t", true, &err), 0);
    assert_int_equal(cgroup_slot_make(host, "tenant-a/t", 0, &limits, &events, &err), 0);
    if (events >= 0)
        close(events);
    assert_int_equal(cgroup_slot_attach(host, "tenant-a/t", 0, pid, true, &err), 0);
    cgroup_sweep(&err);
    assert_true(is_member(pid, prefix));
    assert_int_equal(kill(pid, 0), 0);
    cgroup_host_close(host); /* its groups are still there, its lock is not */
    assert_true(is_member(pid, prefix));
    cgroup_sweep(&err);
    waitpid(pid, NULL, 0); /* killed */
    assert_false(is_member(pid, prefix));
}

/* The group that the scheduler knows a process by, from PREFIX on; empty in a tree for all
 * controllers. */
static void scheduled_as(pid_t pid, const char *prefix, char *out, size_t room)
{
    char path[64];
    char line[512];
    out[0] = '\0';
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *controllers = strchr(line, ':');
        const char *group = strstr(line, prefix);
        if (controllers != NULL && strncmp(controllers, ":cpu,", 5) == 0 && group != NULL)
            snprintf(out, room, "%.*s", (int)strcspn(group, "\n"), group);
    }
    if (file != NULL)
        fclose(file);
}

/* One group of the scheduler's for a tenant; a slot is one below it where its limit needs it. */
static void only_a_cpu_limit_makes_a_group_for_the_cpus(void **state)
{
    static const char *const ends[] = {"/tenant-a", "/tenant-a/t-1/s0"};
    char prefix[64], group[512], expected[512];
    struct err err = {0};
    cgroup_prefix_of("skerry-unit", getpid(), prefix, sizeof(prefix));
    struct cgroup_host *host = open_host(prefix);
    for (int limited = 0; limited < 2; limited++) {
        struct function_limits with = limits;
        int events = -1;
        with.cpu_millis = limited ? 500 : 0;
        pid_t pid = sleeper();
        assert_int_equal(cgroup_template_make(host, "tenant-a/t-1", limited, &err), 0);
        assert_int_equal(cgroup_slot_make(host, "tenant-a/t-1", 0, &with, &events, &err), 0);
        assert_int_equal(cgroup_slot_attach(host, "tenant-a/t-1", 0, pid, limited, &err), 0);
        scheduled_as(pid, prefix, group, sizeof(group));
        snprintf(expected, sizeof(expected), "%s%s", prefix, ends[limited]);
        if (group[0] != '\0')
            assert_string_equal(group, expected);
        assert_true(is_member(pid, "/tenant-a/t-1/s0")); /* for memory and processes always */
        while (cgroup_slot_remove(host, "tenant-a/t-1", 0) == -EBUSY)
            waitpid(pid, NULL, 0);
        waitpid(pid, NULL, 0);
        if (events >= 0)
            close(events);
        cgroup_template_remove(host, "tenant-a/t-1");
    }
    cgroup_host_close(host);
    assert_int_equal(directories_left(prefix), 0);
}

/* Beside the tenants, and nothing of it is left behind. */
static void a_service_is_beside_the_tenants(void **state)
{
    char prefix[64], group[512], expected[512];
    struct err err = {0};
    cgroup_prefix_of("skerry-unit", getpid(), prefix, sizeof(prefix));
    struct cgroup_host *host = open_host(prefix);
    pid_t pid = sleeper();
    assert_int_equal(cgroup_service_attach(host, pid, &err), 0);
    scheduled_as(pid, prefix, group, sizeof(group));
    snprintf(expected, sizeof(expected), "%s/service", prefix);
    if (group[0] != '\0')
        assert_string_equal(group, expected);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pid = sleeper(); /* as after its death */
    assert_int_equal(cgroup_service_attach(host, pid, &err), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cgroup_host_close(host);
    assert_int_equal(directories_left(prefix), 0);
}

static void a_tenants_directory_goes_with_its_last_template(void **state)
{
    char prefix[64];
    struct err err = {0};
    cgroup_prefix_of("skerry-unit", getpid(), prefix, sizeof(prefix));
    struct cgroup_host *host = open_host(prefix);
    pid_t pid = sleeper();
    assert_int_equal(cgroup_template_make(host, "tenant-a/one-1", true, &err), 0);
    assert_int_equal(cgroup_template_make(host, "tenant-a/two-2", true, &err), 0);
    assert_int_equal(cgroup_zygote_attach(host, "tenant-a/two-2", pid, &err), 0);
    assert_true(is_member(pid, "/tenant-a/two-2/z"));
    cgroup_template_remove(host, "tenant-a/one-1");
    assert_true(is_member(pid, "/tenant-a/two-2/z"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cgroup_template_remove(host, "tenant-a/two-2");
    cgroup_host_close(host); /* the prefix can only go when nothing is left in it */
    assert_int_equal(directories_left(prefix), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_holds_and_goes),
        cmocka_unit_test(what_a_dead_owner_left_is_swept),
        cmocka_unit_test(a_living_owner_is_left_alone),
        cmocka_unit_test(an_owner_that_cannot_be_seen_is_left_alone_while_it_lives),
        cmocka_unit_test(only_a_cpu_limit_makes_a_group_for_the_cpus),
        cmocka_unit_test(a_service_is_beside_the_tenants),
        cmocka_unit_test(a_tenants_directory_goes_with_its_last_template),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
