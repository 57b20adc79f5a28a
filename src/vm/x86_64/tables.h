/* SPDX-License-Identifier: Apache-2.0 */
/* The page tables that a guest starts with. */
#ifndef SKERRY_VM_X86_64_TABLES_H
#define SKERRY_VM_X86_64_TABLES_H

#include "vm/kernel.h"
#include "vm/memory.h"

/* Writes them from VM_TABLES_GPA on: the kernel's parts, all RAM, the image. 0 or -errno. */
int tables_write(struct guest_memory *memory, const struct kernel *kernel, struct err *err);

#endif
