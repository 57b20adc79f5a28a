/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assembled by hand: nine calls, and two arguments looked at. ioctl may name the guest's CPU alone
 * and do four things to it; a signal may be sent to the own process alone, to end as the guest's
 * program did.
 */
#include "vm/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct vm_grant grants[] = {
    {SYS_ioctl, "run the CPU, and read and set its registers; nothing else, on nothing else"},
    {SYS_read, "stdin into its ring"},
    {SYS_write, "output rings to stdout and stderr; the monitor's own last words"},
    {SYS_ppoll, "wait for stdin, for room in stdout, or for the guest's time"},
    {SYS_timer_settime, "the tick, off while the guest waits"},
    {SYS_rt_sigreturn, "return from the tick's handler"},
    {SYS_clock_gettime, "the deadline, where the vDSO cannot answer"},
    {SYS_kill, "end by the signal that ended the program; only itself"},
    {SYS_exit_group, "the end"},
};
#define GRANT_COUNT (sizeof(grants) / sizeof(grants[0]))

static const unsigned int vcpu_requests[] = {KVM_RUN, KVM_GET_REGS, KVM_SET_REGS, KVM_GET_MSRS};
#define REQUEST_COUNT (sizeof(vcpu_requests) / sizeof(vcpu_requests[0]))

const struct vm_grant *vm_filter_grants(unsigned int *out_count)
{
    *out_count = GRANT_COUNT;
    return grants;
}

#define ARG(n) ((uint32_t)(offsetof(struct seccomp_data, args) + (n)*8))

struct assembler {
    struct sock_filter code[64];
    unsigned short length;
};

static void emit(struct assembler *as, uint16_t op, uint32_t k, uint8_t yes, uint8_t no)
{
    as->code[as->length++] = (struct sock_filter){op, yes, no, k};
}

static void load(struct assembler *as, uint32_t offset)
{
    emit(as, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void kill_unless(struct assembler *as, uint32_t value)
{
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    emit(as, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

static void allow_if(struct assembler *as, uint32_t value)
{
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    emit(as, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* The block for a call whose arguments are looked at ends in a verdict. */
static unsigned short begin_call(struct assembler *as, uint32_t number)
{
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0);
    return (unsigned short)(as->length - 1);
}

static void end_call(struct assembler *as, unsigned short begin, uint32_t verdict)
{
    emit(as, BPF_RET | BPF_K, verdict, 0, 0);
    as->code[begin].jf = (uint8_t)(as->length - begin - 1);
}

static void assemble(struct assembler *as, int vcpu)
{
    load(as, offsetof(struct seccomp_data, arch));
    kill_unless(as, AUDIT_ARCH_X86_64);
    load(as, offsetof(struct seccomp_data, nr));
    unsigned short block = begin_call(as, SYS_ioctl);
    load(as, ARG(0));
    kill_unless(as, (uint32_t)vcpu);
    load(as, ARG(1));
    for (unsigned int i = 0; i < REQUEST_COUNT; i++)
        allow_if(as, vcpu_requests[i]);
    end_call(as, block, SECCOMP_RET_KILL_PROCESS);
    block = begin_call(as, SYS_kill);
    load(as, ARG(0));
    kill_unless(as, (uint32_t)getpid());
    end_call(as, block, SECCOMP_RET_ALLOW);
    for (unsigned int i = 0; i < GRANT_COUNT; i++) {
        if (grants[i].number != SYS_ioctl && grants[i].number != SYS_kill)
            allow_if(as, (uint32_t)grants[i].number);
    }
    emit(as, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

int vm_filter_install(int vcpu, struct err *err)
{
    struct assembler as = {.length = 0};
    assemble(&as, vcpu);
    struct sock_fprog program = {.len = as.length, .filter = as.code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return err_set(err, errno, "install the monitor's system call filter:");
    return 0;
}
