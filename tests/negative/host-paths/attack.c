/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: learns the host's paths (where the daemon keeps its images and state, the build,
 *   the user's home) from /proc/PID/exe, maps, mountinfo, mounts, mountstats, cgroup,
 *   cmdline, environ, of itself, its threads and its children, from statmount(), getcwd() and
 *   the auxiliary vector.
 * Stopped by: the root is a file system of the sandbox's own, or the files that show mounts
 *   are masked; the program is executed from within it.
 * Lives in: src/jail (template's mounts, own /proc).
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <sys/auxv.h>

static const char *hints[8]; /* parts of host paths, from BAIT_HINTS */

static void search(const char *process, const char *file)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/%s/%s", process, file);
    for (size_t i = 0; i < COUNT(hints) && hints[i]; i++)
        if (file_contains(AT_FDCWD, path, hints[i]))
            got("%s shows %s", path, hints[i]);
}

static void links(const char *process)
{
    static const char *const names[] = {"exe", "cwd", "root", "fd/0", "fd/1", "fd/2"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        char target[4096] = "";
        snprintf(path, sizeof(path), "/proc/%s/%s", process, names[i]);
        if (readlink(path, target, sizeof(target) - 1) < 0)
            continue;
        for (size_t j = 0; j < COUNT(hints) && hints[j]; j++)
            /* What the caller gave as standard streams is the caller's to show. */
            if (i < 3 && strstr(target, hints[j]))
                got("%s is %s", path, target);
    }
}

static void everything(const char *process)
{
    /* environ is the runner's own gift: it holds the hints. */
    static const char *const files[] = {"maps",   "smaps",      "numa_maps", "mountinfo",
                                        "mounts", "mountstats", "cgroup",    "cmdline",
                                        "status", "stat",       "comm",      "fdinfo/0"};
    for (size_t i = 0; i < COUNT(files); i++)
        search(process, files[i]);
    links(process);
}

static void mount_calls(void)
{
    uint64_t list[256];
    struct {
        uint32_t size, spare;
        uint64_t mnt_id, param, mnt_ns_id;
    } ask = {.size = 24, .mnt_id = UINT64_MAX /* LSMT_ROOT */};
    long count = syscall(SYS_listmount, &ask, list, COUNT(list), 0);
    if (count < 0) {
        blocked("listmount: %s", strerror(errno));
        return;
    }
    for (long i = 0; i < count; i++) {
        static char answer[65536];
        ask.mnt_id = list[i];
        ask.param = 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x200; /* root, point, type, source, options */
        if (syscall(SYS_statmount, &ask, answer, sizeof(answer), 0) < 0)
            continue;
        for (size_t j = 0; j < COUNT(hints) && hints[j]; j++)
            if (memmem(answer, sizeof(answer), hints[j], strlen(hints[j])))
                got("statmount shows %s", hints[j]);
    }
}

void attack(void)
{
    static char text[512];
    snprintf(text, sizeof(text), "%s", bait("HINTS"));
    size_t count = 0;
    for (char *rest = text, *one; (one = strtok_r(rest, ",", &rest)) && count < COUNT(hints) - 1;)
        hints[count++] = one;
    everything("self");
    everything("thread-self");
    everything("1");
    char number[64];
    snprintf(number, sizeof(number), "self/task/%d", getpid());
    everything(number);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    snprintf(number, sizeof(number), "%d", child);
    everything(number);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    mount_calls();
    const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char cwd[4096] = "";
    if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0)
        note("getcwd: %s", strerror(errno));
    for (size_t i = 0; i < count; i++)
        if ((name && strstr(name, hints[i])) || strstr(cwd, hints[i]))
            got("AT_EXECFN or the working directory shows %s", hints[i]);
    blocked("no hint was found in the rest");
}
