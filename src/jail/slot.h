/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a slot (slot.c, sandbox.c, slot_report.c) say to each other. */
#ifndef SKERRY_JAIL_SLOT_H
#define SKERRY_JAIL_SLOT_H

#include <stdint.h>
#include <sys/resource.h>

#include "jail/raw.h"
#include "jail/zygote.h"

#define SIGSET_BYTES 8 /* of the kernel's sigset_t */

/* A call that furnishes: at most five arguments and the key, which the closing filter asks for. */
#define FURNISH(number, a, b, c, d, e)                                                             \
    raw6(number, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), RAW_ARG(e), (long)zygote.key)

/* Forgets the last program: its call, stages and end. Gives its network back. */
void slot_reset(struct slot *slot);

/*
 * Waits for a start message that is to be run, and enters its call, epoch and stamps into the slot.
 * fds: the request's stdin, stdout and stderr; numbers above 2. Does not return when there is
 * nothing to run, or when the call has been killed already.
 */
struct start_header slot_take(struct slot *slot, int fds[3]);

/* Ends the calling process. */
_Noreturn void slot_leave(int status);

/* Entry of a sandbox's pid 1, on slot->init_stack; arg: the slot. Ends when nothing of it is left.
 */
int sandbox_init_main(void *arg);

/*
 * Sends the exit report of the slot's call, once (slot->reported), from pid 1 of the sandbox or
 * from the spawner when that could not. status: as of wait4.
 */
void slot_report(struct slot *slot, int status, const struct rusage *usage);

/* The kernel's count of OOM kills in the slot's cgroup; 0 when there is none. */
uint64_t slot_read_oom_kills(const struct slot *slot);

#endif
