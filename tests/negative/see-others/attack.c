/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: sees processes that are not its own: in /proc (listed or guessed), by getpriority,
 *   sched_getscheduler, getpgid, getsid, ioprio_get, prlimit, get_robust_list,
 *   sched_getaffinity for every pid.
 * Stopped by: the sandbox's own pid namespace and /proc.
 * Lives in: src/jail (CLONE_NEWPID, own /proc).
 *
 * Control: user
 * Needs: victim
 */
#include "../harness/attack.h"

#include <dirent.h>
#include <sys/resource.h>

static bool visible(long pid)
{
    char path[64];
    struct stat status;
    struct rlimit limit;
    unsigned long mask[16];
    void *head;
    size_t size;
    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    const char *how = NULL;
    errno = 0;
    if (stat(path, &status) == 0)
        how = "/proc";
    else if (syscall(SYS_getpgid, pid) >= 0)
        how = "getpgid";
    else if (syscall(SYS_getsid, pid) >= 0)
        how = "getsid";
    else if (syscall(SYS_sched_getscheduler, pid) >= 0)
        how = "sched_getscheduler";
    else if (syscall(SYS_sched_getaffinity, pid, sizeof(mask), mask) >= 0)
        how = "sched_getaffinity";
    else if (syscall(SYS_getpriority, PRIO_PROCESS, pid) >= 0)
        how = "getpriority";
    else if (syscall(SYS_ioprio_get, 1, pid) >= 0)
        how = "ioprio_get";
    else if (syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &limit) >= 0)
        how = "prlimit";
    else if (syscall(SYS_get_robust_list, pid, &head, &size) >= 0)
        how = "get_robust_list";
    if (how)
        got("pid %ld is seen by %s", pid, how);
    return how != NULL;
}

void attack(void)
{
    DIR *dir = opendir("/proc");
    int count = 0;
    /* The first process of the sandbox is part of it, if not of the program: see first-process. */
    pid_t first = is_control() ? 0 : 1;
    if (dir) {
        for (struct dirent *entry; (entry = readdir(dir));)
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
                atoi(entry->d_name) != getpid() && atoi(entry->d_name) != first) {
                count++;
                if (count < 4)
                    got("/proc lists pid %s", entry->d_name);
            }
        closedir(dir);
    }
    for (long pid = first + 1; pid < 65536; pid++)
        if (pid != getpid() && visible(pid))
            return;
    blocked("nobody else is seen");
}
