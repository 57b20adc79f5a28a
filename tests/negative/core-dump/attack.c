/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: crashes so that the host writes a core dump: raises RLIMIT_CORE, and lowers it to
 *   0, with which a core_pattern that names a program on the host still starts it, as root,
 *   once a crash (only a limit of 1 byte prevents that).
 * Stopped by: RLIMIT_CORE is 1 byte, hard, and the filter refuses to change that limit; no
 *   file of the function is writable but /tmp.
 * Lives in: src/jail (sandbox start, filter.c).
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static void crash(void *arg)
{
    (void)arg;
    prctl(PR_SET_DUMPABLE, 1);
    if (chdir("/tmp") < 0)
        return;
    abort();
}

void attack(void)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit none = {0, 1};
    struct rlimit now = {0, 0};
    syscall(SYS_setrlimit, RLIMIT_CORE, &all);
    syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, NULL);
    getrlimit(RLIMIT_CORE, &now);
    if (now.rlim_cur != 1)
        got("a crash would start the core_pattern program: the limit is %lu",
            (unsigned long)now.rlim_cur);
    else
        blocked("the limit stays 1 byte");
    struct rlimit hard = {0, 0};
    if (syscall(SYS_prlimit64, 0, RLIMIT_CORE, &hard, NULL) == 0)
        got("the hard limit can be lowered to 0");
    in_child("a crash", crash, NULL);
    struct stat status;
    if (stat("/tmp/core", &status) == 0)
        got("a core file of %ld bytes", (long)status.st_size);
}
