/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function that tries to leave something behind for the next request, or looks for it. Its input
 * is one letter and then what the letter wants. In a guest a program has all rights of its kernel,
 * so it can do what a hostile kernel could.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skerry/abi/vm.h"

#define SHARED      ((volatile struct vm_shared *)(VM_PHYS_VA + VM_SHARED_GPA))
#define BOOT        ((volatile struct vm_boot *)(VM_PHYS_VA + VM_BOOT_GPA))
#define ADDRESS     UINT64_C(0x000ffffffffff000)
#define SECRET      32
#define P_W_U_AD    UINT64_C(0x67)
#define SPARE_SLOT  300 /* of the root: nothing of kernel or program is there */
#define SPARE_VA    (UINT64_C(0xffff000000000000) | (uint64_t)SPARE_SLOT << 39)
#define FREE_PAGE   UINT64_C(0xe00000) /* of a machine of 16 MiB, above all that is used */
#define PROBE_BYTES 0x1000

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static long call(long number, long a, long b, long c)
{
    return call6(number, a, b, c, 0, 0, 0);
}

static char out[8192];
static size_t out_size;

static void put(const char *text)
{
    while (*text != '\0')
        out[out_size++] = *text++;
}

static void put_hex(const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < size; i++) {
        out[out_size++] = "0123456789abcdef"[from[i] >> 4];
        out[out_size++] = "0123456789abcdef"[from[i] & 15];
    }
    out[out_size++] = '\n';
}

static void put_number(uint64_t value)
{
    char digits[24];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        out[out_size++] = digits[--count];
    out[out_size++] = '\n';
}

static _Noreturn void leave(void)
{
    call(1, 1, (long)out, (long)out_size);
    for (;;)
        call(231, 0, 0, 0);
}

/* Ends the machine without its kernel, which would put its page tables back. */
static _Noreturn void leave_rudely(void)
{
    if (out_size > 0)
        call(1, 1, (long)out, (long)out_size);
    SHARED->exit_value = 0;
    SHARED->exit_kind = VM_EXIT_STATUS;
    for (;;)
        __asm__ volatile("outl %0, %1"
                         :
                         : "a"((uint32_t)VM_BELL_EXIT), "Nd"((uint16_t)VM_PORT)
                         : "memory");
}

static void flush(void)
{
    uint64_t cr3;
    __asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(cr3) : : "memory");
}

static uint64_t *table(uint64_t gpa)
{
    return (uint64_t *)(VM_PHYS_VA + (gpa & ADDRESS));
}

/* The entry of a small page. */
static uint64_t *entry_of(uint64_t va)
{
    uint64_t at = VM_TABLES_GPA;
    for (unsigned int level = 3; level > 0; level--)
        at = table(at)[va >> (12 + 9 * level) & 511];
    return &table(at)[va >> 12 & 511];
}

/* --- registers at the moment the first read returns --- */

static struct {
    uint64_t general[16];
    uint8_t fpu[4096] __attribute__((aligned(64)));
} seen __attribute__((used));

static uint8_t input[4096] __attribute__((used));

