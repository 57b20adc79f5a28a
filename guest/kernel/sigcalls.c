// SPDX-License-Identifier: Apache-2.0
/* System calls on signals. */
#include <linux/time_types.h>

#include "../mm/space.h"
#include "call.h"
#include "process.h"
#include "thread.h"

#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define ALT_DISABLE 2u
#define ALT_ONSTACK 1u
#define ALT_DISARM  (1u << 31)
#define ALT_MIN     2048
#define ACT_KNOWN   0xdc000c07UL /* what Linux keeps of sa_flags */

static bool on_alt(void)
{
    uint64_t sp = current->regs->rsp;
    return !(current->alt.flags & ALT_DISARM) && sp > current->alt.sp &&
           sp - current->alt.sp <= current->alt.size;
}

long sys_rt_sigaction(const uint64_t a[6])
{
    struct sigact new = {0};
    int signal = (int)a[0];
    if (a[3] != 8)
        return -EINVAL;
    if (a[1] && user_in(&new, a[1], sizeof(new)) < 0)
        return -EFAULT;
    if (signal < 1 || signal > SIGNAL_COUNT || (a[1] && SIGBIT(signal) & UNBLOCKABLE))
        return -EINVAL;
    struct sigact old = signal_actions[signal];
    if (a[1]) {
        new.mask &= ~UNBLOCKABLE;
        new.flags &= ACT_KNOWN;
        signal_actions[signal] = new;
        signal_forget_ignored(signal);
    }
    return a[2] && user_out(a[2], &old, sizeof(old)) < 0 ? -EFAULT : 0;
}

long sys_rt_sigprocmask(const uint64_t a[6])
{
    uint64_t set, old = current->blocked;
    if (a[3] != 8)
        return -EINVAL;
    if (a[1]) {
        if (user_in(&set, a[1], sizeof(set)) < 0)
            return -EFAULT;
        switch ((int)a[0]) {
        case SIG_BLOCK:
            signal_set_mask(old | set);
            break;
        case SIG_UNBLOCK:
            signal_set_mask(old & ~set);
            break;
        case SIG_SETMASK:
            signal_set_mask(set);
            break;
        default:
            return -EINVAL;
        }
    }
    return a[2] && user_out(a[2], &old, sizeof(old)) < 0 ? -EFAULT : 0;
}

long sys_rt_sigpending(const uint64_t a[6])
{
    uint64_t set = (current->pending.set | signal_shared.set) & current->blocked;
    return a[1] > 8 ? -EINVAL : user_out(a[0], &set, a[1]);
}

long sys_rt_sigsuspend(const uint64_t a[6])
{
    uint64_t mask;
    if (a[1] != 8)
        return -EINVAL;
    if (user_in(&mask, a[0], sizeof(mask)) < 0)
        return -EFAULT;
    signal_suspend_mask(mask);
    while (wait_block(NEVER) == 0)
        ;
    return -ERESTARTNOHAND;
}

long sys_pause(const uint64_t a[6])
{
    (void)a;
    while (wait_block(NEVER) == 0)
        ;
    return -ERESTARTNOHAND;
}

long sys_rt_sigtimedwait(const uint64_t a[6])
{
    uint64_t set, deadline = NEVER;
    struct __kernel_timespec ts;
    siginfo_t info;
    if (a[3] != 8)
        return -EINVAL;
    if (user_in(&set, a[0], sizeof(set)) < 0)
        return -EFAULT;
    if (a[2]) {
        if (user_in(&ts, a[2], sizeof(ts)) < 0)
            return -EFAULT;
        if (ts.tv_sec < 0 || (uint64_t)ts.tv_nsec >= NS_PER_S)
            return -EINVAL;
        deadline = call_deadline(call_ns(ts.tv_sec, ts.tv_nsec));
    }
    set &= ~UNBLOCKABLE;
    for (;;) {
        int signal = signal_take(set, &info);
        if (signal)
            return a[1] && user_out(a[1], &info, sizeof(info)) < 0 ? -EFAULT : signal;
        /* What is waited for counts as blocked whether it is or not: it is taken here. */
        uint64_t blocked = current->blocked;
        current->blocked |= set;
        current->waiting_for = set;
        int rc = wait_block(deadline);
        current->waiting_for = 0;
        current->blocked = blocked;
        if (rc == -ETIMEDOUT) {
            signal = signal_take(set, &info);
            return !signal                                           ? -EAGAIN
                   : a[1] && user_out(a[1], &info, sizeof(info)) < 0 ? -EFAULT
                                                                     : signal;
        }
        if (rc < 0 && !((current->pending.set | signal_shared.set) & set))
            return -EINTR;
    }
}

