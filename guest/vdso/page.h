/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tells the vDSO: how the time stamp counter becomes the clocks. The page lies
 * right below the vDSO's first byte and is read-only to the program's accesses by its mapping. One
 * CPU, and the kernel writes it before the program runs or goes on, so that a reader never sees
 * half of it.
 */
#ifndef GUEST_VDSO_PAGE_H
#define GUEST_VDSO_PAGE_H

#include <stdint.h>

struct vdso_page {
    uint64_t tsc;         /* at this value of the counter ... */
    uint64_t mono_ns;     /* ... CLOCK_MONOTONIC was this */
    uint64_t real_offset; /* CLOCK_REALTIME less CLOCK_MONOTONIC, modulo 2^64 */
    uint64_t ns_per_tick; /* 2^-32 ns */
};

#endif