__attribute__((noinline)) static long first_read(void)
{
    long result;
    __asm__ volatile("xorl %%eax, %%eax\n\t"
                     "xorl %%edi, %%edi\n\t"
                     "leaq input(%%rip), %%rsi\n\t"
                     "movl $4096, %%edx\n\t"
                     "syscall\n\t"
                     "movq %%rbx, seen+8(%%rip)\n\t"
                     "movq %%rdx, seen+16(%%rip)\n\t"
                     "movq %%rsi, seen+24(%%rip)\n\t"
                     "movq %%rdi, seen+32(%%rip)\n\t"
                     "movq %%rbp, seen+40(%%rip)\n\t"
                     "movq %%r8, seen+48(%%rip)\n\t"
                     "movq %%r9, seen+56(%%rip)\n\t"
                     "movq %%r10, seen+64(%%rip)\n\t"
                     "movq %%r12, seen+72(%%rip)\n\t"
                     "movq %%r13, seen+80(%%rip)\n\t"
                     "movq %%r14, seen+88(%%rip)\n\t"
                     "movq %%r15, seen+96(%%rip)\n\t"
                     "movq %%rsp, seen+104(%%rip)\n\t"
                     "movq %%rax, %%r11\n\t"
                     "movl $7, %%eax\n\t"
                     "xorl %%edx, %%edx\n\t"
                     "xsave64 seen+128(%%rip)\n\t"
                     "movq %%r11, %%rax"
                     : "=a"(result)
                     :
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
    return result;
}

static void show_registers(void)
{
    /* not the header: the CPU's note whether a part differs from zero may err by saying yes */
    put_hex(&seen, sizeof(seen.general) + 512);
    put_hex(seen.fpu + 576, 256); /* AVX */
}

/* --- what is left behind --- */

static uint64_t secret[SECRET / 8] __attribute__((used));

static void fill(void *to, size_t size)
{
    uint8_t *bytes = to;
    for (size_t i = 0; i < size; i++)
        bytes[i] = ((const uint8_t *)secret)[i % SECRET];
}

static void ignore(int number)
{
    (void)number;
}

/* Through the kernel's calls: everything that a program can have. */
static void leave_politely(void)
{
    struct {
        void *handler;
        uint64_t flags;
        void *restorer;
        uint64_t mask;
    } action = {(void *)ignore, 0x04000000, (void *)ignore, ~UINT64_C(0)};
    uint64_t mask = ~UINT64_C(0), timer[4] = {0, 0, 3600, 0};
    uint8_t stack[4096];
    int ends[2];
    fill(stack, sizeof(stack));
    uint8_t *heap = (uint8_t *)call(12, 0, 0, 0);
    call(12, (long)heap + 0x40000, 0, 0);
    fill(heap, 0x40000);
    uint8_t *map = (uint8_t *)call6(9, 0, 0x100000, 3, 0x22, -1, 0);
    fill(map, 0x100000);
    long file = call(2, (long)"/tmp/mark", 0102, 0600);
    call(1, file, (long)stack, sizeof(stack));
    call(22, (long)ends, 0, 0);
    call(1, ends[1], (long)stack, sizeof(stack));
    call6(13, 10, (long)&action, 0, 8, 0, 0);
    call6(14, 0, (long)&mask, 0, 8, 0, 0);
    call(38, 0, (long)timer, 0);
    call(157, 15, (long)"secretname", 0);
    call(95, 0777, 0, 0);
    __asm__ volatile("" : : "r"(stack) : "memory");
}

/* Into every page that nobody uses, and the kernel's own. */
static void leave_everywhere(void)
{
    for (uint64_t at = FREE_PAGE / 2; at < BOOT->ram_bytes; at += VM_PAGE) {
        volatile uint64_t *page = (volatile uint64_t *)(VM_PHYS_VA + at);
        bool empty = true;
        for (unsigned int i = 0; i < VM_PAGE / 8 && empty; i++)
            empty = page[i] == 0;
        if (empty && at % (8 * VM_PAGE) == 0)
            fill((void *)page, SECRET);
    }
    /* a tick must not come when there is no kernel any more: there is one still to be taken */
    const volatile struct vm_kernel *kernel = (void *)(VM_PHYS_VA + VM_KERNEL_GPA);
    ((volatile struct vm_tick_frame *)(VM_PHYS_VA + kernel->tick_frame - VM_KERNEL_VA))->pending =
        1;
    fill((void *)(VM_PHYS_VA + VM_BOOT_GPA + 2048), 1024);
    fill((void *)(VM_PHYS_VA + VM_PVM_GPA + 1024), 1024);
    fill((void *)(VM_PHYS_VA + VM_RINGS_GPA), 4 * VM_RING_BYTES);
    fill((void *)(VM_PHYS_VA + VM_STRINGS_GPA), VM_STRINGS_MAX);
    fill((void *)(VM_PHYS_VA + VM_KERNEL_GPA + 0x400), 0x8000); /* its text */
}

static void leave_in_registers(void)
{
    SHARED->exit_kind = VM_EXIT_STATUS;
    __asm__ volatile("vmovdqu secret(%%rip), %%ymm0\n\t"
                     "vmovdqu secret(%%rip), %%ymm7\n\t"
                     "vmovdqu secret(%%rip), %%ymm15\n\t"
                     "fldpi\n\tfldl2e\n\t"
                     "movq secret(%%rip), %%rbx\n\t"
                     "movq %%rbx, %%r12\n\tmovq %%rbx, %%r13\n\tmovq %%rbx, %%r14\n\t"
                     "movq %%rbx, %%r15\n\tmovq %%rbx, %%rbp\n\tmovq %%rbx, %%r8\n\t"
                     "shrq $17, %%rbx\n\t"
                     "wrgsbase %%rbx\n\twrfsbase %%rbx\n\t"
                     "std\n\t"
                     "movl $0x5b0, %%edx\n\tmovl $3, %%eax\n\toutl %%eax, %%dx\n\tud2"
                     :
                     :
                     : "memory", "rbx", "r12", "r13", "r14", "r15", "r8");
}

/* Looks for what was left in all of memory. `input` holds its complement. */
static void look_everywhere(const uint8_t *inverted)
{
    uint64_t word = 0, found = 0;
    for (unsigned int i = 0; i < 8; i++)
        word |= (uint64_t)(inverted[i]) << (8 * i);
    for (uint64_t at = 0; at < BOOT->ram_bytes; at += 8) {
        /* its complement alone may be in a register: a tick puts those into memory */
        if ((*(volatile uint64_t *)(VM_PHYS_VA + at) ^ word) == UINT64_MAX)
            found++;
    }
    put_number(found);
}

/* --- page tables --- */

static uint8_t probe[2 * PROBE_BYTES] __attribute__((aligned(4096))) = {1};

/* Another page behind an address of the program, with its translation used; put back, but nobody is
 * told. */
static void remap_and_back(void)
{
    uint64_t *entry = entry_of((uint64_t)probe), before = *entry;
    *entry = (FREE_PAGE & ADDRESS) | P_W_U_AD;
    flush();
    *(volatile uint8_t *)probe = 66; /* lands in the other page */
    *entry = before;
}

/* A table of its own in the place of the one above that address; the same. */
static void table_and_back(void)
{
    uint64_t at = VM_TABLES_GPA, page = FREE_PAGE + 0x30000;
    for (unsigned int level = 3; level > 1; level--)
        at = table(at)[(uint64_t)probe >> (12 + 9 * level) & 511];
    uint64_t *entry = &table(at)[(uint64_t)probe >> 21 & 511], before = *entry;
    for (unsigned int i = 0; i < 512; i++)
        table(page)[i] = table(before)[i];
    table(page)[(uint64_t)probe >> 12 & 511] = (FREE_PAGE & ADDRESS) | P_W_U_AD;
    *entry = page | P_W_U_AD;
    flush();
    *(volatile uint8_t *)probe = 66;
    *entry = before;
}

/* The end of the machine with a trap on its way. */
static void end_with_trap(void)
{
    SHARED->exit_value = 0;
    SHARED->exit_kind = VM_EXIT_STATUS;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; outl %0, %1; nop"
                     :
                     : "a"((uint32_t)VM_BELL_EXIT), "Nd"((uint16_t)VM_PORT)
                     : "memory");
}

