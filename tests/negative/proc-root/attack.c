/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: reaches the host's tree through the magic links of /proc: PID/root, PID/cwd,
 *   PID/exe and the same of every thread, for every pid there may be.
 * Stopped by: /proc belongs to the sandbox's own pid namespace; no process in it has another
 *   root, and a link of one that is not the own needs ptrace rights.
 * Lives in: src/jail (own /proc of the sandbox, made with subset=pid).
 *
 * Control: root
 */
#include "../harness/attack.h"

static void by_link(const char *process, const char *link)
{
    char path[4096];
    snprintf(path, sizeof(path), "/proc/%s/%s/%s", process, link, bait("FILE"));
    path_has_bait(AT_FDCWD, path, "magic link");
    snprintf(path, sizeof(path), "/proc/%s/%s", process, link);
    int dirfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return;
    snprintf(path, sizeof(path), "../../../../../../../..%s", bait("FILE"));
    path_has_bait(dirfd, path, "\"..\" behind a magic link");
    close(dirfd);
}

static void through(const char *process)
{
    char link[64];
    by_link(process, "root");
    by_link(process, "cwd");
    snprintf(link, sizeof(link), "task/%s/root", process);
    by_link(process, link);
    snprintf(link, sizeof(link), "task/%s/cwd", process);
    by_link(process, link);
}

void attack(void)
{
    through("self");
    through("thread-self");
    long last = is_control() ? 2 : 65536;
    for (long pid = 1; pid <= last; pid++) {
        char text[24];
        snprintf(text, sizeof(text), "%ld", pid);
        through(text);
    }
    if (chdir("/proc/1/cwd") == 0)
        path_has_bait(AT_FDCWD, bait("FILE") + 1, "working directory of pid 1");
}
