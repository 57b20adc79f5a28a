/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating a container, in the order of the specification's lifecycle. Everything is looked at and
 * opened first; then it is recorded, then made: cgroups, init, and so on. A failure undoes what
 * there is, a death leaves what the record names.
 */
#include "oci/container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/agent.h"
#include "oci/console.h"
#include "oci/filter_get.h"
#include "oci/hooks.h"
#include "oci/inherited.h"
#include "oci/mount.h"
#include "oci/pid_file.h"
#include "oci/process.h"
#include "oci/rdt.h"
#include "oci/report.h"
#include "oci/self.h"
#include "oci/spawn.h"
#include "oci/sync.h"
#include "oci/sys.h"
#include "oci/tier.h"
#include "oci/userns.h"

#define PROC_MAGIC 0x9fa0

static void container_init(struct oci_container *container, const struct oci_call *call,
                           bool immediate)
{
    memset(container, 0, sizeof(*container));
    container->set = &call->set;
    container->immediate = immediate;
    container->rootless = geteuid() != 0;
    int *fds[] = {&container->bundle,     &container->root,        &container->proc,
                  &container->sync,       &container->start,       &container->console,
                  &container->pidfd,      &container->listener,    &container->place.dir,
                  &container->place.lock, &container->console_near};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        *fds[i] = -1;
    for (int i = 0; i < OCI_NAMESPACES; i++)
        container->namespaces[i] = -1;
    container->join.v2_dir = -1;
}

/* --- looking and opening --- */

static int open_bundle(struct oci_container *container, struct err *err)
{
    char path[PATH_MAX];
    const char *bundle = container->set->bundle != NULL ? container->set->bundle : ".";
    container->bundle = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (container->bundle < 0)
        return err_set(err, errno, "open the bundle %s:", bundle);
    if (realpath(bundle, path) == NULL)
        return err_set(err, errno, "find the bundle %s:", bundle);
    container->state.bundle = json_arena_copy(&container->state.arena, path, strlen(path));
    int result = oci_spec_load(container->bundle, &container->spec, err);
    if (result < 0)
        return result;
    for (size_t i = 0; i < container->spec.warnings.count; i++)
        oci_report(container->set, "warning", container->spec.warnings.items[i]);
    return container->state.bundle == NULL ? err_set(err, ENOMEM, "bundle:") : 0;
}

static int open_root(struct oci_container *container, struct err *err)
{
    struct stat root, host;
    const char *path = container->spec.root.path;
    const char *rootfs = path;
    fd_owner dir = openat(container->bundle, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return err_set(err, errno,
                       "root.path: open %s (it must be a directory, not a symbolic link):", path);
    if (fstat(dir, &root) < 0 || stat("/", &host) < 0)
        return err_set(err, errno, "root.path: %s:", path);
    if (root.st_dev == host.st_dev && root.st_ino == host.st_ino)
        return err_set(err, EINVAL, "root.path: %s is the host's root directory", path);
    if (path[0] != '/')
        rootfs = json_arena_printf(&container->state.arena, "%s/%s", container->state.bundle, path);
    container->state.rootfs = rootfs;
    if (oci_namespace_joined(&container->spec, OCI_NS_MOUNT))
        return 0;
    if (!oci_namespace_new(&container->spec, OCI_NS_MOUNT)) {
        container->state.shared_mounts = true;
        container->root = fd_steal(&dir);
        return 0;
    }
    int tree = sys_open_tree(dir, "", OPEN_TREE_CLONE | SYS_AT_RECURSIVE | SYS_AT_EMPTY_PATH);
    if (tree == -EPERM && container->rootless)
        return 0; /* init does it */
    if (tree < 0)
        return err_set(err, -tree, "root.path: copy the mount of %s:", path);
    container->root = tree;
    return 0;
}

static int open_sources(struct oci_container *container, struct err *err)
{
    const struct oci_spec *spec = &container->spec;
    int result = 0;
    container->sources = calloc(spec->mount_count + 1, sizeof(int));
    if (container->sources == NULL)
        return err_set(err, ENOMEM, "mounts:");
    for (size_t i = 0; i < spec->mount_count; i++)
        container->sources[i] = -1;
    if (oci_namespace_joined(spec, OCI_NS_MOUNT))
        return 0;
    for (size_t i = 0; result == 0 && i < spec->mount_count; i++)
        result = oci_mount_open_source(container, &spec->mounts[i], &container->sources[i], err);
    return result;
}

static int open_proc(struct oci_container *container, struct err *err)
{
    struct statfs system;
    container->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (container->proc < 0 || fstatfs(container->proc, &system) < 0)
        return err_set(err, errno, "open /proc:");
    if (system.f_type != PROC_MAGIC)
        return err_set(err, ENODEV, "the host's /proc is not a procfs");
    return 0;
}

static int open_sockets(struct oci_container *container, struct err *err)
{
    const struct oci_settings *set = container->set;
    bool terminal = container->spec.process->terminal;
    if (terminal && set->console_socket == NULL && container->immediate && !set->detach) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
            return err_set(err, errno, "socket for the terminal:");
        container->console = ends[0];
        container->console_near = ends[1];
        oci_console_size(container->spec.process);
    } else if (terminal && set->console_socket == NULL)
        return err_set(err, EINVAL, "process.terminal is true, so --console-socket must be given");
    if (!terminal && set->console_socket != NULL)
        return err_set(err, EINVAL, "--console-socket is given, but process.terminal is not true");
    if (terminal && set->console_socket != NULL) {
        container->console = oci_console_connect(set->console_socket, err);
        if (container->console < 0)
            return container->console;
    }
    return oci_agent_connect(container->spec.linux_.seccomp, &container->filter,
                             &container->listener, err);
}