/* The same, left so. */
static void remap(void)
{
    *entry_of((uint64_t)probe) = (FREE_PAGE & ADDRESS) | P_W_U_AD;
    flush();
    *(volatile uint8_t *)probe = 66;
}

/* Tables made of pages that are none; used, and unhooked again. */
static void tables_elsewhere(void)
{
    uint64_t *root = table(VM_TABLES_GPA);
    uint64_t page = FREE_PAGE + 0x10000;
    table(page)[0] = (page + 0x1000) | P_W_U_AD;
    table(page + 0x1000)[0] = (page + 0x2000) | P_W_U_AD;
    for (unsigned int i = 0; i < 512; i++)
        table(page + 0x2000)[i] = (FREE_PAGE & ADDRESS) | P_W_U_AD;
    root[SPARE_SLOT] = page | P_W_U_AD;
    flush();
    *(volatile uint8_t *)SPARE_VA = 66;
    root[SPARE_SLOT] = 0;
}

static void other_root(void)
{
    uint64_t *to = table(FREE_PAGE + 0x20000);
    for (unsigned int i = 0; i < 512; i++)
        to[i] = table(VM_TABLES_GPA)[i];
    __asm__ volatile("movq %0, %%cr3" : : "r"(FREE_PAGE + 0x20000) : "memory");
}

static void descriptor_tables(void)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } none = {0, 0};
    __asm__ volatile("lidt %0; lgdt %0" : : "m"(none));
}

static void look_at_probe(void)
{
    put_number(*(volatile uint8_t *)probe);
}

/* --- state of the CPU that only a kernel sees --- */

