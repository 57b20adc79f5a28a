/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: learns who it runs for: the host's name, machine id, users, the daemon's
 *   environment (which the runner sets a secret in), the pids and uids of its keepers.
 * Stopped by: UTS namespace; an environment made from the function's own and nothing else;
 *   pid and user namespaces.
 * Lives in: src/jail (zygote, start message), src/cli (run).
 *
 * Control: user
 * Needs: secret-environment
 */
#include "../harness/attack.h"

#include <sys/utsname.h>

static void environment(void)
{
    /* Not only environ: the whole stack above it, and what any process shows. */
    for (char **entry = environ; *entry; entry++)
        if (strncmp(*entry, "SKERRY_SECRET=", 14) == 0)
            got("the environment of who started us: %s", *entry);
    for (int pid = 1; pid < 64; pid++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        if (file_contains(AT_FDCWD, path, "SKERRY_SECRET="))
            got("%s holds the secret", path);
    }
    const char *top = environ[0];
    for (char **entry = environ; *entry; entry++)
        top = *entry;
    if (top) {
        top += strlen(top);
        size_t left = 4096 - ((uintptr_t)top & 4095);
        if (memmem(top, left, "SKERRY_SECRET", 13))
            got("the end of the stack holds the secret");
    }
}

void attack(void)
{
    struct utsname name;
    if (uname(&name) == 0 && strcmp(name.nodename, bait("HOSTNAME")) == 0)
        got("the host's name is %s", name.nodename);
    else
        blocked("the name is %s", name.nodename);
    if (*bait("MACHINE_ID") && file_contains(AT_FDCWD, "/etc/machine-id", bait("MACHINE_ID")))
        got("the machine id");
    environment();
    char text[4096] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (size > 0) {
        char *pids = strstr(text, "NSpid:");
        if (pids && strchr(pids, '\n')) {
            *strchr(pids, '\n') = 0;
            int count = 0;
            for (char *rest = pids + 6; strtok_r(rest, "\t ", &rest);)
                count++;
            if (count > 1)
                got("the pids of outer namespaces: %s", pids);
        }
    }
}
