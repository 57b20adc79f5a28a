// SPDX-License-Identifier: Apache-2.0
/* Threads and who runs: a first-in-first-out queue. */
#include "thread.h"

#include "../ipc/stdio.h"
#include "../mm/heap.h"
#include "../mm/page.h"
#include "../mm/space.h"
#include "futex.h"
#include "process.h"

#define SLICE_NS 5000000UL

struct thread *current;
struct list threads = {&threads, &threads};
struct process process;

static struct list ready = {&ready, &ready};
static struct thread *corpse; /* died last; freed when another stack runs */
static int next_tid = PROCESS_PID;
static int alive;

static void sleep_over(struct timer *timer)
{
    struct thread *thread = container_of(timer, struct thread, sleep);
    thread->timed_out = true;
    thread_ready(thread);
}

static struct thread *thread_make(void)
{
    struct thread *thread = heap_alloc(sizeof(*thread));
    if (!thread)
        return NULL;
    /* 64-byte alignment: the heap's larger pieces are aligned to their size. */
    thread->fpu_block = heap_alloc(arch_fpu_size() < 64 ? 64 : arch_fpu_size());
    if (!thread->fpu_block) {
        heap_free(thread);
        return NULL;
    }
    thread->arch.fpu = thread->fpu_block;
    thread->tid = next_tid++;
    thread->state = THREAD_BLOCKED;
    list_init(&thread->run);
    list_init(&thread->futex_link);
    sigqueue_init(&thread->pending);
    thread->alt.flags = 2; /* SS_DISABLE */
    timer_init(&thread->sleep, sleep_over);
    list_add_tail(&threads, &thread->all);
    alive++;
    return thread;
}

int thread_boot(void)
{
    struct thread *thread = thread_make();
    if (!thread)
        return -ENOMEM;
    thread->state = THREAD_READY;
    arch_thread_adopt(&thread->arch);
    thread->stack = page_alloc(THREAD_STACK_ORDER);
    if (!thread->stack)
        return -ENOMEM;
    thread->arch.stack_top = (uint64_t)page_ptr(thread->stack) + (PAGE_SIZE << THREAD_STACK_ORDER);
    current = thread;
    thread->run_since = time_mono_ns();
    return 0;
}

static void begin(void *arg)
{
    struct thread *thread = arg;
    struct regs regs = thread->start;
    thread_return(&regs);
    arch_enter_user(&regs);
}

static void bury(struct thread *thread)
{
    if (!thread)
        return;
    page_put(thread->stack);
    heap_free(thread->fpu_block);
    heap_free(thread);
}

struct thread *thread_new(const struct regs *regs)
{
    struct thread *thread = thread_make();
    if (!thread)
        return NULL;
    thread->stack = page_alloc(THREAD_STACK_ORDER);
    if (!thread->stack) {
        list_del(&thread->all);
        alive--;
        bury(thread);
        return NULL;
    }
    thread->start = *regs;
    arch_thread_init(&thread->arch,
                     (uint64_t)page_ptr(thread->stack) + (PAGE_SIZE << THREAD_STACK_ORDER), begin,
                     thread);
    memcpy(thread->name, current->name, sizeof(thread->name));
    thread->blocked = current->blocked;
    return thread;
}

struct thread *thread_find(int tid)
{
    for (struct list *at = threads.next; at != &threads; at = at->next) {
        struct thread *thread = container_of(at, struct thread, all);
        if (thread->tid == tid)
            return thread;
    }
    return NULL;
}

int thread_count(void)
{
    return alive;
}

void thread_ready(struct thread *thread)
{
    if (thread->state != THREAD_BLOCKED)
        return;
    thread->state = THREAD_READY;
    timer_stop(&thread->sleep);
    if (thread != current)
        list_add_tail(&ready, &thread->run);
}

/* What can make a thread ready while all are blocked: time, and the outside. */
static void wait_for_world(void)
{
    timers_run();
    stdio_poll();
    if (!list_empty(&ready) || current->state == THREAD_READY)
        return;
    arch_idle(time_tsc_of(timers_next()));
    timers_run();
    stdio_poll();
}

/* Gives the CPU to the next that is ready; returns when the caller is ready and its turn has come.
 */
static void schedule(void)
{
    while (list_empty(&ready)) {
        if (current->state == THREAD_READY)
            return;
        wait_for_world();
    }
    struct thread *next = container_of(ready.next, struct thread, run);
    list_del(&next->run);
    if (next == current)
        return;
    if (current->state == THREAD_READY)
        list_add_tail(&ready, &current->run);
    struct thread *before = current;
    uint64_t now = time_mono_ns();
    before->ran_ns += now - before->run_since;
    next->run_since = now;
    next->slice_end = now + SLICE_NS;
    current = next;
    arch_thread_switch(&before->arch, &next->arch);
    /* Here again, or for the first time in begin(). */
    if (corpse && corpse != current) {
        bury(corpse);
        corpse = NULL;
    }
}

void thread_yield(void)
{
    timers_run();
    schedule();
}

int wait_block(uint64_t deadline_ns)
{
    if (signal_due(current))
        return -ERESTARTSYS;
    current->timed_out = false;
    if (deadline_ns != NEVER) {
        if (deadline_ns <= time_mono_ns())
            return -ETIMEDOUT;
        timer_start(&current->sleep, deadline_ns);
    }
    current->state = THREAD_BLOCKED;
    schedule();
    timer_stop(&current->sleep);
    if (current->timed_out)
        return -ETIMEDOUT;
    return signal_due(current) ? -ERESTARTSYS : 0;
}

void waitq_wake(struct waitq *queue)
{
    queue->events++;
    for (struct list *at = queue->nodes.next; at != &queue->nodes; at = at->next)
        thread_ready(container_of(at, struct wait_node, link)->thread);
}

void wait_join(struct waitq *queue, struct wait_node *node)
{
    node->thread = current;
    list_add_tail(&queue->nodes, &node->link);
}

void wait_leave(struct wait_node *node)
{
    list_del(&node->link);
}

int wait_on(struct waitq *queue, uint64_t deadline_ns)
{
    struct wait_node node;
    wait_join(queue, &node);
    int rc = wait_block(deadline_ns);
    wait_leave(&node);
    return rc;
}

void thread_exit(int status)
{
    if (alive == 1)
        process_exit(status);
    futex_robust_exit(current);
    if (current->clear_tid) {
        uint32_t zero = 0;
        if (user_out(current->clear_tid, &zero, sizeof(zero)) == 0)
            futex_wake_at(current->clear_tid, 1);
    }
    sigqueue_clear(&current->pending);
    list_del(&current->all);
    alive--;
    current->state = THREAD_DEAD;
    if (corpse)
        bury(corpse);
    corpse = current;
    schedule();
    arch_panic(NULL, "a dead thread runs");
}

void process_exit(int status)
{
    stdio_flush();
    arch_exit(VM_EXIT_STATUS, (uint32_t)status & 0xff);
}

void process_kill(int signal)
{
    stdio_flush();
    arch_exit(VM_EXIT_SIGNAL, (uint32_t)signal);
}

void thread_return(struct regs *regs)
{
    uint64_t next = timers_next();
    if (next != NEVER && next <= time_mono_ns())
        timers_run();
    if (!list_empty(&ready) && time_mono_ns() >= current->slice_end)
        schedule();
    if (signal_due(current))
        signal_deliver(regs);
    else if (current->restore_mask) {
        current->restore_mask = false;
        signal_set_mask(current->saved_mask);
    }
}
