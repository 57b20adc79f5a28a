/* SPDX-License-Identifier: Apache-2.0 */
/* Time: CLOCK_MONOTONIC in nanoseconds, the only clock of stages and deadlines. */
#ifndef SKERRY_BASE_CLOCK_H
#define SKERRY_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US  UINT64_C(1000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)

/* Nanoseconds of CLOCK_MONOTONIC; served by the vDSO, no system call. */
static inline uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

#endif
