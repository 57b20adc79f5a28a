/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way in, and the two ways out: into a program's first instruction ("make"), and back into its
 * read ("restore"). Of the latter one page stays mapped: whoever takes away the ground that it
 * stands on must leave itself that much.
 */
    .text
    .globl _start
_start:
    xor %ebp, %ebp
    mov %rsp, %rdi
    lea own_stack_end(%rip), %rsp
    call warm_main
    hlt

/* enter_program(entry, stack): registers as execve leaves them. */
    .globl enter_program
enter_program:
    mov %rsi, %rsp
    push %rdi
    xor %eax, %eax
    xor %ebx, %ebx
    xor %ecx, %ecx
    xor %edx, %edx
    xor %esi, %esi
    xor %edi, %edi
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    ret

    .section .leave, "ax", @progbits
    .balign 4096
    .globl leave_page
leave_page:
/* return_to_program(frame, low, low_bytes, high, high_bytes): unmaps the two ranges, which are all
 * of skerry-warm but this page, and gives the kernel the frame of the read. */
    .globl return_to_program
return_to_program:
    mov %rdi, %rsp
    mov %rcx, %r12
    mov %r8, %r13
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov $11, %eax
    syscall
    mov %r12, %rdi
    mov %r13, %rsi
    mov $11, %eax
    syscall
    mov $15, %eax
    syscall
    hlt

/* Where the handler of SIGSYS returns to. */
    .globl trap_restorer
trap_restorer:
    mov $15, %eax
    syscall
    hlt
    .balign 4096, 0xcc

    .bss
    .balign 4096
own_stack:
    .skip 0x10000
    .globl own_stack_end
own_stack_end:

    .section .note.GNU-stack, "", @progbits
