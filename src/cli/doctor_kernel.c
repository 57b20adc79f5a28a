/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's version, user namespaces, and what can be mounted in one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/doctor.h"

#define OLDEST_MAJOR 6
#define OLDEST_MINOR 1

static void look_kernel(const struct settings *settings, struct finding *out)
{
    (void)settings;
    struct utsname name;
    int major = 0, minor = 0;
    uname(&name);
    finding_found(out, "Linux %.60s, %.20s", name.release, name.machine);
    sscanf(name.release, "%d.%d", &major, &minor);
    if (strcmp(name.machine, "x86_64") != 0)
        finding_set(out, FINDING_MISSING, "skerry runs on x86_64.", "Use an x86_64 machine.");
    else if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR))
        finding_set(out, FINDING_MISSING, "6.1 is the oldest kernel that is supported.",
                    "Boot a newer kernel (Debian 12 has 6.1).");
}

static bool write_map(const char *path, unsigned int inside, unsigned int outside)
{
    char line[64];
    snprintf(line, sizeof(line), "%u %u 1\n", inside, outside);
    return fd_write_file_at(AT_FDCWD, path, line) == 0;
}

/* Steps of entering a user namespace as `skerry run` without root does; the number of the failed
 * one. */
enum userns_step {
    STEP_FINE,
    STEP_UNSHARE,
    STEP_MAP,
    STEP_MOUNTS,
    STEP_TMPFS,
    STEP_PROC,
    STEP_OVERLAY
};

static int enter_userns(void)
{
    unsigned int uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0)
        return STEP_UNSHARE;
    fd_write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");
    if (!write_map("/proc/self/uid_map", 0, uid) || !write_map("/proc/self/gid_map", 0, gid))
        return STEP_MAP;
    if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
        return STEP_MOUNTS;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return STEP_MOUNTS;
    return mount("probe", "/tmp", "tmpfs", 0, NULL) < 0 ? STEP_TMPFS : STEP_FINE;
}

static int mount_proc(void *arg)
{
    (void)arg;
    return mount("proc", "/tmp", "proc", 0, NULL) < 0 ? STEP_PROC : STEP_FINE;
}

static int try_userns(void *arg)
{
    (void)arg;
    int step = enter_userns();
    return step == STEP_FINE ? probe_in_child(mount_proc, NULL) : step;
}

/* Root needs no permission for a user namespace; what counts is what others may do. */
static int try_userns_as_nobody(void *arg)
{
    if (geteuid() == 0 &&
        (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
        return STEP_UNSHARE;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* lost with root; without it /proc/self is still root's */
    return try_userns(arg);
}

static const char *userns_todo(void)
{
    char value[16];
    if (probe_read("/proc/sys/kernel/unprivileged_userns_clone", value, sizeof(value)) &&
        value[0] == '0')
        return "sysctl -w kernel.unprivileged_userns_clone=1";
    if (probe_read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", value,
                   sizeof(value)) &&
        value[0] == '1')
        return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile "
               "for skerry that allows userns.";
    if (probe_read("/proc/sys/user/max_user_namespaces", value, sizeof(value)) &&
        strcmp(value, "0") == 0)
        return "sysctl -w user.max_user_namespaces=15000";
    return "Within a container, start it so that it may make user namespaces.";
}

static const char *const step_names[] = {
    [STEP_FINE] = "can be made, with a /proc of their own",
    [STEP_UNSHARE] = "cannot be made",
    [STEP_MAP] = "can be made, but ids cannot be mapped in them",
    [STEP_MOUNTS] = "can be made, but no mount or process namespaces in them",
    [STEP_TMPFS] = "can be made, but nothing can be mounted in them",
    [STEP_PROC] = "can be made, but no /proc can be mounted in them",
    [STEP_OVERLAY] = "can be made",
};

static void look_userns(const struct settings *settings, struct finding *out)
{
    (void)settings;
    int step = probe_in_child(try_userns, NULL);
    if (step < 0 || step > STEP_OVERLAY)
        step = STEP_UNSHARE;
    finding_found(out, "user namespaces %s", step_names[step]);
    if (step == STEP_PROC)
        finding_set(out, FINDING_MISSING, "Each sandbox has a /proc of its own.",
                    "Within a container, its /proc must not be masked (docker: --security-opt "
                    "systempaths=unconfined).");
    else if (step != STEP_FINE)
        finding_set(out, FINDING_MISSING, "Every sandbox lives in one.", userns_todo());
}

static void look_userns_nobody(const struct settings *settings, struct finding *out)
{
    (void)settings;
    if (geteuid() != 0) {
        finding_found(out, "asked by a user without root");
        finding_set(out, FINDING_LIMITED,
                    "Memory, processes and CPU time of a sandbox cannot be limited as a whole.",
                    "Run as root for that.");
        return;
    }
    int step = probe_in_child(try_userns_as_nobody, NULL);
    if (step < 0 || step > STEP_OVERLAY)
        step = STEP_UNSHARE;
    finding_found(out, "for users without root they %s", step_names[step]);
    if (step != STEP_FINE)
        finding_set(out, FINDING_LIMITED, "Only root can use skerry run.", userns_todo());
}

static int try_overlay(void *arg)
{
    (void)arg;
    int step = enter_userns();
    if (step != STEP_FINE)
        return step;
    if (mkdir("/tmp/a", 0755) < 0 || mkdir("/tmp/b", 0755) < 0 || mkdir("/tmp/c", 0755) < 0)
        return STEP_TMPFS;
    return mount("probe", "/tmp/c", "overlay", MS_RDONLY, "lowerdir=/tmp/a:/tmp/b") < 0
               ? STEP_OVERLAY
               : STEP_FINE;
}

static void look_overlay(const struct settings *settings, struct finding *out)
{
    (void)settings;
    if (probe_in_child(try_overlay, NULL) == STEP_FINE) {
        finding_found(out, "overlayfs can be mounted in a user namespace");
        return;
    }
    finding_found(out, "overlayfs cannot be mounted in a user namespace");
    finding_set(out, FINDING_LIMITED, "Images and --rootfs cannot be used; --host-usr can.",
                "modprobe overlay");
}

/* A call that the kernel does not have answers ENOSYS whatever it is given. */
static bool call_exists(long number)
{
    return syscall(number, -1, NULL, -1, NULL, 0) >= 0 || errno != ENOSYS;
}

static void look_mounts(const struct settings *settings, struct finding *out)
{
    (void)settings;
    static const struct {
        long number;
        const char *name;
    } calls[] = {{SYS_open_tree, "open_tree"},
                 {SYS_move_mount, "move_mount"},
                 {SYS_mount_setattr, "mount_setattr"},
                 {SYS_fsopen, "fsopen"},
                 {SYS_openat2, "openat2"}};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (call_exists(calls[i].number))
            continue;
        finding_found(out, "no %s", calls[i].name);
        finding_set(
            out, FINDING_MISSING, "Root file systems are put together with it.",
            "Within a container, allow it in its seccomp profile; else boot a newer kernel.");
        return;
    }
    finding_found(out, "open_tree, move_mount, mount_setattr, fsopen, openat2");
}