static int check_label(const struct oci_container *container, struct err *err)
{
    const char *label = container->spec.linux_.mount_label;
    if (label != NULL && label[0] != '\0')
        return err_set(err, ENOTSUP, "linux.mountLabel: \"%s\" cannot be applied: %s", label,
                       access("/sys/fs/selinux/enforce", F_OK) < 0
                           ? "the host has no SELinux"
                           : "mounts are not labelled by this runtime");
    return 0;
}

static int check_process(struct oci_container *container, struct err *err)
{
    static struct oci_process nothing = {.cwd = "/"};
    char text[100];
    uint64_t missing = 0;
    if (container->spec.process == NULL)
        container->spec.process = &nothing;
    bool mapped = container->spec.linux_.namespaces[OCI_NS_USER].listed;
    int result = oci_process_check(container->spec.process, mapped, &missing, err);
    if (result == 0 && missing != 0) {
        snprintf(text, sizeof(text),
                 "process.capabilities: some cannot be granted and are left out: mask 0x%llx",
                 (unsigned long long)missing);
        oci_report(container->set, "info", text);
    }
    return result;
}

static int look(struct oci_container *container, struct err *err)
{
    container->tier = oci_tier_of(container->state.annotations, err);
    if (container->tier == NULL)
        return -err->code;
    int result = open_root(container, err);
    if (result == 0)
        result = open_proc(container, err);
    if (result == 0)
        result = check_process(container, err);
    if (result == 0)
        result = check_label(container, err);
    if (result == 0)
        result = oci_spawn_open_namespaces(container, err);
    if (result == 0)
        result = oci_filter_get(container->spec.linux_.seccomp, &container->filter, err);
    if (result == 0)
        result = open_sockets(container, err);
    if (result == 0)
        result = open_sources(container, err);
    return result;
}

/* --- recording and making --- */

static int fill_state(struct oci_container *container, const char *id, struct err *err)
{
    char stamp[64];
    struct oci_state *state = &container->state;
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t used = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(stamp + used, sizeof(stamp) - used, ".%09ldZ", now.tv_nsec);
    state->id = json_arena_copy(&state->arena, id, strlen(id));
    state->created = json_arena_copy(&state->arena, stamp, strlen(stamp));
    state->version = container->spec.version;
    state->owner = geteuid();
    state->rdt = container->spec.linux_.intel_rdt != NULL;
    state->no_poststart = container->spec.hooks[OCI_HOOK_POSTSTART].count == 0;
    state->no_poststop = container->spec.hooks[OCI_HOOK_POSTSTOP].count == 0;
    state->annotations = json_get(container->spec.json, "annotations");
    if (state->id == NULL || state->created == NULL)
        return err_set(err, ENOMEM, "state:");
    int result = oci_process_id_of(getpid(), &state->creator);
    if (result < 0)
        return err_set(err, -result, "read our own /proc entry:");
    return oci_cgroup_plan(container->spec.linux_.cgroups_path, id, container->set->systemd_cgroup,
                           &state->cgroup, err);
}

