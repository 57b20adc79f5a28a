/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: what is pending, blocked, handled, and the frames that handlers run on. */
#ifndef SKERRY_GUEST_SIGNAL_H
#define SKERRY_GUEST_SIGNAL_H

#include <asm/siginfo.h>
#include <asm/signal.h>

#include "base.h"
#include "wait.h"

struct regs;
struct thread;

#define SIGNAL_COUNT 64
#define SIGBIT(n)    (1UL << ((n)-1))

struct sigqueued {
    struct list link;
    siginfo_t info;
};

struct sigqueue {
    uint64_t set;
    struct list infos;
};

struct sigalt {
    uint64_t sp, size;
    uint32_t flags;
};

/* As the system call has it. */
struct sigact {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

extern struct sigact signal_actions[SIGNAL_COUNT + 1];
extern struct sigqueue signal_shared;
extern struct waitq signal_arrived; /* for signalfd */

void sigqueue_init(struct sigqueue *queue);
void sigqueue_clear(struct sigqueue *queue);

/** signal_send(): to a thread, or with NULL to the process. 0 or -EAGAIN (no memory for a queued
 * one). */
int signal_send(struct thread *thread, const siginfo_t *info);

/** signal_send_simple(): from the kernel or kill, without more than a number and a code. */
int signal_send_simple(struct thread *thread, int signal, int code);

/** signal_fault(): the running thread did something wrong: its handler, or the end if it blocks or
 * ignores it. */
void signal_fault(int signal, int code, uint64_t addr, struct regs *regs, unsigned vector,
                  uint64_t error);

/** signal_forget_ignored(): an action changed: what is pending and now ignored is dropped. */
void signal_forget_ignored(int signal);

/** signal_due(): whether the running thread has a signal that is to be handled (so a wait is to be
 * left). */
bool signal_due(const struct thread *thread);

/** signal_take(): the next of a set that is pending for the running thread: its number and info; 0
 * when none. */
int signal_take(uint64_t set, siginfo_t *out);

/** signal_deliver(): handles what is pending: makes frames, restarts calls, or ends the program. */
void signal_deliver(struct regs *regs);

/** signal_return(): rt_sigreturn: puts back what the frame says. */
void signal_return(struct regs *regs);

/** signal_set_mask(): blocks exactly these (never SIGKILL and SIGSTOP). */
void signal_set_mask(uint64_t mask);

/** signal_suspend_mask(): for the time of one call; the old mask returns after its signal was
 * delivered. */
void signal_suspend_mask(uint64_t mask);

/** frame_build(): a frame for a handler on the program's stack: 0 or -EFAULT. */
int frame_build(struct regs *regs, const siginfo_t *info, const struct sigact *action);

#endif