/* A user namespace with a map, held by a child that waits for the end of a pipe. */
static int held_userns(int *out_pipe, pid_t *out_child)
{
    int ends[2], up[2];
    char path[64], byte = 0;
    if (pipe2(ends, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        bool fine = unshare(CLONE_NEWUSER) == 0;
        if (write(up[1], fine ? "y" : "n", 1) != 1 || read(ends[0], &byte, 1) != 0)
            _exit(1);
        _exit(0);
    }
    close(ends[0]);
    close(up[1]);
    *out_pipe = ends[1];
    *out_child = child;
    if (child < 0 || read(up[0], &byte, 1) != 1 || byte != 'y')
        return -1;
    close(up[0]);
    snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)child);
    if (fd_write_file_at(AT_FDCWD, path, "0 100000 1\n") < 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)child);
    if (fd_write_file_at(AT_FDCWD, path, "0 100000 1\n") < 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int try_idmap(void *arg)
{
    (void)arg;
    int end = -1;
    pid_t child = -1;
    fd_owner userns = held_userns(&end, &child);
    fd_owner tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/usr", OPEN_TREE_CLONE | O_CLOEXEC);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP,
                                    .userns_fd = (unsigned int)userns};
    int failed =
        userns < 0 || tree < 0 ||
        syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0;
    fd_close(&end);
    if (child > 0)
        waitpid(child, NULL, 0);
    return failed;
}

static void look_idmap(const struct settings *settings, struct finding *out)
{
    (void)settings;
    if (geteuid() != 0) {
        finding_found(out, "only root can make them");
        finding_set(out, FINDING_ABSENT, "Without root, a sandbox has one user and needs none.",
                    "");
        return;
    }
    if (probe_in_child(try_idmap, NULL) == 0) {
        finding_found(out, "the file system of /usr can be mounted with shifted ids");
        return;
    }
    finding_found(out, "the file system of /usr cannot be mounted with shifted ids");
    finding_set(
        out, FINDING_LIMITED,
        "Files of an image that only their owner may read cannot be read by the sandbox's user.",
        "Keep the state directory on ext4, xfs, btrfs or tmpfs.");
}

const struct probe probes_kernel[] = {
    {"kernel", "kernel", look_kernel},
    {"user-namespaces", "user namespaces", look_userns},
    {"rootless", "without root", look_userns_nobody},
    {"mount-api", "mount interface", look_mounts},
    {"overlayfs", "overlayfs", look_overlay},
    {"idmapped-mounts", "idmapped mounts", look_idmap},
    {NULL, NULL, NULL},
};
