/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: fills /tmp with empty files, links and directories, and nests directories as deep
 *   as it can: inodes and names are kernel memory, and the sandbox has to be taken down
 *   again.
 * Stopped by: nr_inodes of the sandbox's tmpfs; its inodes count in the cgroup.
 * Lives in: src/jail (slot.c mounts it).
 *
 * Kind: flood
 * Control: user
 * Flags: --mem 64M --tmp 4M --timeout 20s
 * Expect: stopped
 * Answer: 500
 */
#include "../harness/attack.h"

void attack(void)
{
    long most = 2 * (bait_number("TMP", 4 << 20) / 4096 + 1024);
    long made = 0;
    mkdir("/tmp/inodes", 0700);
    if (chdir("/tmp/inodes") < 0)
        return;
    for (; made < most; made++) {
        char name[32];
        snprintf(name, sizeof(name), "%ld", made);
        long result = made % 3 == 0   ? syscall(SYS_mknodat, AT_FDCWD, name, S_IFREG | 0600, 0)
                      : made % 3 == 1 ? syscall(SYS_symlinkat, "x", AT_FDCWD, name)
                                      : syscall(SYS_mkdirat, AT_FDCWD, name, 0700);
        if (result < 0)
            break;
    }
    if (made >= most)
        got("%ld files of every kind", made);
    else
        blocked("after %ld files: %s", made, strerror(errno));
    for (long i = 0; i < made; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%ld", i);
        if (unlink(name) < 0)
            rmdir(name);
    }
    long depth = 0;
    while (depth < most && mkdir("d", 0700) == 0 && chdir("d") == 0)
        depth++;
    if (depth >= most)
        got("%ld directories deep", depth);
    else
        blocked("after %ld directories: %s", depth, strerror(errno));
    /* Links to one inode need none of their own, but kernel memory for each name. */
    int fd = open("/tmp/one", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    long links = 0;
    for (; links < 4 * most; links++) {
        char name[32];
        snprintf(name, sizeof(name), "/tmp/l%ld", links);
        if (link("/tmp/one", name) < 0)
            break;
    }
    if (links >= 4 * most)
        got("%ld links", links);
    else
        blocked("after %ld links: %s", links, strerror(errno));
    close(fd);
}
