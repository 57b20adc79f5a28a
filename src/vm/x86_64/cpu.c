/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 64-bit mode from the first instruction on: the tables in memory are the kernel's own, the
 * registers that point to them are set here, so that starting needs no privileged instruction.
 */
#include "vm/x86_64/cpu.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "vm/x86_64/msr.h"

#define CPUID_ENTRIES 160

#define CR0_LONG_MODE 0x80050033u /* PE MP ET NE WP AM PG */
#define CR4_BASE      0x10620u    /* PAE OSFXSR OSXMMEXCPT FSGSBASE */
#define CR4_OSXSAVE   0x40000u
#define EFER_LONG     0xd01u /* SCE LME LMA NXE */

#define CPUID_VMX (1u << 5)
#define CPUID_SVM (1u << 2)

#define XCR0_KNOWN    0xe7u /* x87, SSE, AVX, AVX-512 */
#define FPU_BYTES_MAX 2752u /* XSAVE area with all of these */

/* struct kvm_cpuid2 and struct kvm_msrs with room for their entries. */
struct cpuid_room {
    struct {
        uint32_t nent, padding;
    } head;
    struct kvm_cpuid_entry2 entries[CPUID_ENTRIES];
};

struct msr_room {
    struct {
        uint32_t nmsrs, pad;
    } head;
    struct kvm_msr_entry entries[4];
};

/*
 * Where the CPU lets a kernel trap CPUID (Intel's "CPUID faulting"), a hypervisor of direct
 * execution does, and what is set is what the guest sees.
 */
static bool cpuid_faults(void)
{
    return syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1) ==
           0; /* it is on: -ENODEV where it always is */
}

/*
 * Elsewhere the guest's CPUID instruction answers as the machine's does, whatever is set here; KVM
 * only wants to know that 64-bit mode and FSGSBASE exist. Asking it what it supports would take
 * 0.3 ms.
 */
static void fill_direct_cpuid(struct cpuid_room *room)
{
    static const struct kvm_cpuid_entry2 entries[] = {
        {.function = 0, .eax = 7},
        {.function = 1, .ecx = 0x00982201, .edx = 0x178bfbff}, /* SSE to SSE4.2, PAE, PGE, FXSR */
        {.function = 7, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .ebx = 1}, /* FSGSBASE */
        {.function = 0x80000000, .eax = 0x80000008},
        {.function = 0x80000001, .ecx = 1, .edx = 0x20100800}, /* SYSCALL, NX, 64-bit mode */
        {.function = 0x80000008, .eax = 0x302e},               /* 48 virtual, 46 physical bits */
    };
    room->head.nent = sizeof(entries) / sizeof(entries[0]);
    memcpy(room->entries, entries, sizeof(entries));
}

static int ask_cpuid(struct cpu *cpu, int kvm, struct cpuid_room *room, struct err *err)
{
    room->head.nent = CPUID_ENTRIES;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, room) < 0)
        return err_set(err, errno, "ask KVM which CPU a guest can have:");
    for (unsigned int i = 0; i < room->head.nent; i++) {
        struct kvm_cpuid_entry2 *entry = &room->entries[i];
        if (entry->function == 1)
            entry->ecx &= ~CPUID_VMX; /* machines within the guest would be state of their own */
        if (entry->function == 0x80000001)
            entry->ecx &= ~CPUID_SVM;
        if (entry->function == 0xd && entry->index == 0)
            cpu->fpu_mask = entry->eax & XCR0_KNOWN;
    }
    return 0;
}

static int set_cpuid(struct cpu *cpu, int kvm, struct err *err)
{
    struct cpuid_room room = {0};
    int result = 0;
    cpu->own_cpuid = !cpu->direct || cpuid_faults();
    if (cpu->own_cpuid)
        result = ask_cpuid(cpu, kvm, &room, err);
    if (result < 0 && cpu->direct)
        cpu->own_cpuid = false;
    if (!cpu->own_cpuid) {
        fill_direct_cpuid(&room);
        result = 0;
    }
    if (result == 0 && ioctl(cpu->fd, KVM_SET_CPUID2, &room) < 0)
        result = err_set(err, errno, "set the guest's CPUID:");
    return result;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, uint8_t system, uint8_t wide)
{
    return (struct kvm_segment){.limit = UINT32_MAX,
                                .selector = selector,
                                .type = type,
                                .present = 1,
                                .s = system,
                                .l = wide,
                                .db = (uint8_t)(system && !wide),
                                .g = 1};
}

