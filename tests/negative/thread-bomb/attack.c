/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: makes threads instead of processes, by pthread_create and by bare clone(), also
 *   such that share nothing they need not.
 * Stopped by: pids.max counts threads too (rootless: RLIMIT_NPROC).
 * Lives in: src/jail/cgroup.c, slot.c.
 *
 * Kind: flood
 * Control: user
 * Flags: --pids 16 --timeout 5s
 * Expect: stopped
 * Answer: 500
 */
#include "../harness/attack.h"

#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

static void *wait_forever(void *arg)
{
    (void)arg;
    pause_ms(60000);
    return NULL;
}

void attack(void)
{
    long most = bait_number("PIDS", 16);
    int threads = 0;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    pthread_t thread;
    while (threads < 2 * most && pthread_create(&thread, &small, wait_forever, NULL) == 0)
        threads++;
    /* Processes that share memory only, and are not even reported to their parent. */
    int bare = 0;
    pid_t self = getpid();
    while (bare < 2 * most) {
        long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* without a sandbox they end with us all the same */
            if (syscall(SYS_getppid) == self)
                pause_ms(60000);
            _exit(0);
        }
        if (pid <= 0)
            break;
        bare++;
    }
    if (threads + bare > most)
        got("%d threads and %d silent processes, the limit is %ld", threads, bare, most);
    else
        blocked("%d threads, %d silent processes: %s", threads, bare, strerror(errno));
}
