/* SPDX-License-Identifier: Apache-2.0 */
/* A container's group in the cgroup2 tree of this machine, whatever else is mounted. Needs root. */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "oci/cgroup_tree.h"

static struct oci_cgroup real;

/* A group in the cgroup2 of this machine alone, whatever else is mounted. */
static int make_real_group(void **state)
{
    char line[4096];
    char own[4096] = "";
    char name[32];
    struct err err = {0};
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL || fd_read_file_at(AT_FDCWD, "/proc/self/cgroup", own, sizeof(own)) < 0)
        return -1;
    snprintf(name, sizeof(name), "/oci-test-%d", (int)getpid());
    real = (struct oci_cgroup){.count = 0};
    while (real.count == 0 && fgets(line, sizeof(line), mounts) != NULL) {
        if (strstr(line, " - cgroup2 ") != NULL)
            oci_cgroup_plan_from(line, own, name, "id", false, &real, &err);
    }
    fclose(mounts);
    if (real.count == 0 || geteuid() != 0)
        return 0;
    return oci_cgroup_make(&real, NULL, 0, &err);
}

static int remove_real_group(void **state)
{
    struct err err;
    return real.count > 0 ? oci_cgroup_remove(&real, &err) : 0;
}

/* What opening a device says to a process in the group: 0 or its errno. */
static int open_inside(const char *path, int flags)
{
    struct oci_cgroup_join join;
    struct err err = {0};
    assert_int_equal(oci_cgroup_join_open(&real, &join, &err), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (oci_cgroup_join_pid(&real, "", getpid(), &err) < 0)
            _exit(255);
        _exit(open(path, flags | O_CLOEXEC) >= 0 ? 0 : errno);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    oci_cgroup_join_close(&join);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void allow_devices(const char *rules)
{
    struct oci_spec spec;
    struct err err = {0};
    char text[512];
    snprintf(text, sizeof(text), "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}%s]}", rules);
    if (oci_resources_parse(text, strlen(text), &spec, &err) < 0 ||
        cgroup_devices_apply(&real, &spec.linux_.resources, &err) < 0)
        fail_msg("%s", err.text);
    oci_spec_free(&spec);
}

static void the_kernel_follows_the_device_program(void **state)
{
    if (real.count == 0 || geteuid() != 0)
        skip();
    assert_int_equal(open_inside("/dev/kmsg", O_RDONLY), 0);
    allow_devices("");
    assert_int_equal(open_inside("/dev/kmsg", O_RDONLY), EPERM);
    assert_int_equal(open_inside("/dev/zero", O_RDWR), 0); /* every container has it */
    allow_devices(",{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"r\"}");
    assert_int_equal(open_inside("/dev/kmsg", O_RDONLY), 0); /* the former program is gone */
    assert_int_equal(open_inside("/dev/kmsg", O_RDWR), EPERM);
    allow_devices("");
    assert_int_equal(open_inside("/dev/kmsg", O_RDONLY), EPERM);
}

static void what_is_killed_and_frozen_is_waited_for(void **state)
{
    pid_t *pids = NULL;
    struct err err = {0};
    if (real.count == 0 || geteuid() != 0)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        if (oci_cgroup_join_pid(&real, "", getpid(), &err) < 0)
            _exit(255);
        for (;;)
            pause();
    }
    while (oci_cgroup_pids(&real, &pids, &err) == 0)
        free(pids);
    assert_int_equal(pids[0], pid);
    free(pids);
    assert_int_equal(oci_cgroup_frozen(&real), 0);
    assert_int_equal(oci_cgroup_freeze(&real, true, &err), 0);
    assert_int_equal(oci_cgroup_frozen(&real), 1);
    assert_int_equal(oci_cgroup_kill(&real, SIGKILL, &err), 0); /* frozen as it is */
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(oci_cgroup_freeze(&real, false, &err), 0);
    assert_int_equal(oci_cgroup_remove(&real, &err), 0);
    assert_int_equal(oci_cgroup_pids(&real, &pids, &err), -ENOENT);
}

static void a_group_of_others_is_refused_and_left(void **state)
{
    struct err err = {0};
    struct oci_cgroup again = real;
    if (real.count == 0 || geteuid() != 0)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        if (oci_cgroup_join_pid(&real, "", getpid(), &err) < 0)
            _exit(255);
        for (;;)
            pause();
    }
    pid_t *pids = NULL;
    while (oci_cgroup_pids(&real, &pids, &err) == 0)
        free(pids);
    free(pids);
    assert_int_equal(oci_cgroup_make(&again, NULL, 0, &err), -EBUSY);
    assert_non_null(strstr(err.text, "holds processes already"));
    assert_true(cgroup_tree_has(&real.trees[0], "cgroup.procs"));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_kernel_follows_the_device_program, make_real_group,
                                        remove_real_group),
        cmocka_unit_test_setup_teardown(what_is_killed_and_frozen_is_waited_for, make_real_group,
                                        remove_real_group),
        cmocka_unit_test_setup_teardown(a_group_of_others_is_refused_and_left, make_real_group,
                                        remove_real_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
