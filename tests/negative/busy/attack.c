/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: takes the processors: as many busy processes as it gets, pinned to each processor,
 *   in sessions of their own, until its deadline.
 * Stopped by: cpu.max of the sandbox's cgroup; the deadline.
 * Lives in: src/jail/cgroup.c.
 *
 * Kind: flood
 * Control: none (a busy machine is no proof)
 * Flags: --cpus 0.5 --pids 16 --timeout 3s
 * Expect: timeout
 * Answer: 504
 */
#include "../harness/attack.h"

#include <sched.h>

void attack(void)
{
    for (int i = 0; i < 12; i++)
        if (fork() == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET((size_t)i % 2, &one);
            sched_setaffinity(0, sizeof(one), &one);
            setsid();
            for (volatile long spin = 0;; spin++)
                ;
        }
    for (volatile long spin = 0;; spin++)
        ;
}
