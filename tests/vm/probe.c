// SPDX-License-Identifier: Apache-2.0
/*
 * One step of a hostile guest, chosen by arguments, for tests/integration/vm-hostile.t. In a guest
 * a program has all the rights of the guest's kernel. What the CPU refuses comes back as a signal
 * and is counted; a program that is still alive at its end says "survived", and ESCAPED if it saw
 * or changed what it must not.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "skerry/abi/vm.h"

#define PTE_P   UINT64_C(1)
#define PTE_W   UINT64_C(2)
#define PTE_U   UINT64_C(4)
#define PTE_BIG UINT64_C(0x80)
#define ADDRESS UINT64_C(0x000ffffffffff000)
#define BIG     UINT64_C(0x200000)

#define MSR_WALL_CLOCK     0x4b564d00u
#define MSR_WALL_CLOCK_OLD 0x11u

static sigjmp_buf back;
static unsigned int refused, done;

static const uint64_t extremes[] = {0,
                                    1,
                                    UINT64_C(0x7fffffff),
                                    UINT64_C(0xffffffff),
                                    UINT64_C(0x8000000000000000),
                                    UINT64_C(0x00007ffffffff001),
                                    VM_IMAGE_GPA | 1,
                                    UINT64_MAX};

static void on_fault(int number)
{
    (void)number;
    refused++;
    siglongjmp(back, 1);
}

/* Runs the statement; what it faults at is refused. */
#define TRY(statement)                                                                             \
    do {                                                                                           \
        if (sigsetjmp(back, 1) == 0) {                                                             \
            statement;                                                                             \
            done++;                                                                                \
        }                                                                                          \
    } while (0)

static uint64_t *entry_of(uint64_t va, unsigned int level)
{
    uint64_t table = VM_TABLES_GPA;
    for (unsigned int at = 3;; at--) {
        uint64_t *entry = (uint64_t *)(VM_PHYS_VA + table) + (va >> (12 + 9 * at) & 511);
        if (at == level)
            return entry;
        if ((*entry & PTE_P) == 0 || (*entry & PTE_BIG) != 0)
            return NULL;
        table = *entry & ADDRESS;
    }
}

static void flush(void)
{
    uint64_t cr3;
    __asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(cr3) : : "memory");
}

/* A big page of the direct map, pointed elsewhere. */
static volatile uint8_t *window(uint64_t gpa)
{
    uint64_t va = VM_PHYS_VA + BIG * 6;
    *entry_of(va, 1) = (gpa & ~(BIG - 1) & ADDRESS) | PTE_P | PTE_W | PTE_U | PTE_BIG;
    flush();
    return (volatile uint8_t *)va + gpa % BIG;
}

/* --- what is tried: each takes the arguments behind its name --- */

/* OFFSET SIZE VALUE BELL: a field of the shared block, then a doorbell. */
static void try_bell(const uint64_t *args)
{
    uint8_t *at = (uint8_t *)(VM_PHYS_VA + VM_SHARED_GPA) + args[0];
    uint64_t before = 0;
    memcpy(&before, at, args[1]);
    memcpy(at, &args[2], args[1]);
    __asm__ volatile("outl %0, %1" : : "a"((uint32_t)args[3]), "Nd"((uint16_t)VM_PORT) : "memory");
    memcpy(at, &before, args[1]);
}

/* DIRECTION SIZE PORT: out (0), in (1), rep outs (2), rep ins (3) */
static void try_port(const uint64_t *args)
{
    static uint8_t block[4096];
    uint16_t port = (uint16_t)args[2];
    uint32_t value = VM_BELL_EXIT;
    void *at = block;
    uint64_t count = 16;
    switch (args[0] * 8 + args[1]) {
    case 1:
        __asm__ volatile("outb %b0, %1" : : "a"(value), "d"(port));
        break;
    case 2:
        __asm__ volatile("outw %w0, %1" : : "a"(value), "d"(port));
        break;
    case 4:
        __asm__ volatile("outl %0, %1" : : "a"(value), "d"(port));
        break;
    case 8 + 1:
        __asm__ volatile("inb %1, %b0" : "=a"(value) : "d"(port));
        break;
    case 8 + 2:
        __asm__ volatile("inw %1, %w0" : "=a"(value) : "d"(port));
        break;
    case 8 + 4:
        __asm__ volatile("inl %1, %0" : "=a"(value) : "d"(port));
        break;
    case 16 + 4:
        __asm__ volatile("rep outsl" : "+S"(at), "+c"(count) : "d"(port) : "memory");
        break;
    default:
        __asm__ volatile("rep insl" : "+D"(at), "+c"(count) : "d"(port) : "memory");
        break;
    }
}

