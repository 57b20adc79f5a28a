/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the watch. State that the kernel shows (inspect.c) is looked at when the program
 * reads, so calls that can be undone before are not in this list: only those that leave no trace
 * in /proc are, and those that would wait for ever.
 */
#include "warm/watch.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "warm/layout.h"

#define ARG(n)       (offsetof(struct seccomp_data, args) + (n)*8)
#define X32          0x40000000u
#define SYS_MSEAL    462
#define SYS_LANDLOCK 446

static const struct reader { /* calls that take a descriptor to read from, and where */
    uint16_t number;
    uint8_t argument;
} readers[] = {
    {SYS_read, 0},     {SYS_readv, 0}, {SYS_pread64, 0},         {SYS_preadv, 0}, {SYS_preadv2, 0},
    {SYS_sendfile, 1}, {SYS_tee, 0},   {SYS_copy_file_range, 0}, {SYS_splice, 0},
};

static const uint16_t others[] = {
    SYS_poll,   SYS_ppoll,      SYS_select,   SYS_pselect6,
    SYS_execve, SYS_exit_group, SYS_readlink, SYS_readlinkat,
};

static const struct refusal {
    uint16_t number;
    const char *reason;
} refusals[] = {
    {SYS_fork, "it starts another process before it reads its input"},
    {SYS_vfork, "it starts another process before it reads its input"},
    {SYS_clone, "it starts another process before it reads its input"},
    {SYS_execveat, "it becomes another program by execveat() before it reads its input"},
    {SYS_epoll_wait, "it waits for events (epoll) before it reads its input"},
    {SYS_epoll_pwait, "it waits for events (epoll) before it reads its input"},
    {SYS_epoll_pwait2, "it waits for events (epoll) before it reads its input"},
    {SYS_mlockall, "it locks its memory"},
    {SYS_MSEAL, "it seals its memory"},
    {SYS_LANDLOCK, "it confined itself (landlock)"},
    {SYS_seccomp, "it confined itself (seccomp)"},
    {SYS_setpriority, "it changed its priority"},
    {SYS_ioprio_set, "it changed its priority"},
    {SYS_sched_setscheduler, "it changed its scheduling"},
    {SYS_sched_setparam, "it changed its scheduling"},
    {SYS_sched_setattr, "it changed its scheduling"},
    {SYS_set_mempolicy, "it chose where its memory lies"},
    {SYS_mbind, "it chose where its memory lies"},
    {SYS_modify_ldt, "it has segments of its own"},
    {SYS_shmget, "it has System V IPC objects"},
    {SYS_semget, "it has System V IPC objects"},
    {SYS_msgget, "it has System V IPC objects"},
    {SYS_membarrier, "it registered for membarrier()"},
    {SYS_prctl, "it changed itself by prctl()"},
    {SYS_arch_prctl, "it changed itself by arch_prctl()"},
    {SYS_personality, "it changed its personality"},
};

/* What leaves nothing behind, or what is saved. */
static const uint16_t prctl_allowed[] = {
    PR_SET_NAME,        PR_GET_NAME,         PR_SET_DUMPABLE,    PR_GET_DUMPABLE,
    PR_SET_TIMERSLACK,  PR_GET_TIMERSLACK,   PR_GET_PDEATHSIG,   PR_CAPBSET_READ,
    PR_GET_KEEPCAPS,    PR_GET_SECCOMP,      PR_GET_SECUREBITS,  PR_SET_NO_NEW_PRIVS,
    PR_GET_TID_ADDRESS, PR_GET_NO_NEW_PRIVS, PR_GET_THP_DISABLE, PR_GET_SPECULATION_CTRL,
};
#define PRCTL_SET_VMA 0x53564d41u /* names of mappings: nobody misses them */

static const uint16_t arch_prctl_allowed[] = {
    0x1001, 0x1002, 0x1003, 0x1004, /* SET_GS SET_FS GET_FS GET_GS: saved */
    0x1011,                         /* GET_CPUID */
    0x1021, 0x1022, 0x1024,         /* GET_XCOMP_SUPP GET_XCOMP_PERM GET_XCOMP_GUEST_PERM */
    0x3001, 0x5005,                 /* CET_STATUS SHSTK_STATUS: ld.so asks */
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct assembler {
    struct sock_filter *code;
    uint32_t length;
};

static void emit(struct assembler *as, uint16_t op, uint32_t k, uint8_t yes, uint8_t no)
{
    as->code[as->length++] = (struct sock_filter){.code = op, .jt = yes, .jf = no, .k = k};
}

static void load(struct assembler *as, size_t offset)
{
    emit(as, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct assembler *as, uint32_t action)
{
    emit(as, BPF_RET | BPF_K, action, 0, 0);
}

static void answer_if(struct assembler *as, uint16_t jump, uint32_t k, uint32_t action)
{
    emit(as, BPF_JMP | jump | BPF_K, k, 0, 1);
    answer(as, action);
}

/* Begins a block for one call; ends with end_call, which patches its jump over the block. */
static uint32_t begin_call(struct assembler *as, long number)
{
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 0);
    return as->length - 1;
}

static void end_call(struct assembler *as, uint32_t begin, uint32_t action)
{
    answer(as, action);
    as->code[begin].jf = (uint8_t)(as->length - begin - 1);
}

static void pass_own_calls(struct assembler *as, const struct watch *watch)
{
    size_t ip = offsetof(struct seccomp_data, instruction_pointer);
    load(as, offsetof(struct seccomp_data, arch));
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    answer(as, SECCOMP_RET_KILL_PROCESS);
    load(as, ip + 4);
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(watch->own_lo >> 32), 0, 4);
    load(as, ip);
    emit(as, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)watch->own_lo, 0, 2);
    emit(as, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)watch->own_hi, 1, 0);
    answer(as, SECCOMP_RET_ALLOW);
    load(as, offsetof(struct seccomp_data, nr));
    answer_if(as, BPF_JGE, X32, SECCOMP_RET_ERRNO | ENOSYS);
}

