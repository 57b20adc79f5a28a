/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: takes hold of other processes: ptrace, process_vm_readv and writev, /proc/PID/mem,
 *   kcmp, pidfd_getfd, process_madvise, for every pid up to 65535. The zygote and the spawner
 *   of the sandbox are the prize.
 * Stopped by: the sandbox's own pid namespace; the filter, for those calls that have no use
 *   in it.
 * Lives in: src/jail (CLONE_NEWPID a sandbox; filter.c).
 *
 * Control: root
 * Needs: victim
 */
#include "../harness/attack.h"

#include <linux/kcmp.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

static bool take(long pid)
{
    char byte = 0;
    struct iovec own = {&byte, 1};
    struct iovec theirs = {(void *)(uintptr_t)0x400000, 1};
    if (syscall(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0) == 0) {
        got("PTRACE_SEIZE %ld", pid);
        return true;
    }
    /* EFAULT: the process was found and the right granted, only the address is not mapped there. */
    if (syscall(SYS_process_vm_readv, pid, &own, 1, &theirs, 1, 0) >= 0 || errno == EFAULT) {
        got("process_vm_readv %ld", pid);
        return true;
    }
    if (syscall(SYS_process_vm_writev, pid, &own, 1, &theirs, 1, 0) >= 0 || errno == EFAULT) {
        got("process_vm_writev %ld", pid);
        return true;
    }
    if (syscall(SYS_kcmp, pid, pid, KCMP_FILE, 0, 0) >= 0 || errno == EBADF) {
        got("kcmp %ld", pid);
        return true;
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/mem", pid);
    int mem = open(path, O_RDWR | O_CLOEXEC);
    if (mem >= 0) {
        got("%s opened", path);
        close(mem);
        return true;
    }
    long pidfd = syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0) {
        if (syscall(SYS_pidfd_getfd, (int)pidfd, 0, 0) >= 0)
            got("pidfd_getfd %ld", pid);
        if (syscall(SYS_process_madvise, (int)pidfd, &theirs, 1, 21 /* MADV_PAGEOUT */, 0) >= 0)
            got("process_madvise %ld", pid);
        close((int)pidfd);
    }
    return false;
}

void attack(void)
{
    long victim = bait_number("PID", 0);
    if (victim > 0 && victim != getpid() && take(victim))
        return;
    if (getpid() != 1 && take(1))
        return;
    if (take(getppid()))
        return;
    for (long pid = 2; pid < 65536; pid++)
        if (pid != getpid() && take(pid))
            return;
    blocked("nobody to take hold of: %s", strerror(errno));
}
