// SPDX-License-Identifier: Apache-2.0
/* Signals: sending, taking, and what happens to each on the way back to the program. */
#include "signal.h"

#include "../arch.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "process.h"
#include "thread.h"

#define ACT_SIGINFO        0x4UL
#define ACT_RESTART        0x10000000UL
#define ACT_NODEFER        0x40000000UL
#define ACT_RESETHAND      0x80000000UL
#define UNBLOCKABLE        (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define IGNORED_BY_DEFAULT (SIGBIT(SIGCHLD) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) | SIGBIT(SIGCONT))
#define STOPS              (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define QUEUED_MAX         4096

struct sigact signal_actions[SIGNAL_COUNT + 1];
struct sigqueue signal_shared = {.infos = {&signal_shared.infos, &signal_shared.infos}};
static unsigned queued;

void sigqueue_init(struct sigqueue *queue)
{
    queue->set = 0;
    list_init(&queue->infos);
}

static void queued_free(struct sigqueued *entry)
{
    list_del(&entry->link);
    heap_free(entry);
    queued--;
}

void sigqueue_clear(struct sigqueue *queue)
{
    while (!list_empty(&queue->infos))
        queued_free(container_of(queue->infos.next, struct sigqueued, link));
    queue->set = 0;
}

/* Stopping has nobody who could continue it: signals that stop are ignored by default. */
static bool ignored(int signal)
{
    uint64_t handler = signal_actions[signal].handler;
    if (handler == (uint64_t)SIG_IGN)
        return true;
    return handler == (uint64_t)SIG_DFL && SIGBIT(signal) & (IGNORED_BY_DEFAULT | STOPS);
}

static void wake_one(struct thread *to, int signal)
{
    if (to) {
        thread_ready(to);
        return;
    }
    struct thread *best = NULL;
    for (struct list *at = threads.next; at != &threads; at = at->next) {
        struct thread *thread = container_of(at, struct thread, all);
        bool wants = !(thread->blocked & SIGBIT(signal)) || thread->waiting_for & SIGBIT(signal);
        if (wants && (!best || thread == current))
            best = thread;
    }
    if (best)
        thread_ready(best);
}

int signal_send(struct thread *thread, const siginfo_t *info)
{
    int signal = info->si_signo;
    struct sigqueue *queue = thread ? &thread->pending : &signal_shared;
    bool blocked = thread && thread->blocked & SIGBIT(signal);
    if (!thread) {
        blocked = true; /* by all? */
        for (struct list *at = threads.next; at != &threads; at = at->next)
            blocked = blocked && container_of(at, struct thread, all)->blocked & SIGBIT(signal);
    }
    if (ignored(signal) && !blocked)
        return 0;
    if (queue->set & SIGBIT(signal) && signal < SIGRTMIN)
        return 0;
    struct sigqueued *entry = queued < QUEUED_MAX ? heap_alloc(sizeof(*entry)) : NULL;
    if (!entry)
        return -EAGAIN;
    queued++;
    entry->info = *info;
    list_add_tail(&queue->infos, &entry->link);
    queue->set |= SIGBIT(signal);
    waitq_wake(&signal_arrived);
    wake_one(thread, signal);
    return 0;
}

int signal_send_simple(struct thread *thread, int signal, int code)
{
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_signo = signal;
    info.si_code = code;
    if (code <= 0) {
        info.si_pid = PROCESS_PID;
        info.si_uid = process.uid;
    }
    return signal_send(thread, &info);
}

static void forget(struct sigqueue *queue, int signal)
{
    for (struct list *at = queue->infos.next; at != &queue->infos;) {
        struct sigqueued *entry = container_of(at, struct sigqueued, link);
        at = at->next;
        if (entry->info.si_signo == signal)
            queued_free(entry);
    }
    queue->set &= ~SIGBIT(signal);
}

void signal_forget_ignored(int signal)
{
    if (!ignored(signal))
        return;
    forget(&signal_shared, signal);
    for (struct list *at = threads.next; at != &threads; at = at->next)
        forget(&container_of(at, struct thread, all)->pending, signal);
}

bool signal_due(const struct thread *thread)
{
    return (thread->pending.set | signal_shared.set) & ~thread->blocked;
}

