/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: cannot be asked to end: blocks and ignores every signal, stops itself and its
 *   children, takes back the parent-death signal, and waits in many threads and processes for
 *   longer than its deadline.
 * Stopped by: at the deadline the whole pid namespace is killed with SIGKILL, not asked.
 * Lives in: src/cli (run), src/gateway (deadline), src/jail (kill request).
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
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    for (int i = 0; i < 6; i++) {
        if (fork() != 0)
            continue;
        setsid();
        if (i % 3 == 0)
            raise(SIGSTOP);
        if (i % 3 == 1 && vfork() == 0) /* the parent now waits uninterruptibly */
            for (;;)
                pause();
        for (;;)
            pause();
    }
    raise(SIGSTOP);
    raise(SIGTSTP);
    for (;;)
        pause();
}
