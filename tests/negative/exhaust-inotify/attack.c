/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: takes every inotify instance. They count for the user and, through each user
 *   namespace, for who made it: the host's root, who has 128; then no service of the host
 *   gets one.
 * Stopped by: the filter refuses inotify, or user.max_inotify_instances of the template is a
 *   few.
 * Lives in: src/jail/filter.c.
 *
 * Kind: exhaust
 * Probe: inotify
 * Control: user
 */
#include "../harness/attack.h"

#include <sys/inotify.h>

void attack(void)
{
    int taken = 0;
    for (int i = 0; i < 16; i++) {
        if (fork() != 0)
            continue;
        while (syscall(SYS_inotify_init1, IN_CLOEXEC) >= 0)
            ;
        pause_ms(60000);
        _exit(0);
    }
    while (syscall(SYS_inotify_init1, IN_CLOEXEC) >= 0)
        taken++;
    blocked("after %d instances: %s", taken, strerror(errno));
    pause_ms(300);
    puts("ready");
    fflush(stdout);
    pause_ms(60000);
}
