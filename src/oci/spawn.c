/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The birth of the init process. When all namespaces are new, or the runtime's own, one clone3
 * makes process and namespaces (and puts it into its v2 cgroup). A namespace that is joined needs a
 * process in between: it enters those, makes the time namespace (whose offsets must be set before
 * anybody lives in it), and clones init as a sibling of itself, so that init is the runtime's
 * child.
 */
#include "oci/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/init.h"
#include "oci/sys.h"

#define NS_GET_NSTYPE _IO(0xb7, 3)

/* A sysctl of a namespace that is joined and is the host's own would change the host. */
static int check_sysctls(const struct oci_container *container, enum oci_namespace_kind kind,
                         const char *const *prefixes, struct err *err)
{
    char path[40];
    struct stat joined, own;
    const struct oci_pairs *sysctl = &container->spec.linux_.sysctl;
    snprintf(path, sizeof(path), "/proc/self/ns/%s", oci_namespace_file(kind));
    if (sysctl->count == 0 || container->namespaces[kind] < 0)
        return 0;
    if (fstat(container->namespaces[kind], &joined) < 0 || stat(path, &own) < 0)
        return err_set(err, errno, "linux.sysctl: look at %s:", path);
    if (joined.st_ino != own.st_ino || joined.st_dev != own.st_dev)
        return 0;
    for (size_t i = 0; i < sysctl->count; i++) {
        for (const char *const *prefix = prefixes; *prefix != NULL; prefix++) {
            if (strncmp(sysctl->items[i].key, *prefix, strlen(*prefix)) == 0)
                return err_set(err, EINVAL,
                               "linux.sysctl.%s: the %s namespace that is joined is the host's",
                               sysctl->items[i].key, oci_namespace_name(kind));
        }
    }
    return 0;
}

static int check_all_sysctls(const struct oci_container *container, struct err *err)
{
    static const char *const net[] = {"net.", "net/", NULL};
    static const char *const ipc[] = {"kernel.", "kernel/", "fs.mqueue", "fs/mqueue", NULL};
    static const char *const uts[] = {"kernel.hostname", "kernel/hostname", "kernel.domainname",
                                      "kernel/domainname", NULL};
    int result = check_sysctls(container, OCI_NS_NETWORK, net, err);
    if (result == 0)
        result = check_sysctls(container, OCI_NS_IPC, ipc, err);
    return result == 0 ? check_sysctls(container, OCI_NS_UTS, uts, err) : result;
}

int oci_spawn_open_namespaces(struct oci_container *container, struct err *err)
{
    for (int kind = 0; kind < OCI_NAMESPACES; kind++) {
        const struct oci_namespace *ns = &container->spec.linux_.namespaces[kind];
        const char *name = oci_namespace_name((enum oci_namespace_kind)kind);
        container->namespaces[kind] = -1;
        if (ns->path == NULL)
            continue;
        int fd = open(ns->path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return err_set(err, errno, "linux.namespaces: %s: open %s:", name, ns->path);
        container->namespaces[kind] = fd;
        int type = ioctl(fd, NS_GET_NSTYPE);
        if (type != ns->clone_flag)
            return err_set(err, EINVAL, "linux.namespaces: %s: %s is no %s namespace", name,
                           ns->path, name);
    }
    return check_all_sysctls(container, err);
}

/* New ones that clone3 makes. cgroup: by init itself, once it is in its cgroup. */
static uint64_t new_flags(const struct oci_container *container)
{
    static const enum oci_namespace_kind by_clone[] = {OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_MOUNT,
                                                       OCI_NS_IPC, OCI_NS_UTS,     OCI_NS_USER};
    uint64_t flags = 0;
    for (size_t i = 0; i < sizeof(by_clone) / sizeof(by_clone[0]); i++) {
        if (oci_namespace_new(&container->spec, by_clone[i]))
            flags |= (uint64_t)container->spec.linux_.namespaces[by_clone[i]].clone_flag;
    }
    return flags;
}

static bool needs_step(const struct oci_container *container)
{
    for (int kind = 0; kind < OCI_NAMESPACES; kind++) {
        if (container->namespaces[kind] >= 0)
            return true;
    }
    return oci_namespace_new(&container->spec, OCI_NS_TIME);
}

/* --- the process in between --- */

static int join_one(const struct oci_container *container, enum oci_namespace_kind kind,
                    struct err *err)
{
    int fd = container->namespaces[kind];
    if (fd >= 0 && setns(fd, container->spec.linux_.namespaces[kind].clone_flag) < 0)
        return err_set(err, errno, "linux.namespaces: %s: join %s:", oci_namespace_name(kind),
                       container->spec.linux_.namespaces[kind].path);
    return 0;
}

/* The user namespace first: it gives the right to the others. But it takes the right to those of
 * the host, which are joined before when they do not belong to it. */
static int join_all(const struct oci_container *container, struct err *err)
{
    static const enum oci_namespace_kind others[] = {OCI_NS_NETWORK, OCI_NS_IPC,  OCI_NS_UTS,
                                                     OCI_NS_PID,     OCI_NS_TIME, OCI_NS_CGROUP,
                                                     OCI_NS_MOUNT};
    bool joined[OCI_NAMESPACES] = {false};
    if (container->namespaces[OCI_NS_USER] >= 0) {
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
            if (others[i] != OCI_NS_MOUNT)
                joined[others[i]] = join_one(container, others[i], NULL) == 0;
        }
    }
    int result = join_one(container, OCI_NS_USER, err);
    for (size_t i = 0; result == 0 && i < sizeof(others) / sizeof(others[0]); i++) {
        if (!joined[others[i]])
            result = join_one(container, others[i], err);
    }
    return result;
}

