/* SPDX-License-Identifier: Apache-2.0 */
/* Words with the monitor: doorbells, the console and the end. */
#include <stdarg.h>

#include "x86_64/machine.h"

uint64_t arch_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

struct vm_shared *arch_shared(void)
{
    return arch_phys(VM_SHARED_GPA);
}

uint8_t *arch_ring_data(enum vm_ring_index ring)
{
    return arch_phys(VM_RINGS_GPA + (uint64_t)ring * VM_RING_BYTES);
}

void arch_doorbell(enum vm_doorbell bell)
{
    port_out(VM_PORT, bell);
}

void arch_idle(uint64_t until_tsc)
{
    arch_shared()->wait_until = until_tsc;
    port_out(VM_PORT, VM_BELL_WAIT);
}

void arch_exit(enum vm_exit_kind kind, uint32_t value)
{
    struct vm_shared *shared = arch_shared();
    shared->stages[VM_STAGE_EXIT] = arch_tsc();
    undo_all();
    shared->exit_value = value;
    __atomic_store_n(&shared->exit_kind, (uint32_t)kind, __ATOMIC_RELEASE);
    for (;;)
        port_out(VM_PORT, VM_BELL_EXIT);
}

/* --- console: what does not fit is lost, the newest first --- */

static void console_put(char c)
{
    struct vm_ring *ring = &arch_shared()->rings[VM_CONSOLE];
    uint32_t head = ring->head;
    if (head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) >= VM_RING_BYTES)
        return;
    arch_ring_data(VM_CONSOLE)[head % VM_RING_BYTES] = (uint8_t)c;
    /* pairs with the monitor's acquire in ring_take */
    __atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
}

static void console_text(const char *text)
{
    while (*text != '\0')
        console_put(*text++);
}

static void console_number(uint64_t value, unsigned int base)
{
    char digits[24];
    unsigned int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0)
        console_put(digits[--count]);
}

/* %s %u %lu %d %x %lx %c: what messages of a dying kernel need */
static void console_format(const char *format, va_list args)
{
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            console_put(*format);
            continue;
        }
        bool wide = *++format == 'l';
        if (wide)
            format++;
        if (*format == 's') {
            console_text(va_arg(args, const char *));
        } else if (*format == 'c') {
            console_put((char)va_arg(args, int));
        } else if (*format == 'd' && !wide) {
            int value = va_arg(args, int);
            if (value < 0)
                console_put('-');
            console_number(value < 0 ? -(uint64_t)(int64_t)value : (uint64_t)value, 10);
        } else if (*format == 'u' || *format == 'x' || *format == 'd') {
            uint64_t value = wide ? va_arg(args, uint64_t) : va_arg(args, uint32_t);
            console_number(value, *format == 'x' ? 16 : 10);
        } else {
            console_put(*format);
        }
    }
}

static void console_registers(const struct regs *regs)
{
    static const char *const names[] = {"r15", "r14",  "r13", "r12",   "rbp", "rbx", "r11",
                                        "r10", "r9",   "r8",  "rax",   "rcx", "rdx", "rsi",
                                        "rdi", "call", "rip", "flags", "rsp"};
    const uint64_t *values = (const uint64_t *)regs;
    for (unsigned int i = 0; i < sizeof(*regs) / 8; i++) {
        console_text(i % 4 == 0 ? "\n  " : "  ");
        console_text(names[i]);
        console_put('=');
        console_number(values[i], 16);
    }
    console_put('\n');
}

void arch_panic(const struct regs *regs, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    console_text("guest kernel: ");
    console_format(format, args);
    va_end(args);
    if (regs != NULL)
        console_registers(regs);
    else
        console_put('\n');
    arch_exit(VM_EXIT_PANIC, 0);
}
