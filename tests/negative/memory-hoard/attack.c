/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: keeps its memory where a killer of processes does not see it: in files of /tmp, in
 *   memfds and in deleted files, with children that are small each, so that the kernel might
 *   kill the sandbox's keepers instead; leaves it full for the next request.
 * Stopped by: pages of tmpfs and memfd count in the sandbox's cgroup; its processes are
 *   preferred by the killer (oom_score_adj), and with them goes the mount namespace.
 * Lives in: src/jail/cgroup.c, sandbox.c.
 *
 * Kind: flood
 * Control: user
 * Flags: --mem 32M --tmp 256M --timeout 20s
 * Expect: oom
 * Answer: 502
 * Runs: none own after uid0 daemon
 */
#include "../harness/attack.h"

void attack(void)
{
    size_t most = (size_t)bait_number("MEM", 32 << 20);
    static char block[65536];
    memset(block, 0x5a, sizeof(block));
    size_t kept = 0;
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            pause_ms(30000);
            _exit(0);
        }
    int files[3] = {open("/tmp/hoard", O_RDWR | O_CREAT | O_CLOEXEC, 0600),
                    memfd_create("hoard", MFD_CLOEXEC),
                    open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    while (kept < 2 * most) {
        size_t before = kept;
        for (int i = 0; i < 3; i++)
            if (files[i] >= 0 && write(files[i], block, sizeof(block)) == (ssize_t)sizeof(block))
                kept += sizeof(block);
        if (kept == before) {
            blocked("after %zu bytes: %s", kept, strerror(errno));
            return;
        }
    }
    got("%zu bytes kept, the limit is %zu", kept, most);
    unlink("/tmp/hoard");
}
