/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: makes namespaces of its own, each kind, by unshare(2); with them come capabilities
 *   over them and a far larger part of the kernel.
 * Stopped by: the filter (unshare is not on the list); behind it, max_*_namespaces is 0 in
 *   the template's user namespace, and no CAP_SYS_ADMIN.
 * Lives in: src/jail/filter.c, zygote (/proc/sys/user/max_*_namespaces).
 *
 * Control: unshare
 */
#include "../harness/attack.h"

#include <sched.h>

static const struct kind {
    const char *name;
    unsigned long flag;
} kinds[] = {
    {"time", 0x80},
    {"mount", CLONE_NEWNS},
    {"cgroup", CLONE_NEWCGROUP},
    {"uts", CLONE_NEWUTS},
    {"ipc", CLONE_NEWIPC},
    {"user", CLONE_NEWUSER},
    {"pid", CLONE_NEWPID},
    {"net", CLONE_NEWNET},
    {"user and mount", CLONE_NEWUSER | CLONE_NEWNS},
    {"user, wide argument", CLONE_NEWUSER | (1UL << 32)},
    {"all",
     CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS},
};

static void try(void *arg)
{
    const struct kind *kind = arg;
    char what[64];
    snprintf(what, sizeof(what), "unshare %s", kind->name);
    attempt(what, syscall(SYS_unshare, kind->flag));
}

void attack(void)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct kind kind = kinds[i];
        in_child(kind.name, try, &kind);
    }
}
