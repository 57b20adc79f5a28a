/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of sandboxes, for the pool's bound. What a function may take (its --mem) is mostly far
 * from what it needs, and counting that would leave the machine empty. So a sandbox counts for the
 * most that one of the function was seen to hold in its cgroup, the kernel's memory for it
 * included; before the first request a guess stands for that, or what a sandbox that goes on from a
 * snapshot holds already while it waits, if that is more. What grows is believed at once, what
 * shrinks slowly.
 *
 * The snapshots themselves count, and what is left of revisions that were replaced. When they hold
 * half of the bound, no function gets a snapshot any more: it would have its start-up for it, and
 * no place to run. One that is yet to be made counts there for what a sandbox is thought to need.
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "control/supervisor_core.h"
#include "control/tier.h"
#include "sandbox/stats.h"

#define SLOT_BYTES    (UINT64_C(256) << 10) /* of one that waits: docs/benchmarks.md, rounded up */
#define GUESS_PROGRAM (UINT64_C(16) << 20)
#define GUESS_MACHINE (UINT64_C(32) << 20) /* a guest's kernel and its memory besides */
#define FORGET        64                   /* a 64th of the difference a tick */

static uint64_t cost_of(uint64_t peak, const struct function_limits *limits)
{
    uint64_t most = limits->mem_bytes + SLOT_BYTES;
    uint64_t cost = peak + SLOT_BYTES / 4; /* what lies in no cgroup: mounts, namespaces, sockets */
    return cost < SLOT_BYTES ? SLOT_BYTES : cost < most ? cost : most;
}

uint64_t memory_guess(const struct function_spec *spec)
{
    const struct tier_ops *tier = tier_find(spec->tier);
    return cost_of(tier != NULL && tier->needs_disk ? GUESS_MACHINE : GUESS_PROGRAM, &spec->limits);
}

static void measure(struct supervisor *s, struct entry *entry)
{
    uint64_t peak = jail_template_peak(entry->live->template);
    if (peak == 0)
        return;
    uint64_t cost = cost_of(peak, &entry->limits);
    if (!entry->was_wanted && cost <= entry->cost)
        return; /* one that waits tells only what is needed at least */
    if (entry->measured && cost < entry->cost)
        cost = entry->cost - (entry->cost - cost) / FORGET;
    entry->cost = cost;
    entry->measured = true;
    pool_cost(&s->pool, entry->index, cost);
}

/* Of a life that may be none; one that is yet to be made counts for what a sandbox does. */
static uint64_t snapshot_bytes(const struct entry *entry, const struct life *life)
{
    if (life == NULL)
        return 0;
    return life->awaits_snapshot ? entry->cost : life->snapshot_bytes;
}

bool memory_has_room_for_snapshot(const struct supervisor *s, const struct entry *next)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < FUNCTIONS_MAX && s->config.pool_memory_bytes > 0; i++) {
        const struct entry *entry = s->entries[i];
        if (entry != NULL && entry != next) /* whose own will be replaced */
            bytes += snapshot_bytes(entry, entry->live) + snapshot_bytes(entry, entry->building);
    }
    return bytes <= s->config.pool_memory_bytes / 2;
}

void memory_besides(struct supervisor *s)
{
    static uint64_t of_tenant[FUNCTIONS_MAX];
    uint64_t snapshots = 0, replaced = 0;
    memset(of_tenant, 0, sizeof(of_tenant));
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        const struct entry *entry = s->entries[i];
        if (entry == NULL)
            continue;
        uint64_t saved = entry->live != NULL ? entry->live->snapshot_bytes : 0, old = 0;
        for (const struct life *life = entry->retired; life != NULL; life = life->next) {
            saved += life->snapshot_bytes;
            old += life->slots * entry->cost;
        }
        snapshots += saved;
        replaced += old;
        of_tenant[entry->tenant_id] += saved + old;
    }
    /* the rest is for sandboxes in any case: snapshots that turned out larger than was thought are
     * not taken back, and would leave a place for one */
    if (s->config.pool_memory_bytes > 0 && snapshots > s->config.pool_memory_bytes / 2)
        snapshots = s->config.pool_memory_bytes / 2;
    pool_other(&s->pool, snapshots + replaced, of_tenant);
}

void memory_tick(struct supervisor *s)
{
    memory_besides(s);
    for (uint32_t i = 0; i < s->pool.top; i++) {
        struct entry *entry = s->entries[i];
        if (entry == NULL || entry->live == NULL)
            continue;
        bool wanted = s->pool.members[i].want > 0;
        /* one that has just been asked for the first time may not have begun yet */
        bool waits_full = entry->live->snapshot == JAIL_SNAPSHOT_MADE;
        if (s->config.pool_memory_bytes > 0 && (entry->was_wanted || waits_full))
            measure(s, entry);
        entry->was_wanted = wanted;
    }
    const uint64_t figures[3] = {s->config.pool_memory_bytes,
                                 s->pool.used_bytes + s->pool.other_bytes, s->pool.used};
    static_assert(offsetof(struct stats_page, pool_sandboxes) -
                          offsetof(struct stats_page, pool_limit_bytes) ==
                      sizeof(figures) - sizeof(figures[0]),
                  "written as one");
    ssize_t ignored =
        pwrite(s->stats, figures, sizeof(figures), offsetof(struct stats_page, pool_limit_bytes));
    (void)ignored;
}
