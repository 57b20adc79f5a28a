/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many sandboxes each function may have: pure arithmetic, no clock and no process of its own.
 *
 * A function in use gets twice what it recently needed at once and some in reserve, so that the
 * next request finds one that is furnished; one that nobody calls keeps a few. Together they stay
 * within a budget, of sandboxes and of memory: when it is used up, idle functions give theirs up,
 * the one that was idle for longest first (its last one only after some seconds, or to one that has
 * none); then what is in reserve; then a tenant that has more than the one in need gives up some,
 * until both have the same, and a function without any gets one from the function that has most.
 * What was taken back counts against the budget until its zygote says that it is gone (pool_live),
 * so the bound holds at every moment.
 *
 * Memory is what a sandbox of the function was seen to need (pool_cost), not what it may take.
 *
 * The supervisor calls it at each event and then applies what pool_next_change tells.
 */
#ifndef SKERRY_CONTROL_POOL_H
#define SKERRY_CONTROL_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/function.h"

struct pool_config {
    uint32_t warm; /* in reserve while a function is in use */
    uint32_t idle; /* kept when nobody called it for idle_after_ns */
    uint64_t idle_after_ns;
    uint32_t budget;       /* sandboxes of all functions together */
    uint64_t budget_bytes; /* memory of all of them; 0: no bound */
};

struct pool_member {
    uint32_t max;    /* the function's concurrency; 0: no member */
    uint32_t tenant; /* below FUNCTIONS_MAX */
    uint64_t cost;   /* bytes of memory of a sandbox, at least 1 */
    uint32_t want;   /* for what is in flight and queued now */
    uint32_t peak;   /* the largest want of this window and of the one before */
    uint32_t peak_before;
    uint64_t active_ns; /* when it was last wanted */
    uint32_t granted;
    uint32_t live;  /* as its zygote last said */
    bool is_short;  /* wants more than it could be given */
    bool is_change; /* stands in changes */
};

struct pool {
    struct pool_config config;
    uint32_t granted; /* sum of all */
    uint32_t used;    /* sum of max(granted, live): what counts against the budget */
    uint64_t granted_bytes, used_bytes;   /* the same, of memory */
    uint64_t other_bytes;                 /* of the budget, of no sandbox in it */
    uint64_t tenant_bytes[FUNCTIONS_MAX]; /* granted_bytes of each tenant */
    uint64_t tenant_other[FUNCTIONS_MAX]; /* what else each holds */
    uint32_t short_count;
    uint32_t top;       /* above the largest index that was ever added */
    uint64_t window_ns; /* when the current window began */
    uint32_t change_count;
    uint32_t changes[FUNCTIONS_MAX];
    struct pool_member members[FUNCTIONS_MAX];
};

void pool_init(struct pool *pool, const struct pool_config *config, uint64_t now_ns);

/* Function index appears (max at least 1) or changes its max; it counts as called now. */
void pool_add(struct pool *pool, uint32_t index, uint32_t max, uint32_t tenant, uint64_t cost,
              uint64_t now_ns);
void pool_remove(struct pool *pool, uint32_t index);

/* The gateway says how many sandboxes the function's requests need, those that wait included. */
void pool_want(struct pool *pool, uint32_t index, uint32_t want, uint64_t now_ns);

/* The zygote says how many sandboxes it has; 0 when it died. */
void pool_live(struct pool *pool, uint32_t index, uint32_t live);

/*
 * What a sandbox of the function needs by now, in bytes. If it is more than was thought and the
 * budget is exceeded by it, grants are taken back at once, the busiest's too.
 */
void pool_cost(struct pool *pool, uint32_t index, uint64_t cost);

/*
 * What else is held of the memory: snapshots, sandboxes of revisions that were replaced. If there
 * is too much of all now, grants are taken back. of_tenant: FUNCTIONS_MAX figures, which count as
 * each tenant's own where tenants are compared; bytes: what of them counts against the budget.
 */
void pool_other(struct pool *pool, uint64_t bytes, const uint64_t *of_tenant);

/* About once a second: lets go of what is not needed any more, gives what became free. */
void pool_tick(struct pool *pool, uint64_t now_ns);

/* What a function may have now. */
uint32_t pool_granted(const struct pool *pool, uint32_t index);

/* Takes the next function whose grant changed since it was last taken; false: none. */
bool pool_next_change(struct pool *pool, uint32_t *out_index, uint32_t *out_granted);

#endif
