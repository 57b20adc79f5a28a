/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: standard input is a file of the host, opened for reading, and standard output one
 *   opened for appending; reopens them by /proc/self/fd and its other names with other rights:
 *   writes to the one, reads and empties the other.
 * Stopped by: the files belong to a uid that is not mapped, and are not everybody's; where that
 *   is not enough, Landlock, which knows no right outside the sandbox's own tree.
 * Lives in: src/jail (zygote.c, Landlock rules), src/cli/run.c.
 *
 * Control: user
 * Needs: stdin-file stdout-file
 * Runs: none own after uid0 rootless
 * Residual: none own after uid0 rootless
 */
#include "../harness/attack.h"

static void write_to(const char *path)
{
    static const int flags[] = {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_WRONLY | O_TRUNC};
    for (size_t i = 0; i < COUNT(flags); i++) {
        long fd = syscall(SYS_openat, AT_FDCWD, path, flags[i] | O_CLOEXEC, 0);
        if (fd >= 0) {
            got("%s opened with flags 0%o", path, (unsigned int)flags[i]);
            close((int)fd);
        } else {
            blocked("%s with flags 0%o: %s", path, (unsigned int)flags[i], strerror(errno));
        }
    }
    attempt("truncate by the magic link", syscall(SYS_truncate, path, 0));
}

void attack(void)
{
    static const char *const outputs[] = {"/proc/self/fd/1", "/dev/stdout", "/dev/fd/1",
                                          "/proc/thread-self/fd/1", "/proc/self/task/../fd/1"};
    for (size_t i = 0; i < COUNT(outputs); i++)
        if (!path_has_bait(AT_FDCWD, outputs[i], "standard output"))
            blocked("%s for reading: %s", outputs[i], strerror(errno));
    write_to("/proc/self/fd/0");
    write_to("/proc/thread-self/fd/0");
    write_to("/dev/fd/0");
    write_to("/dev/stdin");
    attempt("link of standard input into /tmp",
            syscall(SYS_linkat, 0, "", AT_FDCWD, "/tmp/stdin", AT_EMPTY_PATH));
    attempt("link by the magic link", syscall(SYS_linkat, AT_FDCWD, "/proc/self/fd/0", AT_FDCWD,
                                              "/tmp/stdin2", AT_SYMLINK_FOLLOW));
}
