/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: raises its limits: each rlimit by setrlimit and prlimit, soft above hard and hard
 *   above itself, its own and pid 1's.
 * Stopped by: hard limits are set before exec; no CAP_SYS_RESOURCE.
 * Lives in: src/jail (sandbox start).
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/resource.h>

void attack(void)
{
    for (int resource = 0; resource < 16; resource++) {
        struct rlimit before;
        if (getrlimit((__rlimit_resource_t)resource, &before) < 0)
            continue;
        char what[64];
        struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
        if (before.rlim_max == RLIM_INFINITY) {
            /* Unlimited by choice: memory, time and processes are limited by the cgroup. */
            static const int must[] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE,
                                       RLIMIT_SIGPENDING};
            for (size_t i = 0; i < COUNT(must); i++)
                if (resource == must[i])
                    got("resource %d is not limited", resource);
            continue;
        }
        snprintf(what, sizeof(what), "setrlimit %d", resource);
        attempt(what, syscall(SYS_setrlimit, resource, &more));
        snprintf(what, sizeof(what), "prlimit %d", resource);
        attempt(what, syscall(SYS_prlimit64, 0, resource, &more, NULL));
        more = (struct rlimit){before.rlim_cur, before.rlim_max + 1};
        snprintf(what, sizeof(what), "prlimit %d by one", resource);
        attempt(what, syscall(SYS_prlimit64, getpid(), resource, &more, NULL));
    }
}
