/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closing filter: what furnishing alone may do, and the arguments that the main filter does not
 * look at. The zygote installs it once and all inherit it, so no start pays for it; calls that
 * furnish carry the template's key in an argument that they do not have, which the program never
 * sees. The main filter has already refused foreign architectures, so only numbers are looked at;
 * an argument that the kernel takes as 32 bits is compared as its low word alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "jail/filter.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |     \
     CLONE_NEWCGROUP)

#define ARG_LOW(n)  (offsetof(struct seccomp_data, args) + (n)*8)
#define ARG_HIGH(n) (ARG_LOW(n) + 4)

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

/* If the accumulator equals k, answers. */
static void refuse_if(struct assembler *as, uint32_t k, uint32_t action)
{
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
    answer(as, action);
}

/* Begins a block for one system call; returns where its jump over the block is patched. */
static uint32_t begin_call(struct assembler *as, long number)
{
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 0);
    return as->length - 1;
}

static void end_call(struct assembler *as, uint32_t begin)
{
    answer(as, SECCOMP_RET_ALLOW);
    as->code[begin].jf = (uint8_t)(as->length - begin - 1);
}

/* Allows what carries the key in its sixth argument. Both words are compared in any case: the time
 * that it takes must not tell of a half that was right. */
static void answer_by_key(struct assembler *as, uint64_t key)
{
    load(as, ARG_LOW(5));
    emit(as, BPF_ALU | BPF_SUB | BPF_K, (uint32_t)key, 0, 0);
    emit(as, BPF_ST, 0, 0, 0);
    load(as, ARG_HIGH(5));
    emit(as, BPF_ALU | BPF_SUB | BPF_K, (uint32_t)(key >> 32), 0, 0);
    emit(as, BPF_LDX | BPF_MEM, 0, 0, 0);
    emit(as, BPF_ALU | BPF_OR | BPF_X, 0, 0, 0);
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
    answer(as, SECCOMP_RET_ALLOW);
    answer(as, SECCOMP_RET_ERRNO | EPERM);
}

static void check_furnishing(struct assembler *as, uint64_t key)
{
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 3, 0);
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, SYS_umount2, 2, 0);
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, SYS_setns, 1, 0);
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 10);
    answer_by_key(as, key);
    uint32_t block = begin_call(as, SYS_clone);
    load(as, ARG_LOW(0));
    emit(as, BPF_JMP | BPF_JSET | BPF_K, NAMESPACE_FLAGS, 1, 0);
    answer(as, SECCOMP_RET_ALLOW);
    answer_by_key(as, key);
    as->code[block].jf = (uint8_t)(as->length - block - 1);
}

static void check_ioctl(struct assembler *as)
{
    uint32_t block = begin_call(as, SYS_ioctl);
    load(as, ARG_LOW(1));
    refuse_if(as, TIOCSTI, SECCOMP_RET_ERRNO | EPERM);   /* types into a terminal */
    refuse_if(as, TIOCLINUX, SECCOMP_RET_ERRNO | EPERM); /* pastes into a console */
    refuse_if(as, TIOCSETD, SECCOMP_RET_ERRNO | EPERM);  /* loads line disciplines */
    end_call(as, block);
}

/* Answers EPERM for a call when an argument has one of the bits. */
static void refuse_bits(struct assembler *as, long number, unsigned int arg, uint32_t bits)
{
    uint32_t block = begin_call(as, number);
    load(as, ARG_LOW(arg));
    emit(as, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    answer(as, SECCOMP_RET_ERRNO | EPERM);
    end_call(as, block);
}

/* What no limit of the sandbox counts: huge pages are the host's pool, a larger pipe counts for
 * whoever made it (the gateway), and a directory's watches tell of all who look into it. */
static void check_uncounted(struct assembler *as)
{
    refuse_bits(as, SYS_mmap, 3, MAP_HUGETLB);
    refuse_bits(as, SYS_memfd_create, 1, MFD_HUGETLB);
    refuse_bits(as, SYS_shmget, 2, SHM_HUGETLB);
    uint32_t block = begin_call(as, SYS_fcntl);
    load(as, ARG_LOW(1));
    refuse_if(as, F_SETPIPE_SZ, SECCOMP_RET_ERRNO | EPERM);
    refuse_if(as, F_NOTIFY, SECCOMP_RET_ERRNO | EPERM);
    end_call(as, block);
}

/*
 * Buffers of sockets keep their size: the sockets are the notify handler's making, so they count
 * nowhere. Many programs ask for larger ones and none depends on it, so the answer is yes.
 */
static void check_socket_options(struct assembler *as, int unnamed)
{
    uint32_t block = begin_call(as, SYS_setsockopt);
    load(as, ARG_LOW(2));
    if (unnamed) {
        refuse_if(as, SO_PASSCRED, SECCOMP_RET_ERRNO | EACCES);
        refuse_if(as, SO_PASSPIDFD, SECCOMP_RET_ERRNO | EACCES);
    }
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, SO_SNDBUF, 1, 0);
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, SO_RCVBUF, 0, 3);
    load(as, ARG_LOW(1));
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, SOL_SOCKET, 0, 1);
    answer(as, SECCOMP_RET_ERRNO | 0); /* success, and nothing done */
    end_call(as, block);
}

