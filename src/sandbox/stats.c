/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms of the statistics page. One writer: an increment is a relaxed load and store, no
 * locked instruction; a reader in another process sees whole values, in any order.
 */
#include "sandbox/stats.h"

#define FIRST_BOUND_NS UINT64_C(8000)

uint64_t stats_bucket_bound_ns(unsigned int bucket)
{
    return bucket >= STATS_BUCKETS - 1 ? UINT64_MAX : FIRST_BOUND_NS << bucket;
}

void stats_add(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

void stats_observe(struct stats_histogram *histogram, uint64_t ns)
{
    unsigned int bucket = 0;
    while (ns > stats_bucket_bound_ns(bucket))
        bucket++;
    stats_add(&histogram->bucket[bucket], 1);
    stats_add(&histogram->sum_ns, ns);
    stats_add(&histogram->count, 1);
}

uint64_t stats_quantile_ns(const struct stats_histogram *histogram, double q)
{
    /* The counts are read once, and their own sum is the total: `count` may be a step ahead. */
    uint64_t counts[STATS_BUCKETS], total = 0;
    for (unsigned int i = 0; i < STATS_BUCKETS; i++) {
        counts[i] = atomic_load_explicit(&histogram->bucket[i], memory_order_relaxed);
        total += counts[i];
    }
    if (total == 0 || !(q > 0 && q < 1))
        return 0;
    double rank = q * (double)total;
    double below = 0;
    for (unsigned int i = 0; i < STATS_BUCKETS - 1; i++) {
        if (counts[i] > 0 && below + (double)counts[i] >= rank) {
            double low = i == 0 ? 0 : (double)stats_bucket_bound_ns(i - 1);
            double high = (double)stats_bucket_bound_ns(i);
            return (uint64_t)(low + (high - low) * (rank - below) / (double)counts[i]);
        }
        below += (double)counts[i];
    }
    return stats_bucket_bound_ns(STATS_BUCKETS - 2); /* beyond the last bound: at least this */
}

const char *stats_start_name(enum stats_start start)
{
    static const char *const names[STATS_STARTS] = {"cold", "pooled", "restored"};
    return (unsigned int)start < STATS_STARTS ? names[start] : "unknown";
}
