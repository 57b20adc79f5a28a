/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assembled by hand: at most twelve calls in each role, and the arguments that matter looked at.
 * ioctl may name the guest's CPU and the list of own pages alone; a signal may be sent to the own
 * process alone, to end as the guest's program did; what a snapshot is written into has a fixed
 * number.
 */
#include "vm/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "skerry/abi/warm.h"
#include "vm/dirty_abi.h"
#include "vm/memory.h"

#define EACH (VM_ROLE_ALONE | VM_ROLE_POOL | VM_ROLE_MAKE | VM_ROLE_RESTORE)
#define WARM (VM_ROLE_POOL | VM_ROLE_RESTORE)

/* When a grant depends on whether the kernel has PAGEMAP_SCAN. */
enum when { ALWAYS, WITH_SCAN, WITHOUT_SCAN };

static const struct grant {
    int number;
    unsigned int roles;
    enum when when;
    const char *reason;
} grants[] = {
    {SYS_ioctl, EACH, ALWAYS, "run the CPU, read and set its registers; find the pages it wrote"},
    {SYS_read, EACH, ALWAYS, "stdin into its ring"},
    {SYS_write, EACH, ALWAYS, "output rings to stdout and stderr; our own words; READY and DONE"},
    {SYS_ppoll, EACH, ALWAYS, "wait for stdin, for room in stdout, or for the guest's time"},
    {SYS_timer_settime, EACH, ALWAYS, "the tick, off while the guest waits"},
    {SYS_rt_sigreturn, EACH, ALWAYS, "return from the tick's handler"},
    {SYS_clock_gettime, EACH, ALWAYS, "the processor time used; clocks that the vDSO cannot read"},
    {SYS_exit_group, EACH, ALWAYS, "the end"},
    {SYS_kill, VM_ROLE_ALONE | VM_ROLE_POOL, ALWAYS,
     "end by the signal that ended the program; only itself"},
    {SYS_recvmsg, WARM, ALWAYS, "the next request, with its descriptors"},
    {SYS_getrandom, WARM, ALWAYS, "a seed for the guest's random generator, for each request"},
    {SYS_close, VM_ROLE_RESTORE, ALWAYS, "a request's descriptors, when it is over"},
    {SYS_madvise, VM_ROLE_RESTORE, WITH_SCAN,
     "give pages back that a request made too many of; own those of the snapshot"},
    {SYS_pread64, VM_ROLE_RESTORE | VM_ROLE_MAKE, WITHOUT_SCAN, "find the pages the guest wrote"},
    {SYS_pwrite64, VM_ROLE_MAKE, ALWAYS, "the snapshot"},
    {SYS_fcntl, VM_ROLE_MAKE, ALWAYS, "seal the snapshot"},
};
#define GRANT_COUNT (sizeof(grants) / sizeof(grants[0]))

static const struct {
    unsigned int request, roles;
} vcpu_requests[] = {
    {KVM_RUN, EACH},
    {KVM_GET_REGS, EACH},
    {KVM_SET_REGS, EACH},
    {KVM_GET_MSRS, EACH},        /* the time stamp counter */
    {KVM_GET_VCPU_EVENTS, EACH}, /* whether an exception is on its way */
    /* a CPU like a new one for the next request: */
    {KVM_SET_SREGS, VM_ROLE_RESTORE},
    {KVM_SET_XCRS, VM_ROLE_RESTORE},
    {KVM_SET_XSAVE, VM_ROLE_RESTORE},
    {KVM_SET_DEBUGREGS, VM_ROLE_RESTORE},
    {KVM_SET_VCPU_EVENTS, VM_ROLE_RESTORE},
    {KVM_SET_MSRS, VM_ROLE_RESTORE},
};
#define REQUEST_COUNT (sizeof(vcpu_requests) / sizeof(vcpu_requests[0]))

static bool applies(const struct vm_filter *filter, const struct grant *grant)
{
    return (grant->roles & filter->role) != 0 &&
           (grant->when == ALWAYS || (grant->when == WITH_SCAN) == filter->scans);
}