static int make_time_namespace(const struct oci_container *container, struct err *err)
{
    const struct oci_linux *config = &container->spec.linux_;
    char text[160] = "";
    int used = 0;
    if (!oci_namespace_new(&container->spec, OCI_NS_TIME))
        return 0;
    if (unshare((int)SYS_CLONE_NEWTIME) < 0)
        return err_set(err, errno, "linux.namespaces: time:");
    if (config->monotonic.set)
        used += snprintf(text, sizeof(text), "monotonic %lld %u\n",
                         (long long)config->monotonic.secs, config->monotonic.nanosecs);
    if (config->boottime.set)
        snprintf(text + used, sizeof(text) - (size_t)used, "boottime %lld %u\n",
                 (long long)config->boottime.secs, config->boottime.nanosecs);
    if (text[0] == '\0')
        return 0;
    int result = fd_write_file_at(container->proc, "self/timens_offsets", text);
    return result < 0 ? err_set(err, -result, "linux.timeOffsets:") : 0;
}

/* From a cgroup namespace that is joined the kernel lets nobody into a group outside of it (mount
 * option nsdelegate): then the process in between goes first, and init is born where it is. */
static bool step_is_in_group(const struct oci_container *container)
{
    return container->namespaces[OCI_NS_CGROUP] >= 0;
}

struct step_result {
    pid_t pid;
    struct err why;
};

static void run_step(struct oci_container *container, int init_sync, int out)
{
    struct step_result result = {0};
    uint64_t flags = new_flags(container);
    int failed = make_time_namespace(container, &result.why);
    /* before anybody in a namespace that we join can see us (CVE-2016-9962) */
    if (!oci_maps_from_outside(container))
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (failed == 0)
        failed = join_all(container, &result.why);
    if (failed == 0) {
        long pid = sys_clone3(flags | CLONE_PARENT, 0, NULL,
                              step_is_in_group(container) ? -1 : container->join.v2_dir);
        if (pid == 0) {
            close(out);
            container->sync = init_sync;
            oci_init_main(container);
        }
        if (pid < 0)
            err_set(&result.why, (int)-pid, "make the namespaces of the container:");
        else
            result.pid = (pid_t)pid;
    }
    if (write(out, &result, sizeof(result)) < 0)
        _exit(1);
    _exit(0);
}

static int spawn_by_step(struct oci_container *container, int init_sync, struct err *err)
{
    struct step_result result = {.pid = 0};
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return err_set(err, errno, "pipe for the container's init:");
    long step =
        sys_clone3(0, SIGCHLD, NULL, step_is_in_group(container) ? container->join.v2_dir : -1);
    if (step == 0) {
        close(pipe_ends[0]);
        close(container->sync);
        run_step(container, init_sync, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    ssize_t got = step < 0 ? 0 : fd_read_all(pipe_ends[0], &result, sizeof(result));
    close(pipe_ends[0]);
    if (step < 0)
        return err_set(err, (int)-step, "fork:");
    while (waitpid((pid_t)step, NULL, 0) < 0 && errno == EINTR)
        ;
    if (got != (ssize_t)sizeof(result))
        return err_set(err, ECHILD, "the process that makes the container's init died");
    if (result.pid == 0) {
        if (err != NULL)
            *err = result.why;
        return result.why.code > 0 ? -result.why.code : -EINVAL;
    }
    /* in another pid namespace the number is that of the step's own: it is the runtime's */
    container->pid = result.pid;
    container->pidfd = sys_pidfd_open(result.pid);
    return container->pidfd < 0
               ? err_set(err, -container->pidfd, "the container's init died at once:")
               : 0;
}

int oci_spawn_init(struct oci_container *container, int init_sync, struct err *err)
{
    if (needs_step(container))
        return spawn_by_step(container, init_sync, err);
    long pid = sys_clone3(new_flags(container), SIGCHLD, &container->pidfd, container->join.v2_dir);
    if (pid == 0) {
        close(container->sync);
        container->sync = init_sync;
        oci_init_main(container);
    }
    if (pid < 0)
        return err_set(err, (int)-pid, "make the namespaces of the container:");
    container->pid = (pid_t)pid;
    return 0;
}
