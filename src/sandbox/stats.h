/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of each function in shared memory: written by the gateway (the pool's by the supervisor),
 * read by the API process (describe, list, metrics). The memory is a memfd that the supervisor
 * makes; readers map it read-only.
 *
 * Every field is a 64-bit relaxed atomic with one writer. A reader may see a start's figures half
 * updated; each single value is whole. Slot i belongs to the function with index i; `generation`
 * changes when the slot is given to another function.
 */
#ifndef SKERRY_SANDBOX_STATS_H
#define SKERRY_SANDBOX_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "sandbox/function.h"
#include "sandbox/stage.h"

#define STATS_BUCKETS 20 /* upper bounds: 8 us << i; the last one is +Inf */

struct stats_histogram {
    _Atomic uint64_t bucket[STATS_BUCKETS];
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t count;
};

enum stats_result {                  /* how a request ended */
                    STATS_OK = 0,    /* 2xx-4xx of the program */
                    STATS_FAILED,    /* 500: exit status */
                    STATS_SIGNALLED, /* 502: signal */
                    STATS_OOM,       /* 502: memory limit */
                    STATS_TIMEOUT,   /* 504 */
                    STATS_REFUSED,   /* 429, 503, 413 */
                    STATS_ABORTED,   /* the client went away */
                    STATS_RESULTS
};

enum stats_start {                 /* what a request found */
                   STATS_COLD = 0, /* a sandbox was made while it waited */
                   STATS_POOLED,   /* a furnished sandbox, or a machine, waited for it */
                   STATS_RESTORED, /* the program went on from the function's snapshot */
                   STATS_STARTS
};

struct function_stats {
    _Atomic uint64_t generation;
    _Atomic uint64_t invocations;
    _Atomic uint64_t result[STATS_RESULTS];
    _Atomic uint64_t in_flight;
    _Atomic uint64_t queued;
    _Atomic uint64_t slots; /* sandboxes that may run at once now */
    _Atomic uint64_t starts[STATS_STARTS];
    _Atomic uint64_t last_start; /* enum stats_start of the last finished start */
    _Atomic uint64_t cpu_us;
    _Atomic uint64_t maxrss_kib;              /* the largest seen */
    _Atomic uint64_t last_stage[STAGE_COUNT]; /* the last finished start's clock */
    _Atomic uint64_t last_clone;              /* its clone_ns */
    struct stats_histogram stage[STAGE_COUNT];
    struct stats_histogram total; /* accepted to the last byte of the response */
};

struct stats_page {
    _Atomic uint64_t started_unix_s;
    _Atomic uint64_t connections;
    _Atomic uint64_t requests;
    _Atomic uint64_t bad_requests; /* answered 400, 408, 431, 501, 505 by the edge */
    /* of the supervisor: memory of sandboxes, which wait or run, and how many there are */
    _Atomic uint64_t pool_limit_bytes; /* 0: none */
    _Atomic uint64_t pool_bytes;
    _Atomic uint64_t pool_sandboxes;
    struct function_stats function[FUNCTIONS_MAX];
};

/* "cold", "pooled", "restored"; "unknown" beyond. */
const char *stats_start_name(enum stats_start start);

/* counter += n by its one writer. */
void stats_add(_Atomic uint64_t *counter, uint64_t n);
/* Counts one value. */
void stats_observe(struct stats_histogram *histogram, uint64_t ns);
/* Upper bound of a bucket in ns; UINT64_MAX for the last. */
uint64_t stats_bucket_bound_ns(unsigned int bucket);
/* The q-quantile (0 < q < 1) in ns by linear interpolation within a bucket; 0 when empty. */
uint64_t stats_quantile_ns(const struct stats_histogram *histogram, double q);

#endif