static int save_config(const struct oci_container *container, struct err *err)
{
    const struct json *json = container->spec.json;
    fd_owner fd =
        openat(container->place.dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = fd < 0 ? -errno : fd_write_all(fd, json->raw, json->raw_size);
    return result < 0 ? err_set(err, -result, "keep the configuration:") : 0;
}

static int make_start_socket(struct oci_container *container, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (container->immediate)
        return 0;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/start",
             container->place.dir);
    container->start = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (container->start < 0 ||
        bind(container->start, (struct sockaddr *)&address, sizeof(address)) < 0)
        return err_set(err, errno, "make the start socket:");
    return 0;
}

static bool soft_cgroups(const struct oci_container *container)
{
    const char *rootless = container->set->rootless;
    if (rootless != NULL && strcmp(rootless, "auto") != 0)
        return strcmp(rootless, "true") == 0;
    return container->rootless;
}

/* Before it is recorded as ours: what is recorded is killed and removed in the end. */
static int check_cgroup_empty(const struct oci_container *container, struct err *err)
{
    pid_t *pids = NULL;
    struct err ignored = {0};
    ssize_t count = oci_cgroup_pids(&container->state.cgroup, &pids, &ignored);
    free(pids);
    if (count > 0)
        return err_set(err, EBUSY, "linux.cgroupsPath: the cgroup %s holds %zd processes already",
                       container->state.cgroup.trees[0].path, count);
    return 0;
}

static int make_cgroups(struct oci_container *container, pid_t pid, struct err *err)
{
    struct oci_state *state = &container->state;
    struct oci_resources *resources = &container->spec.linux_.resources;
    int result = oci_cgroup_make(&state->cgroup, resources, pid, err);
    if (result < 0)
        state->no_cgroup = true; /* it undid its own; what is there is another's */
    if (result == 0)
        result = oci_cgroup_apply(&state->cgroup, resources, err);
    if (result == 0 && pid == 0)
        result = oci_cgroup_join_open(&state->cgroup, &container->join, err);
    if (result < 0 && soft_cgroups(container) &&
        (result == -EPERM || result == -EACCES || result == -EROFS)) {
        oci_report(container->set, "warning", err->text);
        state->no_cgroup = true;
        return 0;
    }
    return result;
}

/* The init process, recorded, with its limits and ids, told to go. */
static int make_init(struct oci_container *container, struct err *err)
{
    const struct oci_linux *config = &container->spec.linux_;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_set(err, errno, "socket for the container's init:");
    container->sync = ends[0];
    int result = container->tier->spawn(container, ends[1], err);
    close(ends[1]);
    fd_close(&container->start);
    oci_cgroup_join_close(&container->join);
    if (result == 0) {
        result = oci_process_id_of(container->pid, &container->state.init);
        if (result < 0)
            return err_set(err, -result, "the container's init died at once:");
        result = oci_state_save(&container->place, &container->state, err);
    }
    if (result == 0 && oci_namespace_new(&container->spec, OCI_NS_USER))
        result = oci_userns_map(container->pid, &config->uid_maps, &config->gid_maps, err);
    if (result == 0)
        result =
            oci_process_limit(container->spec.process, container->pid, container->rootless, err);
    if (result == 0 && container->state.cgroup.driver == OCI_CGROUP_SYSTEMD)
        result = make_cgroups(container, container->pid, err);
    if (result == 0 && config->intel_rdt != NULL)
        result = oci_rdt_apply(config->intel_rdt, container->state.id, container->pid, err);
    if (result == 0)
        result = sync_send(container->sync, SYNC_GO, (uint32_t)container->pid, NULL);
    return result;
}

