// SPDX-License-Identifier: Apache-2.0
/*
 * System calls on threads. A new thread shares everything (CLONE_VM | CLONE_THREAD); a new process
 * cannot be: fork, vfork and a clone without CLONE_THREAD answer EAGAIN, as a system at its limit
 * of processes, and execve ENOSYS.
 */
#include <asm/prctl.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "../mm/space.h"
#include "call.h"
#include "process.h"
#include "thread.h"

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define THREADS_MAX  4096

struct spawn {
    uint64_t flags, stack, tls, parent_tid, child_tid;
};

static long spawn(const struct spawn *want)
{
    if (want->flags & CLONE_THREAD &&
        (want->flags & (CLONE_VM | CLONE_SIGHAND)) != (CLONE_VM | CLONE_SIGHAND))
        return -EINVAL;
    uint64_t most = process.threads_max ? min_u64(process.threads_max, THREADS_MAX) : THREADS_MAX;
    if ((want->flags & THREAD_FLAGS) != THREAD_FLAGS || (uint64_t)thread_count() >= most)
        return -EAGAIN;
    struct regs regs = *current->regs;
    regs.rax = 0;
    regs.orig_rax = UINT64_MAX;
    if (want->stack)
        regs.rsp = want->stack;
    struct thread *thread = thread_new(&regs);
    if (!thread)
        return -EAGAIN;
    thread->arch.fs_base = want->flags & CLONE_SETTLS ? want->tls : arch_fs_get();
    thread->arch.gs_base = arch_gs_get();
    if (want->flags & CLONE_CHILD_CLEARTID)
        thread->clear_tid = want->child_tid;
    if (want->flags & CLONE_CHILD_SETTID)
        user_out(want->child_tid, &thread->tid, sizeof(thread->tid));
    if (want->flags & CLONE_PARENT_SETTID)
        user_out(want->parent_tid, &thread->tid, sizeof(thread->tid));
    int tid = thread->tid;
    thread_ready(thread);
    return tid;
}

long sys_clone(const uint64_t a[6])
{
    const struct spawn want = {
        .flags = a[0], .stack = a[1], .parent_tid = a[2], .child_tid = a[3], .tls = a[4]};
    return spawn(&want);
}

