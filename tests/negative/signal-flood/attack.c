/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: queues signals to itself until the kernel refuses more. The limit is counted for
 *   the user and for the user who made the user namespace, so the order to kill this very
 *   sandbox, if it is a queued signal with a value, would arrive without the value or not at
 *   all; then it goes on past its deadline.
 * Stopped by: RLIMIT_SIGPENDING of the sandbox is far below that of its keepers; the kill is
 *   by pidfd and needs no queue.
 * Lives in: src/jail (slot.c, zygote.c).
 *
 * Kind: aftermath
 * Control: user
 * Flags: --timeout 1s
 * Expect: timeout
 */
#include "../harness/attack.h"

#include <sys/prctl.h>

void attack(void)
{
    prctl(PR_SET_NAME, bait("MARK"));
    prctl(PR_SET_PDEATHSIG, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    long queued = 0;
    union sigval value = {.sival_int = 1};
    while (queued < 4000000 && sigqueue(getpid(), SIGRTMIN, value) == 0)
        queued++;
    note("%ld signals wait", queued);
    for (;;) {
        /* What the kernel gave back meanwhile is taken again. */
        while (sigqueue(getpid(), SIGRTMIN + 1, value) == 0)
            ;
        pause_ms(1);
    }
}