long sys_sigaltstack(const uint64_t a[6])
{
    struct {
        uint64_t sp;
        int32_t flags, pad;
        uint64_t size;
    } new, old = {.sp = current->alt.sp,
                  .flags = (int32_t)current->alt.flags,
                  .size = current->alt.size};
    if (!(current->alt.flags & ALT_DISABLE) && on_alt())
        old.flags |= (int32_t)ALT_ONSTACK;
    if (a[0]) {
        if (user_in(&new, a[0], sizeof(new)) < 0)
            return -EFAULT;
        if (!(current->alt.flags & ALT_DISABLE) && on_alt())
            return -EPERM;
        uint32_t mode = (uint32_t) new.flags & ~ALT_DISARM;
        if (mode & ~(ALT_DISABLE | ALT_ONSTACK) || mode == (ALT_DISABLE | ALT_ONSTACK))
            return -EINVAL;
        if (mode & ALT_DISABLE)
            current->alt = (struct sigalt){.flags = ALT_DISABLE};
        else if (new.size < ALT_MIN)
            return -ENOMEM;
        else
            current->alt = (struct sigalt){
                .sp = new.sp, .size = new.size, .flags = (uint32_t) new.flags &ALT_DISARM};
    }
    return a[1] && user_out(a[1], &old, sizeof(old)) < 0 ? -EFAULT : 0;
}

static long send(struct thread *to, int signal, int code)
{
    if (signal < 0 || signal > SIGNAL_COUNT)
        return -EINVAL;
    return signal ? signal_send_simple(to, signal, code) : 0;
}

long sys_kill(const uint64_t a[6])
{
    int pid = (int)a[0];
    if ((int)a[1] < 0 || (int)a[1] > SIGNAL_COUNT)
        return -EINVAL;
    if (pid == -1 || (pid != PROCESS_PID && pid != 0 && pid != -PROCESS_PID))
        return -ESRCH;
    return send(NULL, (int)a[1], SI_USER);
}

long sys_tgkill(const uint64_t a[6])
{
    if ((int)a[0] <= 0 || (int)a[1] <= 0)
        return -EINVAL;
    struct thread *to = thread_find((int)a[1]);
    if (!to || (int)a[0] != PROCESS_PID)
        return -ESRCH;
    return send(to, (int)a[2], SI_TKILL);
}

long sys_tkill(const uint64_t a[6])
{
    const uint64_t b[6] = {PROCESS_PID, a[0], a[1]};
    return sys_tgkill(b);
}

static long queue(struct thread *to, int signal, uint64_t from)
{
    siginfo_t info;
    if (user_in(&info, from, sizeof(info)) < 0)
        return -EFAULT;
    info.si_signo = signal;
    if (signal < 0 || signal > SIGNAL_COUNT)
        return -EINVAL;
    return signal ? signal_send(to, &info) : 0;
}

long sys_rt_sigqueueinfo(const uint64_t a[6])
{
    return (int)a[0] == PROCESS_PID ? queue(NULL, (int)a[1], a[2]) : -ESRCH;
}

long sys_rt_tgsigqueueinfo(const uint64_t a[6])
{
    struct thread *to = thread_find((int)a[1]);
    return to && (int)a[0] == PROCESS_PID ? queue(to, (int)a[2], a[3]) : -ESRCH;
}

long sys_rt_sigreturn(const uint64_t a[6])
{
    (void)a;
    signal_return(current->regs);
    return (long)current->regs->rax;
}
