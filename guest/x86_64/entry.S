/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways into the kernel and out of it.
 *
 * Kernel and program share one privilege level, so nothing switches stacks for us. A system call
 * saves rsp in a variable and takes the thread's kernel stack; there is one CPU and interrupts stay
 * off, so the variable is safe. Exceptions arrive on a stack of their own (the first of the
 * interrupt stack table), because the program's rsp may be anything and its red zone must survive.
 *
 * struct regs is pushed from rsp down to r15 (arch.h).
 */
#include "x86_64/offsets.h"

    .section .vm_kernel, "ax"
    .long 0x6d76796b, KERNEL_ABI_VERSION
    .quad kernel_entry, boot_stack_top
    .quad gdt, GDT_BYTES
    .quad idt, IDT_BYTES
    .quad tss, TSS_BYTES
    .quad syscall_trapped
    .quad tick_entry
    .quad tick_frame

    .section .text.entry, "ax"
    .globl kernel_entry
kernel_entry:
    xorl %ebp, %ebp
    pushq %rbp
    jmp machine_main

/* A `syscall` instruction that was not patched: rcx is where it goes on, r11 its flags. */
    .globl syscall_trapped
syscall_trapped:
    movq %rsp, program_rsp(%rip)
    movq kernel_stack(%rip), %rsp
    incq trapped_calls(%rip)
    pushq program_rsp(%rip)
    pushq %r11
    jmp 1f

/* The same from a patched one: rcx was set by the stub; the flags are dead by the ABI. */
    .globl syscall_patched
syscall_patched:
    movq %rsp, program_rsp(%rip)
    movq kernel_stack(%rip), %rsp
    pushq program_rsp(%rip)
    movl $RFLAGS_PROGRAM, %r11d
    pushq %r11
1:  pushq %rcx              /* rip */
    pushq %rax              /* orig_rax */
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    cld
    call machine_syscall
    movq REGS_RIP(%rsp), %rcx
    cmpq %rcx, REGS_RCX(%rsp)
    jne return_whole
    /* Nothing but the result changed: rcx and r11 are the call's to destroy. */
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    addq $8, %rsp
    popq %rdx
    popq %rsi
    popq %rdi
    movq 24(%rsp), %rsp
    jmp *%rcx

/* Exits to the program with every register as in the struct regs at rsp. */
    .globl return_whole
return_whole:
    testb $1, direct_execution(%rip)
    jnz 1f
    /* an ordinary CPU: iretq takes all at once */
    movq %rsp, %rdi
    movq $0x18, %rax
    pushq %rax
    pushq REGS_RSP(%rdi)
    pushq REGS_RFLAGS(%rdi)
    pushq $0x10
    pushq REGS_RIP(%rdi)
    movq REGS_R15(%rdi), %r15
    movq REGS_R14(%rdi), %r14
    movq REGS_R13(%rdi), %r13
    movq REGS_R12(%rdi), %r12
    movq REGS_RBP(%rdi), %rbp
    movq REGS_RBX(%rdi), %rbx
    movq REGS_R11(%rdi), %r11
    movq REGS_R10(%rdi), %r10
    movq REGS_R9(%rdi), %r9
    movq REGS_R8(%rdi), %r8
    movq REGS_RAX(%rdi), %rax
    movq REGS_RCX(%rdi), %rcx
    movq REGS_RDX(%rdi), %rdx
    movq REGS_RSI(%rdi), %rsi
    movq REGS_RDI(%rdi), %rdi
    iretq
    /* Direct execution emulates iretq at a high price. Below the program's red zone its rip and
     * flags are put down and popped again; a fault here is one of the program's stack. */
    .globl return_low, return_low_end
1:  movq REGS_RSP(%rsp), %rdi
    movq REGS_RIP(%rsp), %rax
    movq REGS_RFLAGS(%rsp), %rcx
return_low:
    movq %rax, -136(%rdi)
    movq %rcx, -144(%rdi)
return_low_end:
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    movq 24(%rsp), %rsp
    leaq -144(%rsp), %rsp
    popfq
    ret $128

/* The monitor stopped program code and filled tick_frame. All registers but rip are the program's.
 */
    .globl tick_entry
tick_entry:
    movq kernel_stack(%rip), %rsp
    pushq tick_frame+16(%rip)
    pushq tick_frame+8(%rip)
    pushq tick_frame(%rip)
    pushq $-1
    movq $0, tick_frame+24(%rip)
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    cld
    call machine_tick
    jmp return_whole

/* Exceptions: 16 bytes a stub, `vector` and an error code (0 where the CPU gives none). */
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
    .else
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

/* On the exception stack: [vector, error, rip, cs, rflags, rsp, ss]. The frame is copied to the
 * kernel stack of the thread at once, so that the exception stack is free again. */
trap_common:
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    cld
    call machine_trap_frame /* returns the struct regs on the right stack */
    movq %rax, %rsp
    movq %rsp, %rdi
    movq trap_vector(%rip), %rsi
    movq trap_error(%rip), %rdx
    movq trap_cr2(%rip), %rcx
    call machine_fault
    jmp return_whole

/* void arch_enter_user(const struct regs *) */
    .globl arch_enter_user
arch_enter_user:
    movq kernel_stack(%rip), %rsp
    subq $REGS_BYTES, %rsp
    leaq REGS_BYTES - 8(%rdi), %rsi
    leaq REGS_BYTES - 8(%rsp), %rdi
    movl $REGS_BYTES / 8, %ecx
    std                     /* from the end: both may lie on this stack */
    rep movsq
    cld
    jmp return_whole

/* void switch_stacks(uint64_t *from_sp, uint64_t to_sp) */
    .globl switch_stacks
switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret

/* First run of a thread: r12 the function, r13 its argument. */
    .globl thread_begin
thread_begin:
    movq %r13, %rdi
    xorl %ebp, %ebp
    call *%r12
    ud2

    .section .bss
    .balign 4096
    .skip 16384
    .globl boot_stack_top
boot_stack_top:
    .skip 8192
    .globl trap_stack_top
trap_stack_top:
    .section .note.GNU-stack, "", @progbits
