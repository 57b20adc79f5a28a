/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: opens as many files as it can, of every kind that costs the kernel memory (pipes,
 *   epoll, eventfd, timerfd, signalfd, memfd, pidfd), in several processes.
 * Stopped by: RLIMIT_NOFILE for a process, pids.max for their number; the objects count in
 *   the cgroup.
 * Lives in: src/jail (slot.c, cgroup.c).
 *
 * Kind: flood
 * Control: user
 * Flags: --files 256 --pids 16 --timeout 20s
 * Expect: stopped
 * Answer: 500
 */
#include "../harness/attack.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static long open_all(long most)
{
    long count = 0;
    for (int kind = 0; count < most; kind++) {
        int fd = -1;
        int pipes[2];
        switch (kind % 6) {
        case 0:
            fd = epoll_create1(0);
            break;
        case 1:
            fd = eventfd(0, 0);
            break;
        case 2:
            fd = timerfd_create(CLOCK_MONOTONIC, 0);
            break;
        case 3:
            fd = memfd_create("flood", 0);
            break;
        case 4:
            fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
            break;
        default:
            if (pipe(pipes) == 0) {
                fd = pipes[0];
                count++;
            }
        }
        if (fd < 0)
            break;
        count++;
    }
    return count;
}

void attack(void)
{
    long files = bait_number("FILES", 256);
    long pids = bait_number("PIDS", 16);
    long *sum = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sum == MAP_FAILED)
        return;
    for (int i = 0; i < 2 * pids; i++) {
        pid_t child = fork();
        if (child < 0)
            break;
        if (child == 0) {
            __atomic_add_fetch(sum, open_all(2 * files), __ATOMIC_RELAXED);
            pause_ms(500);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    if (*sum > files * pids)
        got("%ld files, the limits are %ld a process and %ld processes", *sum, files, pids);
    else
        blocked("%ld files: %s", *sum, strerror(errno));
}
