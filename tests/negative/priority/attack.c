/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: takes precedence: nice below zero, real-time and deadline scheduling, real-time
 *   I/O, memory of others reclaimed first (oom_score_adj), timer slack and affinity of
 *   others, for itself, its group and its user.
 * Stopped by: RLIMIT_NICE and RLIMIT_RTPRIO of 0, no CAP_SYS_NICE, no CAP_SYS_RESOURCE.
 * Lives in: src/jail (sandbox start, no capabilities).
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sched.h>
#include <sys/resource.h>

struct attr { /* struct sched_attr, whose header clashes with sched.h in some releases */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

void attack(void)
{
    struct sched_param one = {1};
    attempt("SCHED_FIFO", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &one));
    attempt("SCHED_RR", syscall(SYS_sched_setscheduler, 0, SCHED_RR, &one));
    struct attr deadline = {sizeof(deadline), 6, 0, 0, 0, 1000000, 10000000, 10000000};
    attempt("SCHED_DEADLINE", syscall(SYS_sched_setattr, 0, &deadline, 0));
    struct attr nice_attr = {sizeof(nice_attr), 0, 0, -20, 0, 0, 0, 0};
    attempt("sched_setattr nice -20", syscall(SYS_sched_setattr, 0, &nice_attr, 0));
    attempt("nice -1", syscall(SYS_setpriority, PRIO_PROCESS, 0, -1));
    if (!is_control()) {
        attempt("nice of the group", syscall(SYS_setpriority, PRIO_PGRP, 0, -20));
        attempt("nice of the user", syscall(SYS_setpriority, PRIO_USER, 0, -20));
    }
    attempt("real-time I/O", syscall(SYS_ioprio_set, 1, 0, (1 << 13) | 0));
    char text[32] = "";
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (size > 0) {
        char lower[16];
        int now = atoi(text);
        snprintf(lower, sizeof(lower), "%d", now > -999 ? now - 1 : now);
        attempt("a lower oom_score_adj", pwrite(fd, lower, strlen(lower), 0));
        attempt("oom_score_adj of -1000", pwrite(fd, "-1000", 5, 0));
    }
    fd = open("/proc/self/oom_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        attempt("oom_adj of -17", write(fd, "-17", 3));
    fd = open("/proc/1/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        attempt("autogroup nice", write(fd, "-20", 3));
}
