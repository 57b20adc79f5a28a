/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A warm program is started before its request, and what a sandbox's first process (pid 1, ours)
 * and such a program say to each other. Two programs of ours speak it: skerry-vmm (a virtual
 * machine that waits) and skerry-warm (an ordinary program that waits at its first read).
 *
 * Pid 1 alone takes requests from the function's start socket: a program that could would see the
 * requests of others. The program finds
 *   WARM_FD           SOCK_SEQPACKET to pid 1; each message is one of the structs below
 *   WARM_SNAPSHOT_FD  the template's snapshot, a memfd (only when it makes or restores one)
 *   SKERRY_WARM=...   in its environment: its role, one of the three below
 * and /dev/null as 0, 1 and 2. The role's variable is not for the program that is run in the end.
 *
 - "pool": get ready, READY, take one REQUEST, run it, end as it ends (a monitor: DONE first);
 * - "make": run up to the first read of stdin, write the snapshot, seal it (WARM_SEALS), MADE, end;
 *   or REFUSED with the reason, end. No request has come near this process;
 * - "restore": the snapshot must be sealed; bring its state back, READY, take one REQUEST, run it.
 A
 *   program then ends as it ends. A monitor says DONE, returns to the snapshot, says READY and
 *   takes the next.
 *
 * Pid 1 trusts nothing of what it is told: a message out of turn ends the sandbox. The snapshot is
 * made of what a function's own program wrote before any request, and is read-only once it counts;
 * whoever restores one checks each number in it.
 */
#ifndef SKERRY_ABI_WARM_H
#define SKERRY_ABI_WARM_H

#include <stdint.h>

#define WARM_FD          3
#define WARM_SNAPSHOT_FD 4
#define WARM_MAGIC       UINT32_C(0x6d726177) /* "warm" */
#define WARM_VARIABLE    "SKERRY_WARM"
#define WARM_SEALS       0xfu /* F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE */
#define WARM_REASON_MAX  160u
#define WARM_ENV_MAX     0x18000u /* bytes of a request's environment */

enum warm_kind {
    WARM_READY = 1, /* program to pid 1: struct warm_head; waits for a request */
    WARM_MADE,      /* program to pid 1: struct warm_head; the snapshot is sealed */
    WARM_REFUSED,   /* program to pid 1: struct warm_refusal; no snapshot can be made */
    WARM_REQUEST,   /* pid 1 to program: struct warm_request, the environment, descriptors */
    WARM_DONE,      /* program to pid 1: struct warm_done; the request's program ended */
};

struct warm_head {
    uint32_t magic;
    uint32_t kind; /* enum warm_kind */
};

struct warm_refusal {
    struct warm_head head;
    char reason[WARM_REASON_MAX]; /* a sentence without its end, with its NUL: "it has 3 threads" */
};

/* env_bytes of "K=V\0" follow in the same message, env_count of them. With it come descriptors by
 * SCM_RIGHTS: those for stdin, stdout, stderr, in this order; none may be missing. */
struct warm_request {
    struct warm_head head;
    uint32_t env_count;
    uint32_t env_bytes;
};

/* When, by CLOCK_MONOTONIC in ns, 0: not known. */
enum warm_stage {
    WARM_STAGE_MAPPED,     /* memory and image are in place (if pooled: before the request) */
    WARM_STAGE_ENTERED,    /* the guest kernel runs: its first instruction, or where it goes on */
    WARM_STAGE_PROGRAM,    /* the program runs: its first instruction, or its read goes on */
    WARM_STAGE_FIRST_BYTE, /* it wrote its first byte of output */
    WARM_STAGE_END,        /* it ended */
    WARM_STAGE_COUNT
};

struct warm_done {
    struct warm_head head;
    int32_t wait_status; /* of the request's program, as wait4 gives it */
    uint32_t oom;        /* 1: its memory was used up */
    uint64_t stages_ns[WARM_STAGE_COUNT];
    uint64_t reset_ns; /* how long the reset before this request took; 0: there was none */
    uint64_t user_us;  /* processor time of this request, including the reset before it */
    uint64_t system_us;
};

#ifndef __cplusplus
_Static_assert(sizeof(struct warm_head) == 8, "layout");
_Static_assert(sizeof(struct warm_request) == 16, "layout");
_Static_assert(sizeof(struct warm_done) == 80, "layout");
#endif

#endif
