/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the caller's standard input happens to be the host's root directory; walks from it.
 * Stopped by: `run` refuses a directory as a standard descriptor (it would be a way around
 *   the root).
 * Lives in: src/cli (run).
 *
 * Control: user
 * Needs: stdin-directory
 * Runs: none own rootless
 * Expect: refused
 */
#include "../harness/attack.h"

void attack(void)
{
    char path[4200];
    snprintf(path, sizeof(path), ".%s", bait("FILE"));
    if (!path_has_bait(0, path, "below standard input"))
        blocked("below standard input: %s", strerror(errno));
    attempt("fchdir to standard input", syscall(SYS_fchdir, 0));
}