static uint64_t hidden(bool set, uint8_t which)
{
    uint64_t value = secret[0] & 0x7fffffff;
    switch (which) {
    case 'd': /* a debug register */
        if (set)
            __asm__ volatile("movq %0, %%dr0" : : "r"(value));
        __asm__ volatile("movq %%dr0, %0" : "=r"(value));
        return value;
    case 'g': /* the other gs */
        if (set)
            __asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(value));
        __asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(value));
        return value;
    case '8': /* the task priority */
        if (set)
            __asm__ volatile("movq %0, %%cr8" : : "r"(UINT64_C(7)));
        __asm__ volatile("movq %%cr8, %0" : "=r"(value));
        return value;
    case '2':
        if (set)
            __asm__ volatile("movq %0, %%cr2" : : "r"(value));
        __asm__ volatile("movq %%cr2, %0" : "=r"(value));
        return value;
    case '4': /* CR4.TSD */
        __asm__ volatile("movq %%cr4, %0" : "=r"(value));
        if (set)
            __asm__ volatile("movq %0, %%cr4" : : "r"(value | 4));
        return value;
    case 'x': /* XCR0 */
    {
        uint32_t low = 3, high = 0;
        if (set)
            __asm__ volatile("xsetbv" : : "a"(low), "d"(high), "c"(0));
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        return low;
    }
    default: /* a model-specific register: SYSENTER_EIP, or what makes execution direct */
    {
        uint32_t low = (uint32_t)value, high = 0, index = which == 'm' ? 0x176 : 0x4b564d10;
        if (set)
            __asm__ volatile("wrmsr" : : "a"(low), "d"(high), "c"(index));
        __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
        return low;
    }
    }
}

/* --- what is new for each request --- */

static void show_clocks(void)
{
    uint64_t time[2];
    for (long clock = 0; clock < 2; clock++) {
        call(228, clock, (long)time, 0);
        put_number(time[0] * 1000000000 + time[1]);
    }
}

static void show_rest(void)
{
    uint8_t action[32];
    uint64_t mask = 0, timer[4];
    char name[16];
    call6(13, 10, 0, (long)action, 8, 0, 0);
    call6(14, 0, 0, (long)&mask, 8, 0, 0);
    call(36, 0, (long)timer, 0);
    call(157, 16, (long)name, 0);
    put_hex(action, sizeof(action));
    put_hex(&mask, sizeof(mask));
    put_hex(timer, sizeof(timer));
    put(name);
    put("\n");
    put_number((uint64_t)call(95, 022, 0, 0)); /* umask */
    put_number((uint64_t)call(12, 0, 0, 0));   /* brk */
    put_number((uint64_t)-call(2, (long)"/tmp/mark", 0, 0));
    put_number((uint64_t)call(32, 0, 0, 0)); /* dup: the lowest free descriptor */
}

static void show_environment(const uint64_t *stack)
{
    const char *const *at = (const char *const *)(stack + 1);
    while (*at != NULL)
        at++;
    for (at++; *at != NULL; at++) {
        if (**at != '\0') {
            put(*at);
            put("\n");
        }
    }
}

__attribute__((used)) static void begin(const uint64_t *stack)
{
    uint8_t random[32];
    long size = first_read();
    if (size < 1)
        call(231, 1, 0, 0);
    for (unsigned int i = 0; i < SECRET && input[0] != 'L'; i++)
        ((uint8_t *)secret)[i] = (uint8_t)~input[2 + i];
    switch (input[0]) {
    case 'P':
        leave_politely();
        leave();
    case 'E':
        leave_everywhere();
        leave_rudely();
    case 'R':
        leave_in_registers();
        break;
    case 'L':
        look_everywhere(input + 2);
        leave();
    case 'r':
        show_registers();
        leave();
    case 's':
        show_rest();
        leave();
    case 'B':
        remap_and_back();
        leave_rudely();
    case 'D':
        table_and_back();
        leave_rudely();
    case 'F':
        end_with_trap();
        leave_rudely();
    case 'M':
        remap();
        leave_rudely();
    case 'T':
        tables_elsewhere();
        leave_rudely();
    case 'C':
        other_root();
        leave_rudely();
    case 'I':
        descriptor_tables();
        leave_rudely();
    case 'p':
        look_at_probe();
        leave();
    case 'H':
        put_number(hidden(true, input[1]));
        leave_rudely();
    case 'h':
        put_number(hidden(false, input[1]));
        leave();
    case 'n':
        call(318, (long)random, sizeof(random), 0);
        put_hex(random, sizeof(random));
        leave();
    case 'c':
        show_clocks();
        leave();
    case 'e':
        show_environment(stack);
        leave();
    default: /* 'l': for ever */
        for (;;)
            __asm__ volatile("" : : : "memory");
    }
}

__attribute__((naked)) void _start(void);
void _start(void)
{
    __asm__ volatile("movq %rsp, %rdi; andq $-16, %rsp; call begin; ud2");
}
