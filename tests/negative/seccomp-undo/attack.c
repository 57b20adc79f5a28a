/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: undoes the filter: prctl and seccomp modes, a permissive filter of its own on top,
 *   one that answers in place of the network handler, a listener of its own, a tracer in its
 *   own process that swaps the call's number behind the filter's back.
 * Stopped by: filters only add up, the strictest answer wins, and the kernel filters again
 *   after a tracer's stop; the listener of the template leaves no room for a second one.
 * Lives in: src/jail/filter.c (and the kernel).
 *
 * Control: none (no filter is there to be undone)
 */
#include "../harness/attack.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static void probe(const char *after)
{
    char what[96];
    snprintf(what, sizeof(what), "a user namespace after %s", after);
    attempt(what, syscall(SYS_unshare, CLONE_NEWUSER));
    snprintf(what, sizeof(what), "a mount after %s", after);
    attempt(what, syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, ""));
    snprintf(what, sizeof(what), "bpf after %s", after);
    attempt_past(what, syscall(SYS_bpf, 0, NULL, 0), EFAULT);
}

static long install(uint32_t answer, unsigned int flags)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, answer)};
    struct sock_fprog program = {COUNT(code), code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void disable(void *arg)
{
    (void)arg;
    long result = syscall(SYS_prctl, PR_SET_SECCOMP, 0, 0, 0, 0);
    blocked("mode 0: %ld", result);
    probe("mode 0");
    result = syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
    if (result == 0 || syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        got("NO_NEW_PRIVS taken back");
}

static void permissive(void *arg)
{
    (void)arg;
    blocked("an allowing filter: %ld", install(SECCOMP_RET_ALLOW, 0));
    blocked("the same for all threads: %ld", install(SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_TSYNC));
    blocked("a logging filter: %ld", install(SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW));
    probe("an allowing filter");
}

static void listener(void *arg)
{
    (void)arg;
    long fd = install(SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (fd >= 0)
        note("a listener of its own");
    probe("a listener");
}

/* Swaps getppid() for another call while the tracee is stopped at its entry. */
static void swap_number(long number)
{
    pid_t child = fork();
    if (child < 0)
        return;
    if (child == 0) {
        if (syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) < 0)
            _exit(9);
        raise(SIGSTOP);
        _exit(syscall(SYS_getppid, CLONE_NEWUSER) == 0 ? 3 : 0);
    }
    int status;
    waitpid(child, &status, WUNTRACED);
    while (!WIFEXITED(status) && !WIFSIGNALED(status)) {
        struct user_regs_struct registers;
        if (syscall(SYS_ptrace, PTRACE_GETREGS, child, 0, &registers) == 0 &&
            registers.orig_rax == SYS_getppid && (long)registers.rax == -ENOSYS) {
            registers.orig_rax = (unsigned long)number;
            registers.rdi = CLONE_NEWUSER;
            syscall(SYS_ptrace, PTRACE_SETREGS, child, 0, &registers);
        }
        if (syscall(SYS_ptrace, PTRACE_SYSCALL, child, 0, 0) < 0)
            break;
        if (waitpid(child, &status, 0) < 0)
            break;
    }
    kill(child, SIGKILL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
        got("system call %ld by a swapped number", number);
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
        blocked("swapped number: ptrace is refused");
    else
        blocked("swapped number %ld: refused after the tracer's stop", number);
}

static void suspend(void *arg)
{
    (void)arg;
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    attempt("PTRACE_O_SUSPEND_SECCOMP",
            syscall(SYS_ptrace, PTRACE_SEIZE, child, 0, 1 << 21 /* PTRACE_O_SUSPEND_SECCOMP */));
    attempt("PTRACE_SECCOMP_GET_FILTER", syscall(SYS_ptrace, 0x420c, child, 0, NULL));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

void attack(void)
{
    in_child("switching off", disable, NULL);
    in_child("an allowing filter", permissive, NULL);
    in_child("a listener", listener, NULL);
    in_child("suspending", suspend, NULL);
    swap_number(SYS_unshare);
}
