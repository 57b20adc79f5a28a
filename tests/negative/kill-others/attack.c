/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: signals processes outside the sandbox: every pid, process group and thread up to
 *   65535, by kill, tkill, tgkill, rt_sigqueueinfo, pidfds and F_SETOWN; and all at once with
 *   kill(-1).
 * Stopped by: the sandbox's own pid namespace: a number that is not of this sandbox names
 *   nobody.
 * Lives in: src/jail (CLONE_NEWPID a sandbox).
 *
 * Control: user
 * Needs: victim
 */
#include "../harness/attack.h"

/* Signal 0 passes the same checks as any other and leaves the victims of the control run alive. */
static bool reach(long pid)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    if (syscall(SYS_kill, pid, 0) == 0) {
        got("kill(%ld)", pid);
        return true;
    }
    if (syscall(SYS_tkill, pid, 0) == 0 || syscall(SYS_tgkill, pid, pid, 0) == 0) {
        got("tkill(%ld)", pid);
        return true;
    }
    if (syscall(SYS_rt_sigqueueinfo, pid, 0, &info) == 0 ||
        syscall(SYS_rt_tgsigqueueinfo, pid, pid, 0, &info) == 0) {
        got("sigqueue(%ld)", pid);
        return true;
    }
    long pidfd = syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0) {
        if (syscall(SYS_pidfd_send_signal, (int)pidfd, 0, NULL, 0) == 0)
            got("pidfd_send_signal(%ld)", pid);
        close((int)pidfd);
        return true;
    }
    return false;
}

void attack(void)
{
    long self = getpid();
    long victim = bait_number("PID", 0);
    bool any = victim > 0 && victim != self && reach(victim);
    /* Pid 1 is this program or the sandbox's own first process. */
    for (long pid = 2; pid < 65536 && !any; pid++)
        if (pid != self)
            any = reach(pid);
    if (!any)
        blocked("no pid but the own answers: %s", strerror(errno));
    if (syscall(SYS_kill, -1, 0) == 0)
        got("kill(-1) found somebody");
    else
        blocked("kill(-1): %s", strerror(errno));
    for (long group = 2; group < 65536 && !any; group++)
        if (group != getpgrp() && syscall(SYS_kill, -group, 0) == 0) {
            got("process group %ld", group);
            break;
        }
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0 && victim > 0) {
        struct f_owner_ex owner = {F_OWNER_PID, (pid_t)victim};
        if (victim != self && fcntl(pipes[0], F_SETOWN_EX, &owner) == 0)
            got("F_SETOWN_EX to pid %ld", victim);
        else
            blocked("F_SETOWN_EX: %s", strerror(errno));
    }
}
