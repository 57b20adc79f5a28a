/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO is the kernel's own pages, mapped once more where the program may run them. */
#include "../vdso/page.h"
#include "x86_64/machine.h"

extern uint8_t vdso_pages[], vdso_pages_end[];

uint64_t arch_vdso_map(uint64_t va)
{
    uint64_t pa = (uint64_t)vdso_pages - VM_KERNEL_VA;
    uint64_t pages = (uint64_t)(vdso_pages_end - vdso_pages) / VM_PAGE;
    if (arch_map(va, pa, 1, ARCH_R) < 0 ||
        arch_map(va + VM_PAGE, pa + VM_PAGE, pages - 1, ARCH_R | ARCH_X) < 0)
        return 0;
    arch_patch(va + VM_PAGE, (pages - 1) * VM_PAGE);
    return va + VM_PAGE;
}

void arch_vdso_time(uint64_t tsc, uint64_t mono_ns, uint64_t real_offset, uint64_t ns_per_tick)
{
    struct vdso_page *page = (struct vdso_page *)(void *)vdso_pages;
    *page = (struct vdso_page){tsc, mono_ns, real_offset, ns_per_tick};
}
