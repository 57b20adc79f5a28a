/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone(2) that starts a function on a stack of its own in the caller's address space, and the
 * return from a signal handler: both without libc, whose versions keep state in thread-local
 * storage.
 */
#ifndef SKERRY_JAIL_SLOT_CLONE_H
#define SKERRY_JAIL_SLOT_CLONE_H

#include <stdint.h>

/*
 * Clones with flags (of clone(2), with the exit signal; not CLONE_SETTLS). stack_top: 16-byte
 * aligned end of the new stack. With CLONE_PARENT_SETTID the child's pid is in *out_pid before the
 * child runs (NULL without). Returns the pid or -errno; the child never returns from entry.
 */
long slot_clone(uint64_t flags, char *stack_top, int (*entry)(void *), void *arg,
                _Atomic int *word);

/* sa_restorer of our signal handlers. */
void slot_sigreturn(void);

#endif
