/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: leaves its cgroup or rules it: a release_agent (run by the host's root),
 *   cgroup.procs, limits of the own group; by the mounted tree, by a mount of its own, by
 *   pids it names.
 * Stopped by: no cgroup file system in the sandbox, no mount, a cgroup namespace of its own,
 *   files owned by the host's root.
 * Lives in: src/jail (mounts of the template, cgroup.c, filter.c).
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/mount.h>

static void writable(const char *base, const char *file)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", base, file);
    /* Opened only: writing in the control run would change the machine. */
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        got("%s is open for writing", path);
        close(fd);
    } else {
        blocked("%s: %s", path, strerror(errno));
    }
}

void attack(void)
{
    static const char *const bases[] = {
        "/sys/fs/cgroup",         "/sys/fs/cgroup/memory",  "/sys/fs/cgroup/pids",
        "/sys/fs/cgroup/unified", "/sys/fs/cgroup/cpu",     "/sys/fs/cgroup/devices",
        "/sys/fs/cgroup/freezer", "/sys/fs/cgroup/systemd", "/proc/self/root/sys/fs/cgroup"};
    static const char *const files[] = {"release_agent", "notify_on_release", "cgroup.procs",
                                        "tasks",         "memory.max",        "pids.max"};
    for (size_t i = 0; i < COUNT(bases); i++)
        for (size_t j = 0; j < COUNT(files); j++)
            writable(bases[i], files[j]);
    static const char *const controllers[] = {"memory", "pids", "cpu", "rdma", "devices"};
    for (size_t i = 0; i < COUNT(controllers) && !is_control(); i++)
        attempt("mount a v1 hierarchy",
                syscall(SYS_mount, "cgroup", "/tmp", "cgroup", 0, controllers[i]));
    if (!is_control())
        attempt("mount cgroup2", syscall(SYS_mount, "none", "/tmp", "cgroup2", 0, ""));
    if (mkdir("/sys/fs/cgroup/skerry-negative", 0755) == 0) {
        got("a cgroup made");
        rmdir("/sys/fs/cgroup/skerry-negative");
    }
}
