/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that attack their monitor, one for each number in ATTACK. In a guest a program has all
 * the rights of the guest's kernel, so an ordinary static program can do whatever a hostile kernel
 * could. One that finds itself alive afterwards, where it should have been stopped, says ESCAPED.
 */
#include <stdint.h>

#include "skerry/abi/vm.h"

#define SHARED ((volatile struct vm_shared *)(VM_PHYS_VA + VM_SHARED_GPA))

static long call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static void say(const char *text)
{
    long size = 0;
    while (text[size] != '\0')
        size++;
    call(1, 1, (long)text, size);
}

__attribute__((unused)) static void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

__attribute__((unused)) static uint64_t *entry_of(uint64_t va, unsigned int level)
{
    uint64_t table = VM_TABLES_GPA;
    for (unsigned int at = 3;; at--) {
        uint64_t *entry = (uint64_t *)(VM_PHYS_VA + table) + (va >> (12 + 9 * at) & 511);
        if (at == level)
            return entry;
        table = *entry & UINT64_C(0x000ffffffffff000);
    }
}

__attribute__((unused)) static void flush(void)
{
    uint64_t cr3;
    __asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(cr3) : : "memory");
}

__attribute__((unused)) static void escaped(void)
{
    say("ESCAPED\n");
    call(231, 0, 0, 0);
}

/* A big page of the direct map, pointed elsewhere. */
__attribute__((unused)) static volatile uint64_t *window(uint64_t gpa, uint64_t bits)
{
    uint64_t va = VM_PHYS_VA + UINT64_C(0x200000) * 6;
    *entry_of(va, 1) = gpa | bits;
    flush();
    return (volatile uint64_t *)va;
}

#define P_W_U_BIG UINT64_C(0x87)

static void attack(void)
{
#if ATTACK == 1 /* port-out */
    out32(0x70, 0);
#elif ATTACK == 2  /* port-in */
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)VM_PORT));
#elif ATTACK == 3  /* bell-unknown */
    out32(VM_PORT, 0xffffffffu);
#elif ATTACK == 4  /* bell-narrow */
    __asm__ volatile("outb %0, %1" : : "a"((uint8_t)VM_BELL_EXIT), "Nd"((uint16_t)VM_PORT));
#elif ATTACK == 5  /* ring-head */
    SHARED->rings[VM_STDOUT].head += 0x80000000u;
    out32(VM_PORT, VM_BELL_FLUSH);
#elif ATTACK == 6  /* ring-tail: the monitor keeps its own */
    SHARED->rings[VM_STDOUT].tail = 0x12345678u;
    SHARED->rings[VM_STDOUT].head = VM_RING_BYTES + 1;
    out32(VM_PORT, VM_BELL_FLUSH);
#elif ATTACK == 7  /* stdin-tail */
    SHARED->rings[VM_STDIN].tail = 0x7fffffffu;
    out32(VM_PORT, VM_BELL_WAIT);
#elif ATTACK == 8  /* exit-kind */
    SHARED->exit_kind = 0xfffffffeu;
    out32(VM_PORT, VM_BELL_EXIT);
#elif ATTACK == 9  /* exit-signal */
    SHARED->exit_kind = VM_EXIT_SIGNAL;
    SHARED->exit_value = 0x80000009u;
    out32(VM_PORT, VM_BELL_EXIT);
#elif ATTACK == 10 /* triple-fault */
    static const uint8_t none[10];
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
#elif ATTACK == 11 /* tables-garbage */
    __asm__ volatile("movq %0, %%cr3; movq (%%rsp), %%rax" : : "r"(UINT64_C(0x7ffffff000)) : "rax");
#elif ATTACK == 12 /* ring-rewind: a head that wraps again and again, then falls back */
    SHARED->rings[VM_STDERR].head -= 1;
    out32(VM_PORT, VM_BELL_FLUSH);
#elif ATTACK == 13 /* memory-outside */
    (void)*window(UINT64_C(0x3000000000), P_W_U_BIG);
#elif ATTACK == 14 /* memory-local-apic */
    *window(UINT64_C(0xfee00000), P_W_U_BIG) = 1;
#elif ATTACK == 15 /* loop */
    for (;;)
        __asm__ volatile("" : : : "memory");
#elif ATTACK == 16 /* bell-flood */
    for (;;)
        out32(VM_PORT, VM_BELL_STDIN);
#elif ATTACK == 17 /* refault: a kernel page that user mode may not touch */
    *entry_of(VM_KERNEL_VA + VM_KERNEL_GPA, 0) &= ~UINT64_C(4);
    flush();
    call(39, 0, 0, 0);
    for (;;)
        __asm__ volatile("" : : : "memory");
#elif ATTACK == 18 /* wait-for-ever */
    SHARED->wait_until = UINT64_MAX;
    SHARED->rings[VM_STDIN].tail = SHARED->rings[VM_STDIN].head;
    for (;;)
        out32(VM_PORT, VM_BELL_WAIT);
#elif ATTACK == 19 /* descriptor-tables in the void */
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } table = {0xffff, UINT64_C(0x800000000000) - 1};
    __asm__ volatile("lgdt %0; movw %w1, %%ss; ud2" : : "m"(table), "r"(0x18));
#elif ATTACK == 20 /* shared-block-gone: the guest's own view only */
    *entry_of(VM_PHYS_VA, 1) = 0;
    flush();
    out32(VM_PORT, VM_BELL_FLUSH);
    for (;;)
        __asm__ volatile("" : : : "memory");
#elif ATTACK == 21 /* image-write: the disk that all machines of a template share */
    *window(VM_IMAGE_GPA, P_W_U_BIG) = 0;
#else
#error "there is no such attack"
#endif
}

void _start(void);
void _start(void)
{
    say("attack\n");
    attack();
    escaped();
}
