/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: makes namespaces by clone(2) and clone3(2) (whose flags lie in memory, where a
 *   filter cannot look), chooses a pid (set_tid), enters a cgroup (CLONE_INTO_CGROUP).
 * Stopped by: the filter masks clone's flags and answers clone3 with ENOSYS, so that
 *   libraries fall back to clone; behind it, max_*_namespaces is 0.
 * Lives in: src/jail/filter.c, zygote.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/sched.h>

static const uint64_t flags[] = {CLONE_NEWUSER,   CLONE_NEWNS,   CLONE_NEWPID,
                                 CLONE_NEWNET,    CLONE_NEWIPC,  CLONE_NEWUTS,
                                 CLONE_NEWCGROUP, CLONE_NEWTIME, CLONE_NEWUSER | CLONE_NEWNS};

static void finish(const char *what, long child)
{
    if (child == 0)
        _exit(0);
    attempt(what, child);
    if (child > 0)
        waitpid((pid_t)child, NULL, __WALL);
}

void attack(void)
{
    char what[80];
    for (size_t i = 0; i < COUNT(flags); i++) {
        /* In clone(2) the low byte is the exit signal, so the time namespace cannot be asked for.
         */
        if (flags[i] != CLONE_NEWTIME) {
            snprintf(what, sizeof(what), "clone flags 0x%lx", (unsigned long)flags[i]);
            finish(what, syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0));
            snprintf(what, sizeof(what), "clone flags 0x%lx, wide", (unsigned long)flags[i]);
            finish(what, syscall(SYS_clone, flags[i] | SIGCHLD | (1UL << 40), 0, 0, 0, 0));
        }
        struct clone_args args = {.flags = flags[i], .exit_signal = SIGCHLD};
        snprintf(what, sizeof(what), "clone3 flags 0x%lx", (unsigned long)flags[i]);
        finish(what, syscall(SYS_clone3, &args, sizeof(args)));
    }
    pid_t wanted = 12345;
    struct clone_args chosen = {
        .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&wanted, .set_tid_size = 1};
    finish("clone3 with a chosen pid", syscall(SYS_clone3, &chosen, sizeof(chosen)));
    int cgroup = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct clone_args into = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)(uint32_t)cgroup};
    if (cgroup >= 0)
        finish("clone3 into the root cgroup", syscall(SYS_clone3, &into, sizeof(into)));
}
