/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/x86_64/state.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vm/x86_64/msr.h"

#define CR4_PGE 0x80u

int cpu_deny_msrs(int vm, struct err *err)
{
    /* A filter without any range is none, so one range says no, too. */
    static uint8_t none[1];
    struct kvm_msr_filter filter = {
        .flags = KVM_MSR_FILTER_DEFAULT_DENY,
        .ranges[0] = {.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
                      .nmsrs = 1,
                      .base = MSR_STAR,
                      .bitmap = none}};
    return ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter) < 0
               ? err_set(err, errno, "deny the guest its model-specific registers:")
               : 0;
}

/* Those that instructions change (swapgs), or that decide where a system call goes. */
static void fill_msrs(const struct cpu *cpu, const struct kernel *kernel, struct cpu_state *state)
{
    const struct kvm_msr_entry all[STATE_MSRS] = {
        {.index = MSR_STAR, .data = MSR_STAR_VALUE},
        {.index = MSR_LSTAR, .data = kernel->entry.syscall_entry},
        {.index = MSR_FMASK, .data = MSR_FMASK_VALUE},
        {.index = MSR_KERNEL_GS},
        {.index = MSR_CSTAR},
        {.index = MSR_DIRECT, .data = MSR_DIRECT_VALUE},
    };
    memcpy(state->msrs.entries, all, sizeof(all));
    state->msrs.count = cpu->direct ? STATE_MSRS : STATE_MSRS - 1;
}

int cpu_state_save(const struct cpu *cpu, const struct kernel *kernel, struct cpu_state *out,
                   struct err *err)
{
    memset(out, 0, sizeof(*out));
    fill_msrs(cpu, kernel, out);
    if (ioctl(cpu->fd, KVM_GET_SREGS, &out->sregs) < 0 ||
        ioctl(cpu->fd, KVM_GET_XSAVE, out->xsave) < 0 ||
        ioctl(cpu->fd, KVM_GET_XCRS, &out->xcrs) < 0 ||
        ioctl(cpu->fd, KVM_GET_DEBUGREGS, &out->debug) < 0 ||
        ioctl(cpu->fd, KVM_GET_VCPU_EVENTS, &out->events) < 0)
        return err_set(err, errno, "read the state of the guest's CPU:");
    return 0;
}

int cpu_settle(const struct cpu *cpu, struct kvm_run *run)
{
    run->immediate_exit = 1;
    int result = ioctl(cpu->fd, KVM_RUN, 0);
    run->immediate_exit = 0;
    return result < 0 && errno == EINTR ? 0 : -EIO;
}

int cpu_state_load(const struct cpu *cpu, struct kvm_run *run, const struct cpu_state *state,
                   const struct kvm_regs *regs)
{
    /* A change of a paging mode makes KVM forget all translations; then the right one again. */
    struct kvm_sregs other = state->sregs;
    other.cr4 ^= CR4_PGE;
    if (ioctl(cpu->fd, KVM_SET_SREGS, &other) < 0 ||
        ioctl(cpu->fd, KVM_SET_SREGS, &state->sregs) < 0 ||
        ioctl(cpu->fd, KVM_SET_XCRS, &state->xcrs) < 0 ||
        ioctl(cpu->fd, KVM_SET_XSAVE, state->xsave) < 0 ||
        ioctl(cpu->fd, KVM_SET_DEBUGREGS, &state->debug) < 0 ||
        ioctl(cpu->fd, KVM_SET_VCPU_EVENTS, &state->events) < 0 ||
        ioctl(cpu->fd, KVM_SET_MSRS, &state->msrs) != (int)state->msrs.count ||
        ioctl(cpu->fd, KVM_SET_REGS, regs) < 0)
        return -EIO;
    run->cr8 = state->sregs.cr8;
    run->kvm_valid_regs = run->kvm_dirty_regs = 0;
    run->request_interrupt_window = 0;
    return 0;
}
