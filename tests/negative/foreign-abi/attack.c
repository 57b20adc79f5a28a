/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: calls the kernel by its other doors, whose numbers mean other calls: x32 numbers,
 *   int 0x80 from 64-bit code, a far jump into 32-bit code and int 0x80 there, numbers with
 *   bits above the 32nd set, the vsyscall page.
 * Stopped by: the filter refuses every architecture but x86-64 and every number from
 *   0x40000000.
 * Lives in: src/jail/filter.c.
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <sched.h>

static long int80(long number, long first)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(0L), "d"(0L), "S"(0L), "D"(0L)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static void by_int80(void *arg)
{
    (void)arg;
    if (int80(20, 0) == getpid()) /* getpid of i386 */
        got("int 0x80 answers");
    else
        blocked("int 0x80: refused");
    if (int80(310, CLONE_NEWUSER) == 0) /* unshare of i386 */
        got("int 0x80: a user namespace");
}

static void by_far_jump(void *arg)
{
    (void)arg;
    /* In 32-bit code: mov eax, 20; int 0x80; then a far return to the 64-bit caller. */
    static const unsigned char code[] = {0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xcb};
    unsigned char *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED) {
        blocked("no memory below 4 GiB");
        return;
    }
    memcpy(low, code, sizeof(code));
    unsigned char *stack = low + 8192 - 64;
    uint32_t target[2] = {(uint32_t)(uintptr_t)low, 0x23};
    long result = -1;
    /* A far call pushes 4-byte words in 32-bit operand size; the 32-bit far return takes them. */
    __asm__ volatile("mov %%rsp, %%r12\n\t"
                     "mov %1, %%rsp\n\t"
                     "lcall *(%2)\n\t"
                     "mov %%r12, %%rsp\n\t"
                     : "=a"(result)
                     : "r"(stack), "r"(target)
                     : "memory", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
                       "r12");
    if ((pid_t)result == getpid())
        got("32-bit code is served");
    else
        blocked("32-bit code: refused");
}

static void by_x32(void *arg)
{
    (void)arg;
    static const long numbers[] = {39 /* getpid */, 272 /* unshare */,    165 /* mount */,
                                   41 /* socket */, 520 /* x32 execve */, 547};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        long result = syscall(0x40000000L | numbers[i], 0, 0, 0, 0, 0, 0);
        if (result >= 0 || (errno != ENOSYS && errno != EPERM))
            got("x32 number %ld is served", numbers[i]);
        else
            blocked("x32 number %ld: %s", numbers[i], strerror(errno));
    }
}

static void by_wide_number(void *arg)
{
    (void)arg;
    static const long uppers[] = {1L << 32, INT64_MIN, (long)0xffffffff00000000};
    for (size_t i = 0; i < COUNT(uppers); i++) {
        errno = 0;
        if (syscall(uppers[i] | SYS_unshare, CLONE_NEWUSER) == 0)
            got("a number with upper bits: a user namespace");
        else
            blocked("a number with upper bits: %s", strerror(errno));
    }
}

void attack(void)
{
    in_child("int 0x80", by_int80, NULL);
    in_child("far jump", by_far_jump, NULL);
    in_child("x32", by_x32, NULL);
    in_child("wide number", by_wide_number, NULL);
}
