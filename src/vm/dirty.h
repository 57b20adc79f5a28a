/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pages of a private mapping are this process's own: written since they were mapped, by
 * whomever. The host's page tables say it; nothing that a guest could say is asked.
 */
#ifndef SKERRY_VM_DIRTY_H
#define SKERRY_VM_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct dirty {
    int pagemap; /* /proc/self/pagemap; -1: it cannot be had here */
    bool scans;  /* the kernel has PAGEMAP_SCAN (6.7); else the file is read */
};

/* Pages [page, page + count) of the mapping. */
struct page_run {
    uint64_t page, count;
};

typedef int (*page_run_fn)(void *context, struct page_run run);

/* Opens what is needed, before the filter. 0, or -errno: then dirty->pagemap is -1. */
int dirty_open(struct dirty *dirty, struct err *err);

/*
 * Calls fn for each run of own pages in [base, base + bytes), in order of address. Runs may touch;
 * a page that is mapped to the kernel's zeroes may be among them. Stops and returns what fn
 * returned when that is not 0; -errno when the kernel does not answer.
 */
int dirty_each(const struct dirty *dirty, const uint8_t *base, uint64_t bytes, page_run_fn fn,
               void *context);

void dirty_close(struct dirty *dirty);

#endif
