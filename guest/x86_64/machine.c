/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First C code of the kernel, and the way of exceptions.
 *
 * The monitor has loaded the descriptor-table registers already; the tables are filled here with
 * plain stores, so that starting costs no exit to the hypervisor.
 */
#include "x86_64/machine.h"

#include <stddef.h>

#include "x86_64/offsets.h"

_Static_assert(offsetof(struct regs, rcx) == REGS_RCX, "entry.S knows this");
_Static_assert(offsetof(struct regs, rip) == REGS_RIP, "entry.S knows this");
_Static_assert(offsetof(struct regs, rsp) == REGS_RSP, "entry.S knows this");
_Static_assert(offsetof(struct regs, rax) == REGS_RAX, "entry.S knows this");
_Static_assert(sizeof(struct regs) == REGS_BYTES, "entry.S knows this");
_Static_assert(VM_ABI_VERSION == KERNEL_ABI_VERSION, "entry.S knows this");

struct gate {
    uint16_t low, selector;
    uint8_t stack, kind;
    uint16_t middle;
    uint32_t high, zero;
};

struct task_state {
    uint32_t reserved;
    uint64_t rsp[3], reserved2, ist[7];
    uint16_t reserved3[5], io_map;
} __attribute__((packed));

/* What the CPU and trap_common leave on the exception stack. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

#define PAGE_FAULT        14u
#define CODE_SELECTOR     0x10u
#define TASK_SELECTOR     0x38u
#define GATE_INTERRUPT    0x8eu
#define RFLAGS_FOR_KERNEL UINT64_C(0x2)

_Static_assert(sizeof(struct gate) * 32 == IDT_BYTES, "32 gates");
_Static_assert(sizeof(struct task_state) == TSS_BYTES, "task state");

uint64_t gdt[GDT_BYTES / 8] = {0, 0, UINT64_C(0x00af9b000000ffff), UINT64_C(0x00cf93000000ffff)};
struct gate idt[32];
struct task_state tss;
struct vm_tick_frame tick_frame;

uint64_t kernel_stack, program_rsp;
uint64_t direct_execution;
uint64_t trapped_calls;
uint64_t trap_vector, trap_error, trap_cr2;

extern const uint8_t trap_stubs[], trap_stack_top[], boot_stack_top[];
extern const uint8_t kernel_text_start[], kernel_text_end[], return_low[], return_low_end[];

void machine_main(const struct vm_boot *boot);
void machine_syscall(struct regs *regs);
struct regs *machine_trap_frame(const struct trap_frame *frame);
void machine_tick(struct regs *regs);
void machine_fault(struct regs *regs, uint64_t vector, uint64_t error, uint64_t cr2);

static void fill_tables(void)
{
    for (unsigned int i = 0; i < 32; i++) {
        uint64_t stub = (uint64_t)trap_stubs + 16 * i;
        idt[i] = (struct gate){.low = (uint16_t)stub,
                               .selector = CODE_SELECTOR,
                               .stack = 1,
                               .kind = GATE_INTERRUPT,
                               .middle = (uint16_t)(stub >> 16),
                               .high = (uint32_t)(stub >> 32)};
    }
    uint64_t base = (uint64_t)&tss;
    tss.ist[0] = (uint64_t)trap_stack_top;
    tss.rsp[0] = (uint64_t)trap_stack_top;
    tss.io_map = TSS_BYTES;
    gdt[TASK_SELECTOR / 8] = (TSS_BYTES - 1) | (base & 0xffffff) << 16 | UINT64_C(0x8b) << 40 |
                             (base >> 24 & 0xff) << 56;
    gdt[TASK_SELECTOR / 8 + 1] = base >> 32;
}

/* What an exit costs here: the monitor divides the time between two stages. */
static _Noreturn void probe(void)
{
    arch_shared()->stages[VM_STAGE_PROGRAM] = arch_tsc();
    for (unsigned int i = 0; i < VM_PROBE_BELLS; i++)
        arch_doorbell(VM_BELL_FLUSH);
    arch_exit(VM_EXIT_STATUS, 0);
}

void machine_main(const struct vm_boot *boot)
{
    struct vm_shared *shared = arch_shared();
    shared->stages[VM_STAGE_KERNEL] = arch_tsc();
    kernel_stack = (uint64_t)boot_stack_top;
    direct_execution = (boot->flags & VM_FLAG_PVM) != 0;
    fill_tables();
    tables_open();
    fpu_open();
    patch_open();
    if ((boot->flags & VM_FLAG_PROBE) != 0)
        probe();
    kernel_main(boot);
}

void machine_syscall(struct regs *regs)
{
    struct vm_shared *shared = arch_shared();
    uint64_t rip = regs->rip;
    bool trapped = trapped_calls != shared->calls_trapped;
    shared->calls++;
    if (trapped) {
        shared->calls_trapped = trapped_calls;
        patch_trapped(rip);
    }
    kernel_syscall(regs);
    if (trapped || regs->rip != rip)
        regs->rip = patch_resume(regs->rip);
}

static bool in_kernel(uint64_t rip)
{
    return rip >= (uint64_t)kernel_text_start && rip < (uint64_t)kernel_text_end;
}

static void copy_frame(struct regs *regs, const struct trap_frame *frame)
{
    __builtin_memcpy(regs, frame, offsetof(struct regs, orig_rax));
    regs->orig_rax = UINT64_MAX;
    regs->rip = frame->rip;
    regs->rflags = frame->rflags;
    regs->rsp = frame->rsp;
}

/* The way back to the program touches its stack (return_low in entry.S): a fault there is the
 * program's, and its registers are where the stack pointer stands. */
static bool returning(const struct trap_frame *frame)
{
    return frame->vector == PAGE_FAULT && frame->rip >= (uint64_t)return_low &&
           frame->rip < (uint64_t)return_low_end;
}

/* Runs on the exception stack; returns where the kernel goes on with it. */
struct regs *machine_trap_frame(const struct trap_frame *frame)
{
    static struct regs of_kernel;
    struct regs *regs = (struct regs *)(kernel_stack - sizeof(*regs));
    bool kernel = in_kernel(frame->rip) && !returning(frame);
    if (kernel)
        regs = &of_kernel; /* the thread's stack is in use: report, and end */
    if (returning(frame))
        regs = (struct regs *)frame->rsp;
    else
        copy_frame(regs, frame);
    trap_vector = frame->vector;
    trap_error = frame->error;
    trap_cr2 = 0;
    if (frame->vector == PAGE_FAULT) {
        if (direct_execution)
            trap_cr2 = *(volatile uint64_t *)arch_phys(VM_PVM_GPA + 8);
        else
            __asm__ volatile("movq %%cr2, %0" : "=r"(trap_cr2));
    }
    if (kernel)
        arch_panic(regs, "exception %u (error %x, address %lx) in the kernel",
                   (unsigned int)trap_vector, (unsigned int)trap_error, trap_cr2);
    return regs;
}

void machine_fault(struct regs *regs, uint64_t vector, uint64_t error, uint64_t cr2)
{
    kernel_fault(regs, (unsigned int)vector, error, cr2);
    regs->rip = patch_resume(regs->rip);
}

void machine_tick(struct regs *regs)
{
    kernel_tick(regs);
    regs->rip = patch_resume(regs->rip);
}
