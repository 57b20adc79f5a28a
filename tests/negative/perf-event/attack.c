/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: perf_event_open: counts and samples itself, a processor, the kernel.
 * Stopped by: the filter (perf_event_open is not on the list).
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/perf_event.h>

void attack(void)
{
    struct perf_event_attr event = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof(event), .config = PERF_COUNT_SW_CPU_CLOCK};
    attempt("itself", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
    attempt("a processor", syscall(SYS_perf_event_open, &event, -1, 0, -1, 0));
    event.exclude_kernel = 1;
    event.exclude_hv = 1;
    attempt("itself in user mode", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
    event.type = PERF_TYPE_HARDWARE;
    event.config = PERF_COUNT_HW_CPU_CYCLES;
    attempt("cycles", syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
    event.type = PERF_TYPE_BREAKPOINT;
    attempt_past("a breakpoint", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0), EINVAL);
}
