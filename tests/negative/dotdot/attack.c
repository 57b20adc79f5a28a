/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: reads a file of the host by its path: absolute, by chains of "..", from directory
 *   descriptors, through symbolic links, and from a directory that was moved away under the
 *   walker.
 * Stopped by: the sandbox's root is a mount namespace whose root is the image; the host's
 *   tree was detached after pivot_root, so no ".." leads to it.
 * Lives in: src/jail (the zygote's pivot_root and umount2).
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <linux/openat2.h>

static void by_chain(int dirfd, const char *what)
{
    char path[4096] = "";
    for (int up = 0; up < 200; up++)
        strcat(path, "../");
    strcat(path, bait("FILE") + 1);
    if (!path_has_bait(dirfd, path, what))
        blocked("%s: %s", what, strerror(errno));
    struct open_how how = {.flags = O_RDONLY};
    long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
    if (fd >= 0 && fd_has_bait((int)fd))
        got("%s with openat2", what);
}

static void moved_directory(void)
{
    /* Standing in b while b moves up: a walk of ".." from there must still meet the root. */
    mkdir("/tmp/dotdot-a", 0700);
    mkdir("/tmp/dotdot-a/b", 0700);
    mkdir("/tmp/dotdot-a/b/c", 0700);
    int inner = open("/tmp/dotdot-a/b/c", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (inner < 0)
        return;
    rename("/tmp/dotdot-a/b/c", "/tmp/dotdot-c");
    rmdir("/tmp/dotdot-c");
    by_chain(inner, "from a removed directory");
    if (fchdir(inner) == 0)
        by_chain(AT_FDCWD, "standing in a removed directory");
    close(inner);
    rmdir("/tmp/dotdot-a/b");
    rmdir("/tmp/dotdot-a");
}

void attack(void)
{
    const char *file = bait("FILE");
    if (!path_has_bait(AT_FDCWD, file, "absolute path"))
        blocked("absolute path: %s", strerror(errno));
    by_chain(AT_FDCWD, "chain from the working directory");
    static const char *const bases[] = {"/", "/tmp", "/proc", "/proc/self", "/dev", "/usr", "."};
    for (size_t i = 0; i < COUNT(bases); i++) {
        int dirfd = open(bases[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dirfd < 0)
            continue;
        by_chain(dirfd, bases[i]);
        close(dirfd);
    }
    char target[4200];
    snprintf(target, sizeof(target), "/../../../../../..%s", file);
    if (symlink(target, "/tmp/dotdot-link") == 0) {
        path_has_bait(AT_FDCWD, "/tmp/dotdot-link", "symbolic link");
        unlink("/tmp/dotdot-link");
    }
    moved_directory();
}
