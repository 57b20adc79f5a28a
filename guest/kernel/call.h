/* SPDX-License-Identifier: Apache-2.0 */
/* System calls: each takes its six arguments as they came and returns a result or -errno. */
#ifndef SKERRY_GUEST_CALL_H
#define SKERRY_GUEST_CALL_H

#include "base.h"

#define CALL(number, name) long sys_##name(const uint64_t a[6]);
#include "calls.inc"
#undef CALL

/** call_do(): runs system call number; -ENOSYS, counted, when we have none such. */
long call_do(uint64_t number, const uint64_t a[6]);

/** call_name(): its name as strace prints it; NULL when we have none such. */
const char *call_name(uint64_t number);

/** call_ns(): a timespec's nanoseconds; what is too far is NEVER - 1. */
static inline uint64_t call_ns(int64_t s, int64_t ns)
{
    if ((uint64_t)s >= NEVER / NS_PER_S / 2)
        return NEVER / 2;
    return (uint64_t)s * NS_PER_S + (uint64_t)ns;
}

/** call_deadline(): a relative time from now. */
uint64_t call_deadline(uint64_t relative_ns);

#endif
