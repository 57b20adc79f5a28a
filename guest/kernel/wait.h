/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting: an object that threads can wait for has one queue, which is woken whenever anything
 * about it changed; who wakes up looks again. `events` counts the wake-ups: edge-triggered epoll
 * compares it.
 */
#ifndef SKERRY_GUEST_WAIT_H
#define SKERRY_GUEST_WAIT_H

#include "base.h"

struct thread;

struct waitq {
    struct list nodes;
    uint64_t events;
};

struct wait_node {
    struct list link;
    struct thread *thread;
};

static inline void waitq_init(struct waitq *queue)
{
    list_init(&queue->nodes);
    queue->events = 0;
}

/** waitq_wake(): everyone who waits looks again. */
void waitq_wake(struct waitq *queue);

/** wait_join(), wait_leave(): the running thread is woken by this queue too. */
void wait_join(struct waitq *queue, struct wait_node *node);
void wait_leave(struct wait_node *node);

/**
 * wait_block(): sleeps until woken, until deadline_ns of the monotonic clock (NEVER), or until a
 * signal is to be handled: 0, -ETIMEDOUT, -ERESTARTSYS.
 */
int wait_block(uint64_t deadline_ns);

/** wait_on(): joins one queue, blocks, leaves. */
int wait_on(struct waitq *queue, uint64_t deadline_ns);

#endif