static int set_registers(struct cpu *cpu, const struct kernel *kernel, struct err *err)
{
    const struct vm_kernel *entry = &kernel->entry;
    struct kvm_sregs sregs;
    if (ioctl(cpu->fd, KVM_GET_SREGS, &sregs) < 0)
        return err_set(err, errno, "read the guest's registers:");
    sregs.cs = segment(CODE_SELECTOR, 0xb, 1, 1);
    sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = segment(DATA_SELECTOR, 0x3, 1, 0);
    sregs.tr = segment(TASK_SELECTOR, 0xb, 0, 0);
    sregs.tr.base = entry->tss;
    sregs.tr.limit = (uint32_t)entry->tss_bytes - 1;
    sregs.tr.g = 0;
    sregs.gdt = (struct kvm_dtable){.base = entry->gdt, .limit = (uint16_t)(entry->gdt_bytes - 1)};
    sregs.idt = (struct kvm_dtable){.base = entry->idt, .limit = (uint16_t)(entry->idt_bytes - 1)};
    sregs.cr0 = CR0_LONG_MODE;
    sregs.cr3 = VM_TABLES_GPA;
    sregs.cr4 = CR4_BASE | (cpu->fpu_mask != 0 ? CR4_OSXSAVE : 0);
    sregs.efer = EFER_LONG;
    int result = ioctl(cpu->fd, KVM_SET_SREGS, &sregs);
    if (result < 0) { /* a hypervisor that keeps XSAVE to itself */
        sregs.cr4 = CR4_BASE;
        result = ioctl(cpu->fd, KVM_SET_SREGS, &sregs);
    }
    struct kvm_regs regs = {
        .rip = entry->entry, .rsp = entry->stack_top, .rdi = VM_PHYS_VA + VM_BOOT_GPA, .rflags = 2};
    if (result < 0 || ioctl(cpu->fd, KVM_SET_REGS, &regs) < 0)
        return err_set(err, errno, "set the guest's registers:");
    return 0;
}

static int set_msrs(struct cpu *cpu, const struct kernel *kernel, struct err *err)
{
    struct msr_room room = {.head.nmsrs = 3,
                            .entries = {
                                {.index = MSR_STAR, .data = MSR_STAR_VALUE},
                                {.index = MSR_LSTAR, .data = kernel->entry.syscall_entry},
                                {.index = MSR_FMASK, .data = MSR_FMASK_VALUE},
                            }};
    if (ioctl(cpu->fd, KVM_SET_MSRS, &room) != 3)
        return err_set(err, EIO, "KVM refuses the guest's system call entry");
    return 0;
}

/* A page-table hypervisor runs the guest directly once it is asked; others do not know the
 * register. Asked first, since it decides what else is to be set. */
static void try_direct(struct cpu *cpu)
{
    struct msr_room room = {.head.nmsrs = 1,
                            .entries = {{.index = MSR_DIRECT, .data = MSR_DIRECT_VALUE}}};
    cpu->direct = ioctl(cpu->fd, KVM_SET_MSRS, &room) == 1;
}

__attribute__((target("xsave"))) static uint64_t own_xcr0(void)
{
    return (uint64_t)_xgetbv(0);
}

/* The guest may use every part of the FPU state that KVM offers; in direct execution it has the
 * machine's, whatever is set, but the size that CPUID tells goes by it. */