/* HOW ADDRESS: read, write, exchange, 16 bytes, string move, fetch */
static void try_memory(const uint64_t *args)
{
    volatile uint8_t *at = window(args[1]);
    uint8_t block[64] = {0};
    void *to = block;
    const void *from = (const void *)(uintptr_t)at;
    uint64_t count = sizeof(block), one = 1;
    switch (args[0]) {
    case 0:
        block[0] = *at;
        break;
    case 1:
        *at = 1;
        break;
    case 2:
        __asm__ volatile("lock xchgq %0, (%1)" : "+r"(one) : "r"(at) : "memory");
        break;
    case 3:
        __asm__ volatile("movups %%xmm0, (%0)" : : "r"(at) : "memory");
        break;
    case 4:
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        break;
    default:
        *entry_of((uint64_t)at, 1) &= ~(UINT64_C(1) << 63);
        flush();
        ((void (*)(void))(uintptr_t)at)();
        break;
    }
}

static uint64_t msr_read(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

/* FIRST LAST WRITE: each is read, and with WRITE written at its extremes and put back */
static void try_msrs(const uint64_t *args)
{
    for (uint64_t msr = args[0]; msr <= args[1]; msr++) {
        volatile uint64_t before = 0;
        TRY(before = msr_read((uint32_t)msr));
        for (unsigned int i = 0; args[2] != 0 && i < sizeof(extremes) / sizeof(extremes[0]); i++)
            TRY(msr_write((uint32_t)msr, extremes[i]));
        if (args[2] != 0)
            TRY(msr_write((uint32_t)msr, before));
    }
}

/* The hypervisor writes the time where it is told to: into the image that all share? */
static void try_clock_in_image(const uint64_t *args)
{
    static const uint32_t msrs[] = {MSR_WALL_CLOCK, MSR_WALL_CLOCK_OLD, 0x4b564d01u, 0x12u,
                                    0x4b564d03u};
    volatile uint64_t *image = (volatile uint64_t *)(VM_PHYS_VA + VM_IMAGE_GPA);
    uint64_t before[8];
    (void)args;
    for (unsigned int i = 0; i < 8; i++)
        before[i] = image[i];
    for (unsigned int i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        TRY(msr_write(msrs[i], VM_IMAGE_GPA));
        TRY(msr_write(msrs[i], VM_IMAGE_GPA | 1));
    }
    flush();
    for (unsigned int i = 0; i < 8; i++) {
        if (image[i] != before[i])
            puts("ESCAPED: the image has changed");
    }
}

/* NUMBER VALUE */
static void try_control(const uint64_t *args)
{
    switch (args[0]) {
    case 0:
        __asm__ volatile("movq %0, %%cr0" : : "r"(args[1]) : "memory");
        break;
    case 3:
        __asm__ volatile("movq %0, %%cr3" : : "r"(args[1]) : "memory");
        break;
    case 4:
        __asm__ volatile("movq %0, %%cr4" : : "r"(args[1]) : "memory");
        break;
    default:
        __asm__ volatile("movq %0, %%cr8" : : "r"(args[1]) : "memory");
        break;
    }
}

#define INSTRUCTION(name, text)                                                                    \
    static void do_##name(void)                                                                    \
    {                                                                                              \
        __asm__ volatile(text : : : "rax", "rbx", "rcx", "rdx", "memory");                         \
    }
INSTRUCTION(vmcall, "movq $-1, %%rax; movq $-1, %%rbx; movq $-1, %%rcx; movq $-1, %%rdx; vmcall")
INSTRUCTION(vmcall_zero, "xorl %%eax, %%eax; vmcall")
INSTRUCTION(vmmcall, "movq $5, %%rax; movq $-1, %%rbx; vmmcall")
INSTRUCTION(hlt, "hlt")
INSTRUCTION(int80, "int $0x80")
INSTRUCTION(int255, "int $0xff")
INSTRUCTION(int14, "int $14")
INSTRUCTION(int2, "int $2")
INSTRUCTION(cpuid, "movl $0xffffffff, %%eax; cpuid; movl $0x40000000, %%eax; cpuid")
INSTRUCTION(invd, "invd")
INSTRUCTION(wbinvd, "wbinvd")
INSTRUCTION(xsetbv, "xorl %%ecx, %%ecx; movl $-1, %%eax; movl $-1, %%edx; xsetbv")
INSTRUCTION(rdpmc, "movl $0x40000000, %%ecx; rdpmc")
INSTRUCTION(monitor, "movq %%rsp, %%rax; xorl %%ecx, %%ecx; xorl %%edx, %%edx; monitor; mwait")
INSTRUCTION(sysexit, "sysexitq")
INSTRUCTION(sysenter, "sysenter")
INSTRUCTION(lldt, "movw $0x18, %%ax; lldt %%ax")
INSTRUCTION(ltr, "movw $0x18, %%ax; ltr %%ax")
INSTRUCTION(far_return, "pushq $0x33; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1: nop")
INSTRUCTION(iretq, "pushq $0; pushq $0; pushq $-1; pushq $0xffff; pushq $0; iretq")
INSTRUCTION(vmxon, "pushq $0; vmxon (%%rsp); popq %%rax")
INSTRUCTION(vmrun, "xorl %%eax, %%eax; vmrun")
INSTRUCTION(encls, "xorl %%eax, %%eax; .byte 0x0f, 0x01, 0xcf")
INSTRUCTION(sti_flood, "sti; cli; sti")
INSTRUCTION(swapgs, "swapgs; swapgs")
INSTRUCTION(stack_null, "movw $0, %%ax; movw %%ax, %%ss")

static void try_instruction(const uint64_t *args)
{
    static void (*const all[])(void) = {
        do_vmcall,  do_vmcall_zero, do_vmmcall,   do_hlt,    do_int80,      do_int255, do_int14,
        do_int2,    do_cpuid,       do_invd,      do_wbinvd, do_xsetbv,     do_rdpmc,  do_monitor,
        do_sysexit, do_sysenter,    do_lldt,      do_ltr,    do_far_return, do_iretq,  do_vmxon,
        do_vmrun,   do_encls,       do_sti_flood, do_swapgs, do_stack_null};
    if (args[0] < sizeof(all) / sizeof(all[0]))
        TRY(all[args[0]]());
    else
        puts("no such instruction");
}

static volatile uint64_t seen;

/* Reads where the guest's tables map nothing, all over the upper half: a page-table hypervisor and
 * its host's kernel have theirs in the same tables of the hardware. */
static void try_addresses(const uint64_t *args)
{
    (void)args;
    for (uint64_t slot = 256; slot < 512; slot++) {
        for (unsigned int i = 0; i < 12; i++) {
            static const uint64_t within[] = {0,
                                              0x1000,
                                              0x200000,
                                              0x1000000,
                                              0x40000000,
                                              0x100000000,
                                              UINT64_C(0x7fc0000000),
                                              UINT64_C(0x7f80000000),
                                              UINT64_C(0x7f81000000),
                                              UINT64_C(0x7fc0200000),
                                              UINT64_C(0x7fff600000),
                                              UINT64_C(0x7ffffff000)};
            uint64_t va = UINT64_C(0xffff000000000000) | slot << 39 | within[i];
            unsigned int before = done;
            if (entry_of(va, 1) != NULL)
                continue; /* ours, or too near to it */
            TRY(seen = *(volatile uint64_t *)va);
            if (done != before)
                printf("ESCAPED: read %016llx at %016llx\n", (unsigned long long)seen,
                       (unsigned long long)va);
        }
    }
}

/* SLOT ENTRY: an entry of the root table (511 + 1 + n: of the second table, the adjacent page that
 * a page-table hypervisor may use), then a read through it. */
static void try_root(const uint64_t *args)
{
    uint64_t *root = (uint64_t *)(VM_PHYS_VA + VM_TABLES_GPA), slot = args[0] % 512;
    uint64_t va = (slot >= 256 ? UINT64_C(0xffff000000000000) : 0) | slot << 39;
    root[slot] = args[1];
    flush();
    TRY(seen = *(volatile uint64_t *)va);
    TRY(*(volatile uint64_t *)va = 0);
}

static const struct {
    const char *name;
    void (*run)(const uint64_t *args);
} tries[] = {{"bell", try_bell},
             {"port", try_port},
             {"memory", try_memory},
             {"msrs", try_msrs},
             {"clock-in-image", try_clock_in_image},
             {"control", try_control},
             {"instruction", try_instruction},
             {"addresses", try_addresses},
             {"root", try_root}};

int main(int argc, char **argv)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    uint64_t args[4] = {0};
    for (int i = 2; i < argc && i < 6; i++)
        args[i - 2] = strtoull(argv[i], NULL, 0);
    setvbuf(stdout, NULL, _IONBF, 0);
    for (unsigned int i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigaction(faults[i], &(struct sigaction){.sa_handler = on_fault, .sa_flags = SA_NODEFER},
                  NULL);
    for (unsigned int i = 0; argc > 1 && i < sizeof(tries) / sizeof(tries[0]); i++) {
        if (strcmp(tries[i].name, argv[1]) != 0)
            continue;
        TRY(tries[i].run(args));
        printf("survived: %u done, %u refused\n", done, refused);
        return 0;
    }
    return 2;
}
