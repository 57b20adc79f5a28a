/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: loses the confinement by executing again: by path, by /proc/self/exe, by
 *   descriptor, from a memfd, in a vfork child, thirty times in a row; and looks each time
 *   whether it can now mount, trace or unshare.
 * Stopped by: seccomp filters, NO_NEW_PRIVS and namespaces survive execve.
 * Lives in: src/jail (zygote: NO_NEW_PRIVS and filter before any function runs).
 *
 * Control: unshare
 */
#include "../harness/attack.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

static void probe(const char *round)
{
    char what[64];
    snprintf(what, sizeof(what), "mount after %s exec", round);
    attempt(what, syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, ""));
    snprintf(what, sizeof(what), "unshare after %s exec", round);
    attempt(what, syscall(SYS_unshare, CLONE_NEWNS));
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        got("NO_NEW_PRIVS is gone after %s exec", round);
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)
        got("no filter after %s exec", round);
}

static void again(int round)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", round);
    setenv("EXEC_ROUND", number, 1);
    char *argv[] = {(char *)"attack", NULL};
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    switch (round % 3) {
    case 0:
        execve("/proc/self/exe", argv, environ);
        break;
    case 1:
        syscall(SYS_execveat, self, "", argv, environ, AT_EMPTY_PATH);
        break;
    default: {
        int copy = memfd_create("attack", 0);
        char block[65536];
        ssize_t size;
        while (self >= 0 && (size = read(self, block, sizeof(block))) > 0)
            if (write(copy, block, (size_t)size) != size)
                break;
        syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
    }
    }
    blocked("exec number %d: %s", round, strerror(errno));
}

void attack(void)
{
    const char *text = getenv("EXEC_ROUND");
    int round = text ? atoi(text) : 0;
    if (round == 30) {
        probe("the thirtieth");
        return;
    }
    if (round == 0) {
        probe("the first");
        if (is_control())
            return;
    }
    again(round + 1);
}
