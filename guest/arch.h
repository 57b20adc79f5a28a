/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The border inside the guest kernel: below it the machine (guest/x86_64), above it Linux's ABI.
 * Up-calls are what the machine part asks of the rest; down-calls what it offers. A second machine
 * part, hosted on Linux, lets the rest be tested as an ordinary process.
 *
 * One CPU, interrupts off: kernel code is never preempted. All memory is one address space at one
 * privilege level, so a pointer of the program can be used as it is, once it has been checked.
 */
#ifndef GUEST_ARCH_H
#define GUEST_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "skerry/abi/vm.h"

/* All registers of the program, on the kernel stack of its thread; restored whole on the way
 * back. */
struct regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t orig_rax; /* number of the system call; UINT64_MAX after a fault or a tick */
    uint64_t rip, rflags, rsp;
};

/* --- up-calls -----------------------------------------------------------------------------------
 */

/* First C function, on the boot stack. */
_Noreturn void kernel_main(const struct vm_boot *boot);

/* A system call: number in orig_rax, result into rax. May switch threads. */
void kernel_syscall(struct regs *regs);

/* An exception in program code: vector 0..31, the CPU's error code, cr2 of a page fault. */
void kernel_fault(struct regs *regs, unsigned int vector, uint64_t error, uint64_t cr2);

/* The timer found program code running (never kernel code). */
void kernel_tick(struct regs *regs);

/* A zeroed page for the machine part itself: physical address, 0 when there is none. */
uint64_t kernel_page_alloc(void);

/* The same for page tables alone: a machine that makes a snapshot has a place of its own for them.
 */
uint64_t kernel_table_alloc(void);

/* What kernel_table_alloc gives next, if it has a place of its own; 0 when not. */
uint64_t kernel_table_next(void);

/* Replaces the program's page of text at va by a private copy with the same protection, so that it
 * can be patched. 0 or -errno. */
int kernel_text_private(uint64_t va);

/* --- time and leaving ---------------------------------------------------------------------------
 */

uint64_t arch_tsc(void);

/* Maps the vDSO and its page of time, from va on, two pages or more: where its ELF header is, 0
 * when there is none. arch_vdso_time(): what it computes the clocks from (guest/vdso/page.h). */
uint64_t arch_vdso_map(uint64_t va);
void arch_vdso_time(uint64_t tsc, uint64_t mono_ns, uint64_t real_offset, uint64_t ns_per_tick);

/* Nothing can run: returns at until_tsc (UINT64_MAX: none), when stdin may have moved, when an
 * output ring may have room; or earlier. */
void arch_idle(uint64_t until_tsc);

/* Asks the monitor to drain the output rings or to fill stdin now; returns when it has looked. */
void arch_doorbell(enum vm_doorbell bell);

_Noreturn void arch_exit(enum vm_exit_kind kind, uint32_t value);

/* Says why on the console, with registers if there are some, and ends the machine. */
_Noreturn void arch_panic(const struct regs *regs, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Brings all state of the running thread into memory and asks the monitor to keep a copy of it.
 * Returns once in each machine that is made of that copy, as if nothing had happened but time; page
 * tables that change from then on are put back by arch_exit.
 */
void arch_snapshot(void);

struct vm_shared *arch_shared(void);
uint8_t *arch_ring_data(enum vm_ring_index ring);

/* --- memory -------------------------------------------------------------------------------------
 */

enum arch_prot { ARCH_R = 1, ARCH_W = 2, ARCH_X = 4 };

/* Where the direct map begins; the hosted machine part has it elsewhere. */
#ifndef ARCH_PHYS_VA
#define ARCH_PHYS_VA VM_PHYS_VA
#endif

/* Pointer to physical memory through the direct map. */
static inline void *arch_phys(uint64_t pa)
{
    return (void *)(ARCH_PHYS_VA + pa);
}

/*
 * Maps pages of 4 KiB (2 MiB ones where both addresses and the length allow it) over whatever is
 * there. va, pa page aligned; prot of enum arch_prot, not 0. Returns 0 or -ENOMEM (then part of it
 * may be mapped). Old translations are flushed.
 */
int arch_map(uint64_t va, uint64_t pa, uint64_t pages, unsigned int prot);
int arch_unmap(uint64_t va,
               uint64_t pages); /* holes are fine; -ENOMEM if a big page cannot be split */

/* Changes the protection of what is mapped there; prot 0 makes it unreachable but keeps pa. */
int arch_protect(uint64_t va, uint64_t pages, unsigned int prot);

/* What is mapped at va: 1 and *out_pa (of that byte), *out_prot; 0 when nothing. */
int arch_query(uint64_t va, uint64_t *out_pa, unsigned int *out_prot);

/*
 * Turns system call instructions in [va, va + bytes) into jumps to the kernel. The bytes must be
 * readable and private to this guest; they are written through the direct map. What is not patched
 * (or comes later) traps and works too, more slowly. May do nothing and patch when first used.
 */
void arch_patch(uint64_t va, uint64_t bytes);

/* --- threads ------------------------------------------------------------------------------------
 */

struct arch_thread {
    uint64_t sp; /* kernel stack pointer while it does not run */
    uint64_t
        stack_top; /* of its kernel stack, 16-byte aligned: where entries from the program begin */
    uint64_t fs_base, gs_base;
    void *fpu; /* arch_fpu_size() bytes, 64-byte aligned */
};

/* Makes t ready so that the first switch to it calls fn(arg) on its kernel stack; fpu becomes that
 * of the running thread. fn never returns. */
void arch_thread_init(struct arch_thread *t, uint64_t stack_top, void (*fn)(void *), void *arg);

/* Takes over the boot stack's flow of control: t becomes the running thread; a stack_top of 0
 * becomes the boot stack's. Once, from kernel_main. */
void arch_thread_adopt(struct arch_thread *t);

/* Leaves `from` (the running thread) and continues `to`: callee-saved registers, fs, gs, FPU. */
void arch_thread_switch(struct arch_thread *from, struct arch_thread *to);

/* Runs the program from regs on; the running thread's kernel stack starts anew at stack_top. */
_Noreturn void arch_enter_user(const struct regs *regs);

uint64_t arch_fpu_size(void);
void arch_fpu_save(void *area);
void arch_fpu_restore(const void *area);
void arch_fpu_reset(void *area); /* fills area with the state of a fresh program */

/* Base of the running thread's fs and gs. */
uint64_t arch_fs_get(void);
void arch_fs_set(uint64_t base);
uint64_t arch_gs_get(void);
void arch_gs_set(uint64_t base);

#endif
