/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ten thousand calls from one instruction of each kind that compilers emit, and jumps straight to
 * the instruction with another number. The exit status says which answer was wrong.
 */
long call_mov(void);
long call_compare(long number);
long call_behind_mov(long number);
long call_branched(long number);

__asm__(".text\n"
        "call_mov:\n"
        "    movl $39, %eax\n" /* getpid */
        "1:  syscall\n"
        "    ret\n"
        "call_behind_mov:\n"
        "    movq %rdi, %rax\n"
        "    jmp 1b\n"
        "call_compare:\n"
        "    movq %rdi, %rax\n"
        "    syscall\n"
        "    cmpq $-4095, %rax\n"
        "    jae 2f\n"
        "    ret\n"
        "2:  negq %rax\n"
        "    ret\n"
        /* the comparison is a branch's target: must be left alone */
        "call_branched:\n"
        "    movq %rdi, %rax\n"
        "    testq %rax, %rax\n"
        "    js 3f\n"
        "    syscall\n"
        "3:  cmpq $-4095, %rax\n"
        "    jae 2b\n"
        "    ret\n");

#define ENOSYS 38

static long wrong(void)
{
    long pid = call_mov(), positive = pid < 0 ? -pid : pid;
    for (int i = 0; i < 10000; i++) {
        if (call_mov() != pid || call_compare(39) != positive)
            return 1;
    }
    for (int i = 0; i < 200; i++) {
        if (call_compare(9999) != ENOSYS || call_behind_mov(9999) != -ENOSYS)
            return 2;
        if (call_branched(39) != positive || call_branched(-5) != 5)
            return 3;
    }
    return 0;
}

void _start(void);
void _start(void)
{
    long status = wrong();
    __asm__ volatile("movl $231, %%eax\n\tsyscall" : : "D"(status));
}
