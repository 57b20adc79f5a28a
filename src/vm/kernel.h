/* SPDX-License-Identifier: Apache-2.0 */
/* The guest kernel's image: part of the monitor's program, so that nothing has to be opened. */
#ifndef SKERRY_VM_KERNEL_H
#define SKERRY_VM_KERNEL_H

#include "base/err.h"
#include "skerry/abi/vm.h"
#include "vm/memory.h"

#define KERNEL_PARTS_MAX 4

struct kernel_part { /* whole pages */
    uint64_t va, gpa, bytes;
    const uint8_t *content; /* of its first bytes; zeroes follow */
    uint64_t content_bytes;
    unsigned int flags; /* PF_R, PF_W, PF_X */
};

struct kernel {
    struct vm_kernel entry; /* copy of the image's first bytes */
    struct kernel_part parts[KERNEL_PARTS_MAX];
    unsigned int part_count;
    uint64_t end_gpa; /* first page after it */
};

/* Fills *out without a machine: where the kernel begins and what belongs where. 0 or -errno. */
int kernel_describe(struct kernel *out, struct err *err);

/* A number for this very image: memory with another kernel in it is not ours to run. */
uint64_t kernel_id(void);

/* Copies the kernel into RAM. 0, or -errno when the image is not one of this monitor's. */
int kernel_load(struct guest_memory *memory, struct kernel *out, struct err *err);

/* The name of the function of the kernel that holds va, and the offset in it; NULL: none known. */
const char *kernel_symbol(uint64_t va, uint64_t *out_offset);

#endif