static void set_xcr(struct cpu *cpu)
{
    struct kvm_xcrs xcrs = {.nr_xcrs = 1};
    if (cpu->fpu_mask == 0 || !cpu->own_cpuid)
        return;
    xcrs.xcrs[0].value = cpu->direct ? own_xcr0() : cpu->fpu_mask;
    if (ioctl(cpu->fd, KVM_SET_XCRS, &xcrs) == 0 || !cpu->direct)
        return;
    xcrs.xcrs[0].value = cpu->fpu_mask; /* the machine has a part that KVM does not know */
    ioctl(cpu->fd, KVM_SET_XCRS, &xcrs);
}

int cpu_prepare(struct cpu *cpu, int kvm, const struct kernel *kernel, struct err *err)
{
    try_direct(cpu);
    int result = set_cpuid(cpu, kvm, err);
    if (result == 0)
        result = set_registers(cpu, kernel, err);
    if (result < 0)
        return result;
    result = set_msrs(cpu, kernel, err);
    if (result < 0)
        return result;
    set_xcr(cpu);
    if (cpu->direct)
        cpu->fpu_mask = own_xcr0() & XCR0_KNOWN;
    cpu->fpu_bytes = FPU_BYTES_MAX;
    int khz = ioctl(cpu->fd, KVM_GET_TSC_KHZ, 0);
    if (khz <= 0)
        return err_set(err, EIO, "KVM does not know the speed of the time stamp counter");
    cpu->tsc_hz = (uint64_t)khz * 1000;
    return 0;
}

uint64_t cpu_tsc(const struct cpu *cpu)
{
    struct msr_room room = {.head.nmsrs = 1, .entries = {{.index = MSR_TSC}}};
    if (!cpu->direct && ioctl(cpu->fd, KVM_GET_MSRS, &room) == 1)
        return room.entries[0].data;
    return __rdtsc();
}

int cpu_tick(struct cpu *cpu, struct guest_memory *memory, const struct kernel *kernel)
{
    struct kvm_regs regs;
    struct kvm_vcpu_events events;
    struct vm_tick_frame frame;
    gpa_t at = GPA(kernel->entry.tick_frame - VM_KERNEL_VA);
    if (ioctl(cpu->fd, KVM_GET_REGS, &regs) < 0)
        return -errno;
    if (regs.rip >= VM_PROGRAM_HI || guest_read(memory, at, &frame, sizeof(frame)) < 0 ||
        frame.pending != 0)
        return 0;
    /* an exception of the program that is on its way would be taken for one of the kernel's */
    if (ioctl(cpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
        return -errno;
    if (events.exception.injected != 0 || events.exception.pending != 0)
        return 0;
    frame = (struct vm_tick_frame){regs.rip, regs.rflags, regs.rsp, 1};
    guest_write(memory, at, &frame, sizeof(frame));
    regs.rip = kernel->entry.tick_entry;
    return ioctl(cpu->fd, KVM_SET_REGS, &regs) < 0 ? -errno : 1;
}

uint64_t cpu_rip(const struct cpu *cpu)
{
    struct kvm_regs regs;
    return ioctl(cpu->fd, KVM_GET_REGS, &regs) < 0 ? 0 : regs.rip;
}

size_t cpu_describe(const struct cpu *cpu, char *text, size_t room)
{
    struct kvm_regs r;
    uint64_t offset = 0;
    if (ioctl(cpu->fd, KVM_GET_REGS, &r) < 0)
        return 0;
    const char *name = kernel_symbol(r.rip, &offset);
    int used =
        snprintf(text, room,
                 "  rip %016llx flags %08llx rsp %016llx in %s+0x%llx\n"
                 "  rax %016llx rbx %016llx rcx %016llx rdx %016llx\n"
                 "  rsi %016llx rdi %016llx rbp %016llx r8  %016llx\n"
                 "  r9  %016llx r10 %016llx r11 %016llx r12 %016llx\n"
                 "  r13 %016llx r14 %016llx r15 %016llx\n",
                 r.rip, r.rflags, r.rsp, name != NULL ? name : "the program",
                 name != NULL ? (unsigned long long)offset : r.rip, r.rax, r.rbx, r.rcx, r.rdx,
                 r.rsi, r.rdi, r.rbp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15);
    return used < 0 ? 0 : (size_t)used < room ? (size_t)used : room - 1;
}
