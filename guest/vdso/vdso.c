/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared object that the kernel gives every program (AT_SYSINFO_EHDR), under the names and the
 * version of Linux's, vdso(7): reading a clock is then no call into the kernel at all. What is not
 * decided here is a system call.
 */
#include <asm/unistd.h>
#include <stdint.h>

#include "page.h"

#define NS_PER_S UINT64_C(1000000000)

/* Of include/uapi/linux/time.h; its structures are laid out as two longs each. */
#define CLOCK_REALTIME         0
#define CLOCK_MONOTONIC        1
#define CLOCK_MONOTONIC_RAW    4
#define CLOCK_REALTIME_COARSE  5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME         7
#define CLOCK_TAI              11

struct pair {
    int64_t seconds, rest;
};

extern const volatile struct vdso_page vdso_page __attribute__((visibility("hidden")));

int __vdso_clock_gettime(int clock, struct pair *out);
int __vdso_clock_getres(int clock, struct pair *out);
int __vdso_gettimeofday(struct pair *out, int *zone);
int64_t __vdso_time(int64_t *out);
int __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused);

static long call(long number, long a, void *b)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
    return result;
}

static uint64_t mono_ns(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    uint64_t ticks = ((uint64_t)high << 32 | low) - vdso_page.tsc;
    return vdso_page.mono_ns + (uint64_t)(((unsigned __int128)ticks * vdso_page.ns_per_tick) >> 32);
}

int __vdso_clock_gettime(int clock, struct pair *out)
{
    uint64_t ns;
    switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        ns = mono_ns();
        break;
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        ns = mono_ns() + vdso_page.real_offset;
        break;
    default:
        return (int)call(__NR_clock_gettime, clock, out);
    }
    *out = (struct pair){(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S)};
    return 0;
}

int __vdso_clock_getres(int clock, struct pair *out)
{
    return (int)call(__NR_clock_getres, clock, out);
}

int __vdso_gettimeofday(struct pair *out, int *zone)
{
    uint64_t ns = mono_ns() + vdso_page.real_offset;
    if (out)
        *out = (struct pair){(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S / 1000)};
    if (zone)
        zone[0] = zone[1] = 0;
    return 0;
}

int64_t __vdso_time(int64_t *out)
{
    int64_t now = (int64_t)((mono_ns() + vdso_page.real_offset) / NS_PER_S);
    if (out)
        *out = now;
    return now;
}

int __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused)
{
    (void)unused;
    if (cpu)
        *cpu = 0;
    if (node)
        *node = 0;
    return 0;
}
