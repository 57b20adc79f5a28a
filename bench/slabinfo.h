/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's slab caches, by /proc/slabinfo (root only): which of them grew. */
#ifndef SKERRY_BENCH_SLABINFO_H
#define SKERRY_BENCH_SLABINFO_H

#include <stddef.h>
#include <stdint.h>

#define SLABS_MAX 512

struct slabs {
    size_t count;
    struct {
        char name[48];
        int64_t bytes; /* of objects in use */
    } cache[SLABS_MAX];
};

/* Leaves count 0 when it cannot be read. */
void slabs_read(struct slabs *out);

/* Writes "NAME KiB, NAME KiB, ..." of the caches that grew most, each divided by count. */
void slabs_growth(const struct slabs *before, const struct slabs *after, size_t count, char *out,
                  size_t room);

#endif
