/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: leaves a grandchild behind (double fork, own session, every signal ignored or
 *   blocked, the parent-death signal taken back) that holds standard output open, and ends at
 *   once. It wants to live on after the answer, and to hold the answer up.
 * Stopped by: the first process of the pid namespace ends when the program has, and with it the
 *   kernel kills all that is left. The answer does not wait for the pipe's end but for that.
 * Lives in: src/jail (CLONE_NEWPID a sandbox), src/gateway.
 *
 * Kind: aftermath
 * Control: user
 * Expect: exit 0
 */
#include "../harness/attack.h"

#include <sys/prctl.h>

void attack(void)
{
    prctl(PR_SET_NAME, bait("MARK"));
    for (int i = 0; i < 4; i++) {
        if (fork() != 0)
            continue;
        prctl(PR_SET_PDEATHSIG, 0);
        setsid();
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        for (int number = 1; number < 65; number++)
            signal(number, SIG_IGN);
        if (i % 2)
            prctl(PR_SET_DUMPABLE, 0);
        if (fork() == 0) {
            for (;;)
                pause();
        }
        /* Even ones keep the middle process as well, odd ones orphan the grandchild. */
        if (i % 2)
            _exit(0);
        for (;;)
            pause();
    }
    puts("done");
    fflush(stdout);
    _exit(0);
}
