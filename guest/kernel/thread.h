/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads. One CPU: a thread runs until it blocks, or, where the machine part has a timer, until
 * its slice is over and it is in program code. Kernel code is never interrupted, so nothing here
 * needs a lock.
 */
#ifndef SKERRY_GUEST_THREAD_H
#define SKERRY_GUEST_THREAD_H

#include "../arch.h"
#include "signal.h"
#include "time.h"
#include "wait.h"

#define THREAD_STACK_ORDER 2 /* 16 KiB of kernel stack */

enum thread_state { THREAD_READY, THREAD_BLOCKED, THREAD_DEAD };

struct thread {
    struct arch_thread arch;
    struct list all;
    struct list run; /* in the run queue while ready and not running */
    enum thread_state state;
    int tid;
    bool timed_out;
    struct timer sleep;
    struct regs *regs; /* of the program, during an entry */
    struct regs start; /* where a new one begins */
    paddr_t stack;
    void *fpu_block;
    char name[16];
    /* signals */
    uint64_t blocked;
    uint64_t saved_mask; /* of sigsuspend, ppoll ..., put back after a handler's frame was made */
    bool restore_mask;
    struct sigqueue pending;
    struct sigalt alt;
    uint64_t waiting_for; /* sigtimedwait */
    /* threads of libc */
    uint64_t clear_tid;
    uint64_t robust;
    /* futex */
    struct list futex_link;
    uint64_t futex_key;
    uint32_t futex_bits;
    bool futex_woken;
    uint64_t slice_end;
    uint64_t run_since, ran_ns;
};

extern struct thread *current;
extern struct list threads;

/** thread_boot(): makes the flow of control of the boot the first thread. */
int thread_boot(void);

/** thread_new(): a thread that starts in the program with regs; not yet ready. NULL without memory.
 */
struct thread *thread_new(const struct regs *regs);

/** thread_ready(): it may run. */
void thread_ready(struct thread *thread);

/** thread_find(): by its number. thread_count(): how many live. */
struct thread *thread_find(int tid);
int thread_count(void);

/** thread_yield(): lets others run first. */
void thread_yield(void);

/** thread_exit(): the running thread ends; the last one ends the process with status. */
_Noreturn void thread_exit(int status);

/** process_exit(), process_kill(): the program ends, by itself or by a signal. */
_Noreturn void process_exit(int status);
_Noreturn void process_kill(int signal);

/** thread_return(): what is due before the program goes on: timers, a slice that is over, signals.
 */
void thread_return(struct regs *regs);

#endif
