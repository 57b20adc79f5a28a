/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: standard input is a file of the host, opened for reading: changes its mode, owner,
 *   times and attributes through the descriptor, for which the way it was opened does not matter.
 * Stopped by: the file belongs to a uid that is not mapped. A rootless sandbox has the caller's
 *   own uid: there it works, as docs/threat-model.md says.
 * Lives in: src/jail (uid ranges).
 *
 * Control: user
 * Needs: stdin-file
 * Runs: none own after uid0 rootless
 * Residual: rootless
 */
#include "../harness/attack.h"

#include <sys/stat.h>

void attack(void)
{
    attempt("mode", syscall(SYS_fchmod, 0, 0666));
    attempt("owner", syscall(SYS_fchown, 0, geteuid(), getegid()));
    attempt("times", syscall(SYS_utimensat, 0, NULL, NULL, 0));
    attempt("an attribute", syscall(SYS_fsetxattr, 0, "user.skerry", "x", 1, 0));
    attempt("mode by the magic link", syscall(SYS_chmod, "/proc/self/fd/0", 0666));
}
