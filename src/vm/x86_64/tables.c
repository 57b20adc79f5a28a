/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user bit is set in every entry: a hypervisor without hardware help runs the whole guest in
 * the CPU's user mode, and refaults for ever on a page without it.
 */
#include "vm/x86_64/tables.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define PTE_P   UINT64_C(1)
#define PTE_W   UINT64_C(2)
#define PTE_U   UINT64_C(4)
#define PTE_AD  UINT64_C(0x60) /* accessed and dirty: no hypervisor has to write them later */
#define PTE_BIG UINT64_C(0x80)
#define PTE_NX  (UINT64_C(1) << 63)
#define ADDRESS UINT64_C(0x000ffffffffff000)
#define TABLE   (PTE_P | PTE_W | PTE_U | PTE_AD)
#define BIG     UINT64_C(0x200000)

struct builder {
    struct guest_memory *memory;
    uint64_t next; /* free page for tables; the root is the first */
};

static uint64_t *table_span(struct builder *builder, uint64_t gpa)
{
    return guest_span(builder->memory, GPA(gpa), VM_PAGE);
}

/* The entry that maps va at level (0: 4 KiB, 1: 2 MiB), with tables made on the way; NULL: full. */
static uint64_t *entry_of(struct builder *builder, uint64_t va, unsigned int level)
{
    uint64_t table = VM_TABLES_GPA;
    for (unsigned int at = 3;; at--) {
        uint64_t *entries = table_span(builder, table);
        if (entries == NULL)
            return NULL;
        uint64_t *entry = &entries[va >> (12 + 9 * at) & 511];
        if (at == level)
            return entry;
        if (*entry == 0) {
            if (builder->next >= VM_KERNEL_GPA)
                return NULL;
            *entry = builder->next | TABLE;
            builder->next += VM_PAGE;
        }
        table = *entry & ADDRESS;
    }
}

static int map(struct builder *builder, uint64_t va, uint64_t gpa, uint64_t bytes,
               unsigned int level, uint64_t bits)
{
    uint64_t step = level == 0 ? VM_PAGE : BIG;
    for (uint64_t done = 0; done < bytes; done += step) {
        uint64_t *entry = entry_of(builder, va + done, level);
        if (entry == NULL)
            return -ENOSPC;
        *entry = (gpa + done) | bits | PTE_P | PTE_U | PTE_AD | (level == 0 ? 0 : PTE_BIG);
    }
    return 0;
}

int tables_write(struct guest_memory *memory, const struct kernel *kernel, struct err *err)
{
    struct builder builder = {.memory = memory, .next = VM_TABLES_GPA + VM_PAGE};
    int result = 0;
    for (unsigned int i = 0; result == 0 && i < kernel->part_count; i++) {
        const struct kernel_part *part = &kernel->parts[i];
        uint64_t bits =
            ((part->flags & PF_W) != 0 ? PTE_W : 0) | ((part->flags & PF_X) != 0 ? 0 : PTE_NX);
        result = map(&builder, part->va, part->gpa, part->bytes, 0, bits);
    }
    if (result == 0)
        result = map(&builder, VM_PHYS_VA, 0, memory->ram_bytes, 1, PTE_W | PTE_NX);
    if (result == 0)
        result =
            map(&builder, VM_PHYS_VA + VM_IMAGE_GPA, VM_IMAGE_GPA, memory->image_bytes, 1, PTE_NX);
    return result == 0 ? 0 : err_set(err, -result, "make the guest's first page tables:");
}
