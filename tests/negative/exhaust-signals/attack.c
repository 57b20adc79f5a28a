/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: takes every pending signal and POSIX timer that the user who made the user
 *   namespace (the host's root) may have; then timers and queued signals fail for the host
 *   and for all tenants.
 * Stopped by: RLIMIT_SIGPENDING of the sandbox is far below the host's.
 * Lives in: src/jail (slot.c).
 *
 * Kind: exhaust
 * Probe: timer
 * Control: user
 */
#include "../harness/attack.h"

#include <time.h>

static void fill(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    union sigval value = {.sival_int = 1};
    long queued = 0;
    while (sigqueue(getpid(), SIGRTMIN, value) == 0)
        queued++;
    timer_t timer;
    while (syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer) == 0)
        queued++;
    blocked("after %ld signals and timers: %s", queued, strerror(errno));
}

void attack(void)
{
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            fill();
            pause_ms(60000);
            _exit(0);
        }
    fill();
    pause_ms(500);
    puts("ready");
    fflush(stdout);
    pause_ms(60000);
}