/* What would close our descriptors. The answer to close_range makes callers close one by one. */
static void keep_own_fds(struct assembler *as, const struct watch *watch)
{
    static const struct reader closers[] = {{SYS_close, 0}, {SYS_dup2, 1}, {SYS_dup3, 1}};
    for (size_t i = 0; i < COUNT(closers); i++) {
        uint32_t block = begin_call(as, closers[i].number);
        load(as, ARG(closers[i].argument));
        emit(as, BPF_JMP | BPF_JGE | BPF_K, watch->fds_lo, 0, 2);
        emit(as, BPF_JMP | BPF_JGE | BPF_K, watch->fds_hi, 1, 0);
        answer(as, SECCOMP_RET_ERRNO | EBADF);
        end_call(as, block, SECCOMP_RET_ALLOW);
    }
    uint32_t block = begin_call(as, SYS_close_range);
    load(as, ARG(1));
    answer_if(as, BPF_JGE, watch->fds_lo, SECCOMP_RET_ERRNO | ENOSYS);
    end_call(as, block, SECCOMP_RET_ALLOW);
}

static void allow_listed(struct assembler *as, long number, const uint16_t *list, size_t count)
{
    uint32_t block = begin_call(as, number);
    load(as, ARG(0));
    for (size_t i = 0; i < count; i++)
        answer_if(as, BPF_JEQ, list[i], SECCOMP_RET_ALLOW);
    if (number == SYS_prctl)
        answer_if(as, BPF_JEQ, PRCTL_SET_VMA, SECCOMP_RET_ALLOW);
    end_call(as, block, SECCOMP_RET_TRAP);
}

static void check_arguments(struct assembler *as)
{
    for (size_t i = 0; i < COUNT(readers); i++) {
        uint32_t block = begin_call(as, readers[i].number);
        load(as, ARG(readers[i].argument));
        answer_if(as, BPF_JEQ, 0, SECCOMP_RET_TRAP);
        end_call(as, block, SECCOMP_RET_ALLOW);
    }
    uint32_t block = begin_call(as, SYS_clone);
    load(as, ARG(0));
    answer_if(as, BPF_JSET, CLONE_THREAD, SECCOMP_RET_ALLOW);
    end_call(as, block, SECCOMP_RET_TRAP);
    block = begin_call(as, SYS_rt_sigaction);
    load(as, ARG(0));
    answer_if(as, BPF_JEQ, SIGSYS, SECCOMP_RET_TRAP);
    end_call(as, block, SECCOMP_RET_ALLOW);
    block = begin_call(as, SYS_membarrier); /* all but the query and the plain one register */
    load(as, ARG(0));
    answer_if(as, BPF_JSET, ~1u, SECCOMP_RET_TRAP);
    end_call(as, block, SECCOMP_RET_ALLOW);
    block = begin_call(as, SYS_personality);
    load(as, ARG(0));
    answer_if(as, BPF_JEQ, UINT32_MAX, SECCOMP_RET_ALLOW);
    end_call(as, block, SECCOMP_RET_TRAP);
    allow_listed(as, SYS_prctl, prctl_allowed, COUNT(prctl_allowed));
    allow_listed(as, SYS_arch_prctl, arch_prctl_allowed, COUNT(arch_prctl_allowed));
}

/*
 * rseq and clone3 answer ENOSYS: nothing shows where rseq was registered, and libc does without
 * both. A thread ends by exit() with signals blocked, where SIGSYS would kill the process: not
 * trapped, and a program that ends by it is seen to have ended by whoever waits for the snapshot.
 */
uint32_t watch_filter(const struct watch *watch, struct sock_filter out[WATCH_LENGTH_MAX])
{
    struct assembler as = {.code = out};
    pass_own_calls(&as, watch);
    keep_own_fds(&as, watch);
    check_arguments(&as);
    answer_if(&as, BPF_JEQ, SYS_rseq, SECCOMP_RET_ERRNO | ENOSYS);
    answer_if(&as, BPF_JEQ, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    for (size_t i = 0; i < COUNT(others); i++)
        answer_if(&as, BPF_JEQ, others[i], SECCOMP_RET_TRAP);
    for (size_t i = 0; i < COUNT(refusals); i++)
        answer_if(&as, BPF_JEQ, refusals[i].number, SECCOMP_RET_TRAP);
    answer(&as, SECCOMP_RET_ALLOW);
    return as.length;
}

enum watch_class watch_class_of(uint32_t number, const char **out_reason)
{
    for (size_t i = 0; i < COUNT(readers); i++) {
        if (readers[i].number == number)
            return WATCH_READS_STDIN;
    }
    switch (number) {
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
        return WATCH_MAY_WAIT;
    case SYS_rt_sigaction:
        return WATCH_SIGSYS_ACTION;
    case SYS_readlink:
    case SYS_readlinkat:
        return WATCH_LINK;
    case SYS_execve:
        return WATCH_EXEC;
    case SYS_exit_group:
        return WATCH_END;
    default:
        break;
    }
    *out_reason = "it makes a call that is watched for no reason";
    for (size_t i = 0; i < COUNT(refusals); i++) {
        if (refusals[i].number == number)
            *out_reason = refusals[i].reason;
    }
    return WATCH_REFUSED;
}
