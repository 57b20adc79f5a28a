/* SPDX-License-Identifier: Apache-2.0 */
/* The one CPU of a guest: its registers before the first instruction, and while it is stopped. */
#ifndef SKERRY_VM_X86_64_CPU_H
#define SKERRY_VM_X86_64_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "vm/kernel.h"

struct kvm_cpuid2;

struct cpu {
    int fd;      /* the vCPU's descriptor */
    bool direct; /* page-table VM: the guest runs in the hardware's user mode */
    uint64_t tsc_hz;
    bool own_cpuid; /* it sees what was set */
    uint64_t fpu_mask, fpu_bytes;
};

/*
 * Makes the CPU ready to run the kernel's first instruction: CPUID, control registers, MSRs, and
 * direct execution where the hypervisor offers it. kvm: /dev/kvm. 0 or -errno with a sentence.
 */
int cpu_prepare(struct cpu *cpu, int kvm, const struct kernel *kernel, struct err *err);

/* The guest's time stamp counter now. */
uint64_t cpu_tsc(const struct cpu *cpu);

/* 1 when the CPU was stopped in program code (not the kernel's) and now continues at the kernel's
 * tick entry, 0 when not, -errno when it cannot be asked. */
int cpu_tick(struct cpu *cpu, struct guest_memory *memory, const struct kernel *kernel);

/* Writes registers and the kernel's symbol at rip, for the one who looks for what killed a guest.
 * text has room bytes; returns what is used. */
size_t cpu_describe(const struct cpu *cpu, char *text, size_t room);

/* rip of the stopped CPU; 0 when it cannot be asked. */
uint64_t cpu_rip(const struct cpu *cpu);

#endif