/* A core limit of 1 keeps the kernel from starting the host's core_pattern program; 0 would not. */
static void check_core_limit(struct assembler *as)
{
    uint32_t block = begin_call(as, SYS_setrlimit);
    load(as, ARG_LOW(0));
    refuse_if(as, RLIMIT_CORE, SECCOMP_RET_ERRNO | EPERM);
    end_call(as, block);
    block = begin_call(as, SYS_prlimit64);
    load(as, ARG_LOW(1));
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, RLIMIT_CORE, 0, 5);
    load(as, ARG_LOW(2)); /* a null pointer only asks */
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
    load(as, ARG_HIGH(2));
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    answer(as, SECCOMP_RET_ERRNO | EPERM);
    end_call(as, block);
}

static void check_personality(struct assembler *as)
{
    uint32_t block = begin_call(as, SYS_personality);
    load(as, ARG_LOW(0));
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 1, 0); /* asks only */
    answer(as, SECCOMP_RET_ERRNO | EPERM);                 /* executable data, no randomisation */
    end_call(as, block);
}

/*
 * The processor time of pid 1 can be read by anyone in its namespace, and a program can raise it
 * (each stop and continuation of a child wakes its parent): that would tell the next program. These
 * clocks are numbered ~1 << 3 and up.
 */
static void check_clocks(struct assembler *as)
{
    static const int calls[] = {SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep,
                                SYS_timer_create};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        uint32_t block = begin_call(as, calls[i]);
        load(as, ARG_LOW(0));
        emit(as, BPF_ALU | BPF_AND | BPF_K, ~7u, 0, 0);
        refuse_if(as, ~1u << 3, SECCOMP_RET_ERRNO | EINVAL);
        end_call(as, block);
    }
}

/* A descriptor of pid 1 names an inode that outlives the program: a lock on it would tell the next.
 */
static void check_first_process(struct assembler *as)
{
    uint32_t block = begin_call(as, SYS_pidfd_open);
    load(as, ARG_LOW(0));
    refuse_if(as, 1, SECCOMP_RET_ERRNO | EPERM);
    end_call(as, block);
}

/*
 * Without a network, socket pairs live in a network namespace that other sandboxes of the template
 * share: no name may be given to one, by bind (refused by the main filter), by the automatic name
 * of a socket that passes credentials, nor a message sent to one.
 */
static void check_unnamed_sockets(struct assembler *as)
{
    uint32_t block = begin_call(as, SYS_sendto);
    load(as, ARG_LOW(4));
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
    load(as, ARG_HIGH(4));
    emit(as, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    answer(as, SECCOMP_RET_ERRNO | EACCES);
    end_call(as, block);
}

uint32_t filter_closing(const struct jail_plan *plan, uint64_t key,
                        struct sock_filter out[CLOSING_LENGTH_MAX])
{
    struct assembler as = {.code = out};
    load(&as, offsetof(struct seccomp_data, nr));
    check_furnishing(&as, key);
    check_ioctl(&as);
    check_personality(&as);
    check_uncounted(&as);
    check_core_limit(&as);
    check_clocks(&as);
    check_first_process(&as);
    check_socket_options(&as, plan->net == FUNCTION_NET_NONE);
    if (plan->net == FUNCTION_NET_NONE)
        check_unnamed_sockets(&as);
    answer(&as, SECCOMP_RET_ALLOW);
    return as.length;
}
