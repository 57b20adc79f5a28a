/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: keeps data in the kernel: as many pipes as descriptors go, enlarged and filled.
 * Stopped by: pages of pipes count in the sandbox's cgroup.
 * Lives in: src/jail/cgroup.c.
 *
 * Kind: flood
 * Control: user
 * Flags: --mem 16M --timeout 20s
 * Expect: oom
 * Answer: 502
 * Runs: none own after uid0 daemon
 */
#include "../harness/attack.h"

void attack(void)
{
    size_t most = (size_t)bait_number("MEM", 16 << 20);
    static char block[65536];
    size_t kept = 0;
    int pipes[2];
    while (kept < 2 * most && pipe2(pipes, O_NONBLOCK | O_CLOEXEC) == 0) {
        fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
        ssize_t size;
        while (kept < 2 * most && (size = write(pipes[1], block, sizeof(block))) > 0)
            kept += (size_t)size;
    }
    if (kept >= 2 * most)
        got("%zu bytes lie in pipes, the limit is %zu", kept, most);
    else
        blocked("after %zu bytes: %s", kept, strerror(errno));
}
