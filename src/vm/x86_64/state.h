/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything of a CPU that is not in memory and that a guest can change, so that the next request
 * finds a CPU like a new one.
 */
#ifndef SKERRY_VM_X86_64_STATE_H
#define SKERRY_VM_X86_64_STATE_H

#include <linux/kvm.h>

#include "vm/x86_64/cpu.h"

#define STATE_MSRS 6u

struct cpu_state {
    struct kvm_sregs sregs;
    uint32_t xsave[1024]; /* struct kvm_xsave without its open end */
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debug;
    struct kvm_vcpu_events events;
    struct {
        uint32_t count, pad;
        struct kvm_msr_entry entries[STATE_MSRS];
    } msrs;
};

/*
 * Takes from the guest what it does not need: access to model-specific registers, by which it could
 * leave state that no reset knows. vm: the machine. 0, or -errno: then it must not be reset.
 */
int cpu_deny_msrs(int vm, struct err *err);

/* Keeps the state of a CPU that was prepared and has not run. 0 or -errno. */
int cpu_state_save(const struct cpu *cpu, const struct kernel *kernel, struct cpu_state *out,
                   struct err *err);

/* Ends what an exit left half done, so that the registers are those behind it. 0 or -errno. */
int cpu_settle(const struct cpu *cpu, struct kvm_run *run);

/* Puts the state back, forgets all translations, and sets the general registers. 0 or -errno. */
int cpu_state_load(const struct cpu *cpu, struct kvm_run *run, const struct cpu_state *state,
                   const struct kvm_regs *regs);

#endif
