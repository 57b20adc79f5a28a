/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing a program into memory: its segments, those of its interpreter, its stack. */
#ifndef SKERRY_GUEST_EXEC_H
#define SKERRY_GUEST_EXEC_H

#include "../arch.h"
#include "base.h"

/** exec_start(): loads path and fills regs with its first state: 0, or why not (as execve says it).
 */
int exec_start(const char *path, const struct vm_boot *boot, struct regs *regs);

#endif
