/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage clock: when each step of a start was reached. All times are CLOCK_MONOTONIC nanoseconds
 * taken on this machine, so stamps of different processes compare. A sandbox from the pool was
 * cloned and furnished before its request was accepted: its stamps for these are earlier.
 */
#ifndef SKERRY_SANDBOX_STAGE_H
#define SKERRY_SANDBOX_STAGE_H

#include <stdint.h>

enum stage {
    STAGE_ACCEPTED = 0, /* the request's head is parsed */
    STAGE_QUEUED,       /* put into the function's queue (or found a sandbox at once) */
    STAGE_SENT,         /* start message handed to the zygote's socket */
    STAGE_CLONED,       /* the sandbox's first process exists */
    STAGE_FURNISHED,    /* namespaces, mounts, uid and filter are in place; waiting for a request */
    STAGE_TAKEN,        /* the sandbox has received the start message */
    STAGE_EXEC,         /* the last instant before execve, or a warm program has its request */
    STAGE_MAPPED,       /* vm tier: memory and image of the machine are in place */
    STAGE_KERNEL,       /* vm tier: the guest kernel runs */
    STAGE_PROGRAM,      /* vm tier: the program runs in it */
    STAGE_FIRST_BYTE,   /* the first byte of output reached the gateway */
    STAGE_EXIT,         /* the exit was collected, everything in the sandbox is dead */
    STAGE_CLEANED,      /* mounts and namespaces are dropped, or a machine is reset */
    STAGE_COUNT
};

struct stage_clock {
    uint64_t at_ns[STAGE_COUNT]; /* 0: not reached */
    uint64_t clone_ns;           /* when the cloning that ended with STAGE_CLONED began */
};

/* "accepted", "queued", ...; stable names for metrics, logs and JSON. */
const char *stage_name(enum stage stage);

/*
 * The time spent to reach a stage from the one before it that the clock holds, in ns; 0 when either
 * is missing. CLONED and FURNISHED give how long cloning and furnishing took, whenever that was;
 * TAKEN is counted from SENT, EXEC from TAKEN, EXIT from EXEC (the first byte is stamped by the
 * gateway and may be read after the exit).
 */
uint64_t stage_span_ns(const struct stage_clock *clock, enum stage stage);

#endif
