/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: touches twice the memory it may have, in one process, anonymous and shared.
 * Stopped by: memory.max of the sandbox's cgroup; its first process is what the kernel kills.
 *   (Rootless: RLIMIT_DATA.)
 * Lives in: src/jail/cgroup.c, sandbox.c.
 *
 * Kind: flood
 * Control: user
 * Flags: --mem 32M --timeout 20s
 * Expect: oom
 * Answer: 502
 * Runs: none own after uid0 daemon
 */
#include "../harness/attack.h"

void attack(void)
{
    size_t most = (size_t)bait_number("MEM", 32 << 20);
    size_t touched = 0;
    for (int shared = 0; touched < 2 * most; shared = !shared) {
        size_t step = 1 << 20;
        char *memory = mmap(NULL, step, PROT_READ | PROT_WRITE,
                            MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
        if (memory == MAP_FAILED) {
            blocked("mmap after %zu bytes: %s", touched, strerror(errno));
            return;
        }
        memset(memory, 0x5a, step);
        touched += step;
    }
    got("%zu bytes touched, the limit is %zu", touched, most);
}
