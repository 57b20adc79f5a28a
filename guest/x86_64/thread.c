/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of the kernel, segment bases and the FPU.
 *
 * The kernel itself uses general registers only, so the FPU state in the CPU is always that of the
 * running thread; it is saved when another thread gets the CPU, and for signals.
 */
#include "x86_64/machine.h"

#define XCR0_X87     1u
#define XCR0_SSE     2u
#define MXCSR_RESET  0x1f80u
#define FCW_RESET    0x37fu
#define FXSAVE_BYTES 512u
#define MXCSR_AT     24u
#define XSTATE_BV_AT 512u

void switch_stacks(uint64_t *from_sp, uint64_t to_sp);
void thread_begin(void);

extern const uint8_t boot_stack_top[];

static uint64_t fpu_bytes = FXSAVE_BYTES;
static uint64_t fpu_mask;

/* The monitor knows the state's size from its own CPUID; asking here would cost two exits. */
void fpu_open(void)
{
    const struct vm_boot *boot = arch_phys(VM_BOOT_GPA);
    fpu_mask = boot->fpu_mask;
    fpu_bytes = boot->fpu_bytes;
}

uint64_t arch_fpu_size(void)
{
    return (fpu_bytes + 63) / 64 * 64;
}

void arch_fpu_save(void *area)
{
    if (fpu_mask == 0) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
        return;
    }
    /* XRSTOR refuses a header with anything else in it */
    uint64_t *header = (uint64_t *)((uint8_t *)area + FXSAVE_BYTES);
    for (unsigned int i = 0; i < 8; i++)
        header[i] = 0;
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)fpu_mask), "d"((uint32_t)(fpu_mask >> 32))
                     : "memory");
}

void arch_fpu_restore(const void *area)
{
    if (fpu_mask == 0)
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
    else
        __asm__ volatile("xrstor64 (%0)"
                         :
                         : "r"(area), "a"((uint32_t)fpu_mask), "d"((uint32_t)(fpu_mask >> 32))
                         : "memory");
}

void arch_fpu_reset(void *area)
{
    uint8_t *bytes = area;
    for (uint64_t i = 0; i < fpu_bytes; i++)
        bytes[i] = 0;
    *(uint16_t *)area = FCW_RESET;
    *(uint32_t *)(bytes + MXCSR_AT) = MXCSR_RESET;
    if (fpu_mask != 0)
        *(uint64_t *)(bytes + XSTATE_BV_AT) = XCR0_X87 | XCR0_SSE;
}

uint64_t arch_fs_get(void)
{
    uint64_t base;
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

void arch_fs_set(uint64_t base)
{
    __asm__ volatile("wrfsbase %0" : : "r"(base) : "memory");
}

uint64_t arch_gs_get(void)
{
    uint64_t base;
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    return base;
}

void arch_gs_set(uint64_t base)
{
    __asm__ volatile("wrgsbase %0" : : "r"(base) : "memory");
}

void arch_thread_init(struct arch_thread *t, uint64_t stack_top, void (*fn)(void *), void *arg)
{
    uint64_t *stack =
        (uint64_t *)stack_top - 1; /* as after a call: entry.S keeps 16-byte alignment */
    *--stack = (uint64_t)thread_begin;
    *--stack = 0;             /* rbp */
    *--stack = 0;             /* rbx */
    *--stack = (uint64_t)fn;  /* r12 */
    *--stack = (uint64_t)arg; /* r13 */
    *--stack = 0;             /* r14 */
    *--stack = 0;             /* r15 */
    t->sp = (uint64_t)stack;
    t->stack_top = stack_top;
    t->fs_base = arch_fs_get();
    t->gs_base = arch_gs_get();
    if (t->fpu != NULL)
        arch_fpu_save(t->fpu);
}

void arch_thread_adopt(struct arch_thread *t)
{
    if (t->stack_top == 0)
        t->stack_top = (uint64_t)boot_stack_top;
    kernel_stack = t->stack_top;
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
{
    from->fs_base = arch_fs_get();
    from->gs_base = arch_gs_get();
    arch_fpu_save(from->fpu);
    kernel_stack = to->stack_top;
    arch_fs_set(to->fs_base);
    arch_gs_set(to->gs_base);
    arch_fpu_restore(to->fpu);
    switch_stacks(&from->sp, to->sp);
}