unsigned int vm_filter_grants(const struct vm_filter *filter, struct vm_grant out[VM_GRANTS_MAX])
{
    unsigned int count = 0;
    for (unsigned int i = 0; i < GRANT_COUNT; i++) {
        if (!applies(filter, &grants[i]))
            continue;
        if (count < VM_GRANTS_MAX) /* the unit test counts: there are no more */
            out[count] = (struct vm_grant){grants[i].number, grants[i].reason};
        count++;
    }
    return count;
}

#define ARG(n) ((uint32_t)(offsetof(struct seccomp_data, args) + (n)*8))

struct assembler {
    struct sock_filter code[160];
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

/* A block that is skipped unless what is loaded is value; it ends in a verdict. */
static unsigned short begin_block(struct assembler *as, uint32_t value)
{
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0);
    return (unsigned short)(as->length - 1);
}

static void end_block(struct assembler *as, unsigned short begin, uint32_t verdict)
{
    emit(as, BPF_RET | BPF_K, verdict, 0, 0);
    as->code[begin].jf = (uint8_t)(as->length - begin - 1);
}

static void assemble_ioctl(struct assembler *as, const struct vm_filter *filter)
{
    unsigned short call = begin_block(as, SYS_ioctl);
    load(as, ARG(0));
    if (filter->pagemap >= 0 && filter->scans) {
        unsigned short block = begin_block(as, (uint32_t)filter->pagemap);
        load(as, ARG(1));
        kill_unless(as, PAGEMAP_SCAN_REQUEST);
        end_block(as, block, SECCOMP_RET_ALLOW);
    }
    kill_unless(as, (uint32_t)filter->vcpu);
    load(as, ARG(1));
    for (unsigned int i = 0; i < REQUEST_COUNT; i++) {
        if ((vcpu_requests[i].roles & filter->role) != 0)
            allow_if(as, vcpu_requests[i].request);
    }
    end_block(as, call, SECCOMP_RET_KILL_PROCESS);
}

/* A call whose argument must have one value. */
static void assemble_one(struct assembler *as, int number, unsigned int arg, uint32_t value)
{
    unsigned short block = begin_block(as, (uint32_t)number);
    load(as, ARG(arg));
    kill_unless(as, value);
    if (number == SYS_fcntl) {
        load(as, ARG(1));
        kill_unless(as, F_ADD_SEALS);
    }
    end_block(as, block, SECCOMP_RET_ALLOW);
}

static void assemble_madvise(struct assembler *as)
{
    unsigned short block = begin_block(as, SYS_madvise);
    load(as, ARG(2));
    allow_if(as, MADV_POPULATE_READ);
    allow_if(as, MADV_POPULATE_WRITE);
    kill_unless(as, MADV_DONTNEED);
    end_block(as, block, SECCOMP_RET_ALLOW);
}

static void assemble_grant(struct assembler *as, const struct vm_filter *filter, int number)
{
    switch (number) {
    case SYS_ioctl:
        assemble_ioctl(as, filter);
        break;
    case SYS_kill:
        assemble_one(as, number, 0, (uint32_t)getpid());
        break;
    case SYS_recvmsg:
        assemble_one(as, number, 0, WARM_FD);
        break;
    case SYS_madvise:
        assemble_madvise(as);
        break;
    case SYS_pread64:
        assemble_one(as, number, 0, (uint32_t)filter->pagemap);
        break;
    case SYS_pwrite64:
    case SYS_fcntl:
        assemble_one(as, number, 0, WARM_SNAPSHOT_FD);
        break;
    default:
        allow_if(as, (uint32_t)number);
        break;
    }
}

int vm_filter_install(const struct vm_filter *filter, struct err *err)
{
    struct vm_grant allowed[VM_GRANTS_MAX];
    unsigned int count = vm_filter_grants(filter, allowed);
    struct assembler as = {.length = 0};
    load(&as, offsetof(struct seccomp_data, arch));
    kill_unless(&as, AUDIT_ARCH_X86_64);
    load(&as, offsetof(struct seccomp_data, nr));
    for (unsigned int i = 0; i < count && i < VM_GRANTS_MAX; i++)
        assemble_grant(&as, filter, allowed[i].number);
    emit(&as, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    struct sock_fprog program = {.len = as.length, .filter = as.code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return err_set(err, errno, "install the monitor's system call filter:");
    return 0;
}