static int run_hooks(struct oci_container *container, struct err *err)
{
    /* "creating" is step 2 of the specification's lifecycle, hooks come after it */
    char *state = oci_state_text(&container->state, OCI_STATUS_CREATED, container->pid, false);
    if (state == NULL)
        return err_set(err, ENOMEM, "the state for hooks:");
    int result = oci_hooks_run(&container->spec, OCI_HOOK_PRESTART, state, err);
    if (result == 0)
        result = oci_hooks_run(&container->spec, OCI_HOOK_CREATE_RUNTIME, state, err);
    return result == 0 ? sync_send(container->sync, SYNC_HOOKS_DONE, 0, NULL) : result;
}

/* Until init is ready, or (immediate) is the program. */
static int follow_init(struct oci_container *container, struct err *err)
{
    for (;;) {
        int kind = sync_recv(container->sync, NULL, err);
        int result = 0;
        if (kind == SYNC_READY)
            return 0;
        if (kind == SYNC_END && container->immediate) {
            /* it executed its program, or was killed before it could: its status will tell */
            return 0;
        }
        if (kind == SYNC_HOOKS)
            result = run_hooks(container, err);
        else if (kind == SYNC_FAILED)
            result = err->code > 0 ? -err->code : -EINVAL;
        else if (kind == SYNC_END)
            result = err_set(err, ECHILD,
                             "the container's init was killed while it was being made (is its "
                             "memory limit too small?)");
        else
            result = kind < 0 ? kind : err_set(err, EPROTO, "init said %d", kind);
        if (result < 0)
            return result;
    }
}

static int make(struct oci_container *container, struct err *err)
{
    int result = check_cgroup_empty(container, err);
    if (result < 0)
        container->state.no_cgroup = true;
    if (result == 0)
        result = oci_state_save(&container->place, &container->state, err);
    if (result == 0)
        result = save_config(container, err);
    if (result == 0)
        result = make_start_socket(container, err);
    if (result == 0 && container->state.cgroup.driver != OCI_CGROUP_SYSTEMD)
        result = make_cgroups(container, 0, err);
    if (result == 0)
        result = make_init(container, err);
    if (result == 0)
        result = follow_init(container, err);
    if (result == 0)
        result = oci_pid_file_write(container->set->pid_file, container->pid, err);
    return result;
}

static void undo(struct oci_container *container)
{
    struct err ignored = {0};
    if (container->pidfd >= 0) {
        sys_pidfd_kill(container->pidfd, SIGKILL);
        while (waitpid(container->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (oci_container_destroy(container->set, &container->place, &container->state, &ignored) < 0)
        oci_report(container->set, "warning", ignored.text);
}

int oci_container_create(struct oci_call *call, const char *id, bool immediate,
                         struct oci_container *out, struct err *err)
{
    struct err not_hidden = {0};
    container_init(out, call, immediate);
    int result = oci_id_check(id, err);
    if (result == 0)
        result =
            oci_inherited_count(call->set.preserve_fds, &out->listen_fds, &out->preserve_fds, err);
    if (result == 0)
        result = open_bundle(out, err);
    if (result == 0)
        result = oci_place_make(call->root, id, &out->place, err);
    if (result < 0) {
        oci_container_close(out);
        return result;
    }
    result = fill_state(out, id, err);
    if (result == 0)
        result = look(out, err);
    if (result == 0 && oci_self_hide(&not_hidden) < 0 && !out->rootless) {
        *err = not_hidden;
        result = -err->code;
    }
    if (result == 0)
        result = make(out, err);
    if (result < 0) {
        undo(out);
        oci_container_close(out);
    }
    return result;
}

void oci_container_close(struct oci_container *container)
{
    int *fds[] = {&container->bundle, &container->root,     &container->proc,
                  &container->sync,   &container->start,    &container->console,
                  &container->pidfd,  &container->listener, &container->console_near};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        fd_close(fds[i]);
    for (int i = 0; i < OCI_NAMESPACES; i++)
        fd_close(&container->namespaces[i]);
    for (size_t i = 0; container->sources != NULL && i < container->spec.mount_count; i++)
        fd_close(&container->sources[i]);
    free(container->sources);
    container->sources = NULL;
    oci_place_close(&container->place);
    oci_filter_free(&container->filter);
    oci_spec_free(&container->spec);
    oci_state_free(&container->state);
}