static int take_from(struct sigqueue *queue, int signal, siginfo_t *out)
{
    struct sigqueued *found = NULL;
    bool more = false;
    for (struct list *at = queue->infos.next; at != &queue->infos; at = at->next) {
        struct sigqueued *entry = container_of(at, struct sigqueued, link);
        if (entry->info.si_signo != signal)
            continue;
        more = found != NULL;
        found = found ? found : entry;
    }
    if (!more)
        queue->set &= ~SIGBIT(signal);
    if (!found)
        return 0;
    *out = found->info;
    queued_free(found);
    return signal;
}

int signal_take(uint64_t set, siginfo_t *out)
{
    uint64_t own = current->pending.set & set, shared = signal_shared.set & set;
    if (!(own | shared))
        return 0;
    /* Those of the CPU first, then the lowest number; the thread's own before the process's. */
    uint64_t faults = SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) |
                      SIGBIT(SIGFPE) | SIGBIT(SIGSYS);
    if (own)
        return take_from(&current->pending, __builtin_ctzll(own & faults ? own & faults : own) + 1,
                         out);
    return take_from(&signal_shared, __builtin_ctzll(shared) + 1, out);
}

void signal_set_mask(uint64_t mask)
{
    current->blocked = mask & ~UNBLOCKABLE;
    if (signal_shared.set & ~current->blocked)
        return;
    /* What this thread now blocks another may have to take. */
    for (int i = 1; i <= SIGNAL_COUNT; i++) {
        if (signal_shared.set & SIGBIT(i))
            wake_one(NULL, i);
    }
}

void signal_suspend_mask(uint64_t mask)
{
    current->saved_mask = current->blocked;
    current->restore_mask = true;
    current->blocked = mask & ~UNBLOCKABLE;
}

void signal_fault(int signal, int code, uint64_t addr, struct regs *regs, unsigned vector,
                  uint64_t error)
{
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_signo = signal;
    info.si_code = code;
    info.si_addr = (void *)addr;
    (void)vector;
    (void)error;
    struct sigact *action = &signal_actions[signal];
    bool handled = action->handler != (uint64_t)SIG_DFL && action->handler != (uint64_t)SIG_IGN &&
                   !(current->blocked & SIGBIT(signal));
    if (!handled || signal_send(current, &info) < 0) {
        if (process.trace)
            arch_panic(regs, "signal %d at %llx", signal, (unsigned long long)addr);
        process_kill(signal);
    }
}

/* A call that was interrupted: started again, or EINTR, as its code and the action say. */
static void settle_call(struct regs *regs, const struct sigact *action)
{
    if (regs->orig_rax == UINT64_MAX)
        return;
    long rc = (long)regs->rax;
    if (rc != -ERESTARTSYS && rc != -ERESTARTNOHAND)
        return;
    if (action && (rc == -ERESTARTNOHAND || !(action->flags & ACT_RESTART))) {
        regs->rax = (uint64_t)-EINTR;
    } else {
        regs->rax = regs->orig_rax;
        regs->rip -= 2; /* the length of syscall, patched or not */
    }
    regs->orig_rax = UINT64_MAX;
}

static void handle(struct regs *regs, const siginfo_t *info)
{
    struct sigact *slot = &signal_actions[info->si_signo];
    struct sigact action = *slot;
    settle_call(regs, &action);
    if (action.flags & ACT_RESETHAND)
        slot->handler = (uint64_t)SIG_DFL;
    if (frame_build(regs, info, &action) < 0)
        process_kill(SIGSEGV);
    uint64_t mask = current->blocked | action.mask;
    if (!(action.flags & ACT_NODEFER))
        mask |= SIGBIT(info->si_signo);
    current->restore_mask = false;
    signal_set_mask(mask);
}

void signal_deliver(struct regs *regs)
{
    siginfo_t info;
    int signal;
    while ((signal = signal_take(~current->blocked, &info))) {
        if (ignored(signal))
            continue;
        if (signal_actions[signal].handler == (uint64_t)SIG_DFL)
            process_kill(signal);
        handle(regs, &info);
    }
    settle_call(regs, NULL);
    if (current->restore_mask) {
        current->restore_mask = false;
        signal_set_mask(current->saved_mask);
    }
}
