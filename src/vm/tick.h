/* SPDX-License-Identifier: Apache-2.0 */
/* The timer whose signal stops the guest now and then. One a process. */
#ifndef SKERRY_VM_TICK_H
#define SKERRY_VM_TICK_H

#include "base/err.h"

#define TICK_NS UINT64_C(10000000)

struct machine;

/* Makes the timer, stopped, and the handler that kicks this machine. 0 or -errno. */
int tick_open(struct machine *machine, struct err *err);

void tick_start(void);
void tick_stop(void);

#endif
