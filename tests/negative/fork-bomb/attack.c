/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: makes processes that make processes, as many as it gets, each of them busy; goes on
 *   until it is stopped.
 * Stopped by: pids.max of the sandbox's cgroup (rootless: RLIMIT_NPROC); cpu.max; the
 *   deadline.
 * Lives in: src/jail/cgroup.c, slot.c.
 *
 * Kind: flood
 * Control: user
 * Flags: --pids 16 --timeout 60s
 * Expect: stopped
 * Answer: 500
 */
#include "../harness/attack.h"

void attack(void)
{
    int *alive = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long most = bait_number("PIDS", 16);
    if (alive == MAP_FAILED)
        return;
    __atomic_add_fetch(alive, 1, __ATOMIC_RELAXED);
    pid_t first = getpid();
    /* Nobody ends, so what was counted is alive. Twice the limit is proof enough for a control run.
     */
    for (int round = 0; round < 300 && *alive < 2 * most; round++)
        if (fork() == 0)
            __atomic_add_fetch(alive, 1, __ATOMIC_RELAXED);
    if (getpid() != first)
        for (volatile long spin = 0;; spin++)
            ;
    pause_ms(300);
    if (*alive > most)
        got("%d processes at once, the limit is %ld", *alive, most);
    else
        blocked("%d processes at once: %s", *alive, strerror(errno));
    if (is_control())
        kill(0, SIGKILL);
}