long sys_clone3(const uint64_t a[6])
{
    struct clone_args args = {0};
    if (a[1] < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    if (a[1] > PAGE_SIZE)
        return -E2BIG;
    if (user_in(&args, a[0], min_u64(a[1], sizeof(args))) < 0)
        return -EFAULT;
    if (args.exit_signal & ~0xffUL || (!args.stack) != (!args.stack_size) || args.set_tid_size)
        return -EINVAL;
    const struct spawn want = {.flags = args.flags,
                               .stack = args.stack ? args.stack + args.stack_size : 0,
                               .tls = args.tls,
                               .parent_tid = args.parent_tid,
                               .child_tid = args.child_tid};
    return spawn(&want);
}

long sys_fork(const uint64_t a[6])
{
    (void)a;
    return -EAGAIN;
}

long sys_vfork(const uint64_t a[6])
{
    (void)a;
    return -EAGAIN;
}

long sys_execve(const uint64_t a[6])
{
    (void)a;
    return -ENOSYS;
}

long sys_execveat(const uint64_t a[6])
{
    (void)a;
    return -ENOSYS;
}

long sys_wait4(const uint64_t a[6])
{
    return a[2] & ~0xe000000bUL ? -EINVAL : -ECHILD;
}

long sys_waitid(const uint64_t a[6])
{
    return !(a[3] & 0xe) || a[0] > 3 ? -EINVAL : -ECHILD;
}

long sys_exit(const uint64_t a[6])
{
    thread_exit((int)a[0]);
}

long sys_exit_group(const uint64_t a[6])
{
    process_exit((int)a[0]);
}

long sys_set_tid_address(const uint64_t a[6])
{
    current->clear_tid = a[0];
    return current->tid;
}

long sys_set_robust_list(const uint64_t a[6])
{
    if (a[1] != 24)
        return -EINVAL;
    current->robust = a[0];
    return 0;
}

long sys_get_robust_list(const uint64_t a[6])
{
    uint64_t len = 24;
    struct thread *thread = a[0] ? thread_find((int)a[0]) : current;
    if (!thread)
        return -ESRCH;
    return user_out(a[2], &len, 8) < 0 || user_out(a[1], &thread->robust, 8) < 0 ? -EFAULT : 0;
}

long sys_arch_prctl(const uint64_t a[6])
{
    uint64_t base;
    switch (a[0]) {
    case ARCH_SET_FS:
        if (a[1] >= SPACE_TOP)
            return -EPERM;
        arch_fs_set(a[1]);
        return 0;
    case ARCH_SET_GS:
        if (a[1] >= SPACE_TOP)
            return -EPERM;
        arch_gs_set(a[1]);
        return 0;
    case ARCH_GET_FS:
        base = arch_fs_get();
        return user_out(a[1], &base, sizeof(base));
    case ARCH_GET_GS:
        base = arch_gs_get();
        return user_out(a[1], &base, sizeof(base));
    default:
        return -EINVAL;
    }
}

long sys_gettid(const uint64_t a[6])
{
    (void)a;
    return current->tid;
}

long sys_sched_yield(const uint64_t a[6])
{
    (void)a;
    thread_yield();
    return 0;
}

long sys_sched_getaffinity(const uint64_t a[6])
{
    uint64_t mask = 1;
    if (a[1] < sizeof(mask) || a[1] & 7)
        return -EINVAL;
    if (a[0] && !thread_find((int)a[0]))
        return -ESRCH;
    return user_out(a[2], &mask, sizeof(mask)) < 0 ? -EFAULT : (long)sizeof(mask);
}

long sys_sched_setaffinity(const uint64_t a[6])
{
    uint8_t mask;
    if (a[0] && !thread_find((int)a[0]))
        return -ESRCH;
    if (!a[1])
        return -EINVAL;
    if (user_in(&mask, a[2], 1) < 0)
        return -EFAULT;
    return mask & 1 ? 0 : -EINVAL;
}

/* One policy, SCHED_OTHER, and one priority. */
long sys_sched_getscheduler(const uint64_t a[6])
{
    return (int)a[0] < 0 ? -EINVAL : a[0] && !thread_find((int)a[0]) ? -ESRCH : 0;
}

long sys_sched_setscheduler(const uint64_t a[6])
{
    int priority;
    if (!a[2] || (int)a[0] < 0)
        return -EINVAL;
    if (user_in(&priority, a[2], sizeof(priority)) < 0)
        return -EFAULT;
    if (a[1] == SCHED_FIFO || a[1] == SCHED_RR)
        return priority < 1 || priority > 99 ? -EINVAL : -EPERM;
    return a[1] == SCHED_NORMAL || a[1] == SCHED_BATCH || a[1] == SCHED_IDLE
               ? (priority ? -EINVAL : 0)
               : -EINVAL;
}

long sys_sched_getparam(const uint64_t a[6])
{
    int priority = 0;
    if (!a[1] || (int)a[0] < 0)
        return -EINVAL;
    return user_out(a[1], &priority, sizeof(priority));
}

long sys_sched_setparam(const uint64_t a[6])
{
    int priority;
    if (!a[1])
        return -EINVAL;
    if (user_in(&priority, a[1], sizeof(priority)) < 0)
        return -EFAULT;
    return priority ? -EINVAL : 0;
}

long sys_sched_get_priority_max(const uint64_t a[6])
{
    return a[0] == SCHED_FIFO || a[0] == SCHED_RR             ? 99
           : a[0] == 0 || a[0] == 3 || a[0] == 5 || a[0] == 6 ? 0
                                                              : -EINVAL;
}

long sys_sched_get_priority_min(const uint64_t a[6])
{
    return a[0] == SCHED_FIFO || a[0] == SCHED_RR             ? 1
           : a[0] == 0 || a[0] == 3 || a[0] == 5 || a[0] == 6 ? 0
                                                              : -EINVAL;
}

long sys_getcpu(const uint64_t a[6])
{
    uint32_t zero = 0;
    if ((a[0] && user_out(a[0], &zero, 4) < 0) || (a[1] && user_out(a[1], &zero, 4) < 0))
        return -EFAULT;
    return 0;
}

/* One CPU: entering the kernel is barrier enough. */
long sys_membarrier(const uint64_t a[6])
{
    const uint64_t have = MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
                          MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
                          MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
                          MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
    if (a[1])
        return -EINVAL;
    if (a[0] == MEMBARRIER_CMD_QUERY)
        return (long)have;
    return a[0] & (a[0] - 1) || !(a[0] & have) ? -EINVAL : 0;
}

long sys_prctl(const uint64_t a[6])
{
    char name[16] = {0};
    switch (a[0]) {
    case PR_SET_NAME: {
        for (size_t i = 0; i < sizeof(name) - 1; i++) {
            if (user_in(&name[i], a[1] + i, 1) < 0)
                return -EFAULT;
            if (!name[i])
                break;
        }
        memcpy(current->name, name, sizeof(name));
        return 0;
    }
    case PR_GET_NAME:
        return user_out(a[1], current->name, sizeof(current->name));
    case PR_GET_DUMPABLE:
        return process.dumpable;
    case PR_SET_DUMPABLE:
        if (a[1] > 1)
            return -EINVAL;
        process.dumpable = a[1];
        return 0;
    case PR_SET_PDEATHSIG:
        return a[1] > SIGNAL_COUNT ? -EINVAL : 0;
    case PR_GET_NO_NEW_PRIVS:
        return a[1] || a[2] || a[3] || a[4] ? -EINVAL : 1;
    case PR_SET_NO_NEW_PRIVS:
        return a[1] != 1 || a[2] || a[3] || a[4] ? -EINVAL : 0;
    case PR_GET_SECCOMP:
        return 0;
    case PR_GET_TIMERSLACK:
        return 50000;
    case PR_SET_TIMERSLACK:
        return 0;
    case PR_CAPBSET_READ:
        return a[1] > 40 ? -EINVAL : 0;
    default:
        return -EINVAL;
    }
}
