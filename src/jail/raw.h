/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without libc: they return -errno and touch no thread-local storage. The zygote, its
 * spawners and the sandboxes that wait share one address space and one TLS block, so errno is not
 * theirs to use.
 */
#ifndef SKERRY_JAIL_RAW_H
#define SKERRY_JAIL_RAW_H

#include <stdint.h>
#include <sys/syscall.h>

static inline long raw6(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* Arguments are integers or pointers; each is widened to a register. */
#define RAW_ARG(x)          ((long)(intptr_t)(x))
#define raw0(n)             raw6(n, 0, 0, 0, 0, 0, 0)
#define raw1(n, a)          raw6(n, RAW_ARG(a), 0, 0, 0, 0, 0)
#define raw2(n, a, b)       raw6(n, RAW_ARG(a), RAW_ARG(b), 0, 0, 0, 0)
#define raw3(n, a, b, c)    raw6(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), 0, 0, 0)
#define raw4(n, a, b, c, d) raw6(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), 0, 0)
#define raw5(n, a, b, c, d, e)                                                                     \
    raw6(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), RAW_ARG(e), 0)

#endif
