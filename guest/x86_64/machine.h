/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the machine part share. */
#ifndef GUEST_X86_64_MACHINE_H
#define GUEST_X86_64_MACHINE_H

#include <stddef.h>

#include "arch.h"

extern uint64_t kernel_stack; /* where an entry from the program begins: the thread's stack_top */
extern uint64_t direct_execution; /* 1: page-table VM, privileged instructions are emulated */
extern uint64_t trapped_calls;    /* system calls by an instruction that was not patched */

void tables_open(void);
void fpu_open(void);
void patch_open(void);

/* From now on changes of page tables are remembered; of this entry; taken back, all of them. */
void undo_begin(void);
void undo_note(uint64_t *entry);
void undo_all(void);

/* From now on only what traps often is patched: the work would be lost with the request. */
void patch_pause(void);

/* Called for each system call that trapped; may patch the instruction that ends at rip. */
void patch_trapped(uint64_t rip);

/* Where code goes on that was stopped at rip: a site may have been patched since. */
uint64_t patch_resume(uint64_t rip);

static inline void port_out(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

#endif
