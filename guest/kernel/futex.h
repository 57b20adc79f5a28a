/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes. One address space: the key is the address; memory shared twice is seen through its
 * frame. */
#ifndef SKERRY_GUEST_FUTEX_H
#define SKERRY_GUEST_FUTEX_H

#include "base.h"

struct thread;

/** futex_wake_at(): wakes up to count threads that wait for addr; how many. */
int futex_wake_at(uint64_t addr, int count);

/** futex_robust_exit(): a thread dies: marks the locks of its robust list as left behind. */
void futex_robust_exit(struct thread *thread);

#endif
