/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64: see slot_clone.h. The entry and its argument travel on the new stack. */
#include "jail/slot_clone.h"

#include <stddef.h>
#include <sys/syscall.h>

#include "jail/zygote.h"

__asm__(".text\n"
        ".globl slot_sigreturn\n"
        ".type slot_sigreturn, @function\n"
        "slot_sigreturn:\n"
        "    mov $15, %eax\n" /* rt_sigreturn */
        "    syscall\n"
        ".size slot_sigreturn, . - slot_sigreturn\n");

long slot_clone(uint64_t flags, char *stack_top, int (*entry)(void *), void *arg, _Atomic int *word)
{
    void **top = (void **)(void *)stack_top;
    top[-1] = arg;
    top[-2] = (void *)(intptr_t)entry;
    long result;
    register long tls __asm__("r8") = 0;
    register long child_tid __asm__("r10") = (long)(intptr_t)word;
    register long key __asm__("r9") = (long)zygote.key; /* the closing filter asks for it */
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "pop %%rax\n\t" /* entry */
                     "pop %%rdi\n\t" /* arg; the stack is 16-byte aligned again */
                     "call *%%rax\n\t"
                     "mov %%eax, %%edi\n\t"
                     "mov $231, %%eax\n\t" /* exit_group */
                     "syscall\n\t"
                     "1:"
                     : "=a"(result)
                     : "a"(SYS_clone), "D"(flags), "S"(top - 2), "d"(word), "r"(child_tid),
                       "r"(tls), "r"(key)
                     : "rcx", "r11", "memory");
    return result;
}
