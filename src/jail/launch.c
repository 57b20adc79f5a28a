/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a plan to a running zygote.
 *
 * Everything that needs the owner's rights happens here, before the zygote has read a byte: paths
 * of the host become detached mount trees (with ids shifted into the tenant's range), and the
 * zygote gets descriptors. It is executed only after its ids are mapped, so it starts as root of
 * its user namespace.
 */
#include "jail/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/packet.h"
#include "jail/dev_tree.h"
#include "jail/handover.h"

#define ZYGOTE_NAMESPACES                                                                          \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)
#define MESSAGE_ROOM (256 * 1024) /* bytes a start socket may queue: some full environments */

struct far_ends {
    int control, start, report;
};

static void far_ends_close(struct far_ends *far)
{
    fd_close(&far->control);
    fd_close(&far->start);
    fd_close(&far->report);
}

void launch_undo(struct launch *launch)
{
    if (launch->pid > 0) {
        kill(launch->pid, SIGKILL);
        while (waitpid(launch->pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    }
    fd_close(&launch->pidfd);
    fd_close(&launch->control);
    fd_close(&launch->start);
    fd_close(&launch->report);
}

static int make_sockets(struct launch *near, struct far_ends *far, struct err *err)
{
    int *pairs[][2] = {{&near->control, &far->control},
                       {&near->start, &far->start},
                       {&near->report, &far->report}};
    int room = MESSAGE_ROOM;
    int on = 1;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        int ends[2];
        int result = packet_pair(ends);
        if (result < 0)
            return err_set(err, -result, "sockets of the template:");
        *pairs[i][0] = ends[0];
        *pairs[i][1] = ends[1];
    }
    if (setsockopt(near->start, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0 ||
        setsockopt(near->control, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0 ||
        setsockopt(near->control, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
        return err_set(err, errno, "set up the sockets of the template:");
    return 0;
}

/* The new process: waits until its ids are mapped, then becomes the zygote. Nothing returns. */
static void become_zygote(int zygote, int control, int go)
{
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (read(go, &byte, 1) != 1)
        _exit(1);
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        _exit(1);
    int null = open("/dev/null", O_RDWR);
    /* numbers above those we place things at, whatever the caller's were */
    int program = fcntl(zygote, F_DUPFD_CLOEXEC, 10);
    int link = fcntl(control, F_DUPFD_CLOEXEC, 10);
    if (null < 0 || program < 0 || link < 0)
        _exit(1);
    for (int i = 0; i < 3; i++) {
        if (null != i && dup3(null, i, 0) < 0)
            _exit(1);
    }
    if (dup3(link, ZYGOTE_CONTROL_FD, 0) < 0)
        _exit(1);
    if (fcntl(ZYGOTE_CONTROL_FD, F_SETFD, 0) < 0)
        _exit(1);
    syscall(SYS_close_range, ZYGOTE_CONTROL_FD + 1, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
    char *args[] = {"skerry-zygote", NULL};
    char *env[] = {NULL};
    syscall(SYS_execveat, program, "", args, env, AT_EMPTY_PATH);
    _exit(1);
}

static int write_map(pid_t pid, const char *file, const char *line, struct err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int result = fd_write_file_at(AT_FDCWD, path, line);
    return result < 0 ? err_set(err, -result, "map ids of the template (%s):", file) : 0;
}

/*
 * A daemon is often spared from the OOM killer (OOMScoreAdjust=-1000), and its children inherit
 * that; a sandbox that nothing in its cgroup may be killed for would hang at its memory limit for
 * ever. A value above 0 stays: lowering it needs CAP_SYS_RESOURCE.
 */
static void expose_to_oom(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    fd_write_file_at(AT_FDCWD, path, "0");
}

static int map_ids(const struct jail_plan *plan, pid_t pid, struct err *err)
{
    char uids[64];
    char gids[64];
    if (plan->rootless) {
        snprintf(uids, sizeof(uids), "0 %u 1\n", (unsigned)geteuid());
        snprintf(gids, sizeof(gids), "0 %u 1\n", (unsigned)getegid());
        int result = write_map(pid, "setgroups", "deny", err);
        if (result < 0)
            return result;
    } else {
        snprintf(uids, sizeof(uids), "0 %u %u\n", plan->uid_base, plan->uid_count);
        memcpy(gids, uids, sizeof(gids));
    }
    int result = write_map(pid, "uid_map", uids, err);
    return result == 0 ? write_map(pid, "gid_map", gids, err) : result;
}

static int fork_zygote(struct jail_host *host, const struct jail_plan *plan, struct launch *out,
                       const struct far_ends *far, struct err *err)
{
    int go[2];
    int pidfd = -1;
    if (pipe2(go, O_CLOEXEC) < 0)
        return err_set(err, errno, "pipe for the template:");
    long pid = syscall(SYS_clone, ZYGOTE_NAMESPACES | CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, 0);
    if (pid == 0) {
        close(go[1]); /* else it would never see the end if we die now */
        become_zygote(host->zygote, far->control, go[0]);
    }
    int result = 0;
    close(go[0]);
    if (pid < 0)
        result = err_set(err, errno,
                         "make the namespaces of the template (user namespaces must be allowed: "
                         "sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone):");
    out->pid = pid > 0 ? (pid_t)pid : 0;
    out->pidfd = pidfd;
    if (result == 0)
        result = map_ids(plan, out->pid, err);
    if (result == 0)
        expose_to_oom(out->pid);
    if (result == 0 && write(go[1], "x", 1) != 1)
        result = err_set(err, errno, "start the template's zygote:");
    close(go[1]);
    return result;
}

/* --- trees --- */

/* Shows files of 0..uid_count-1 as the tenant's. Where the file system cannot, they stay as they
 * are: readable by "others" only. */
static void shift_ids(int tree, pid_t zygote)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)zygote);
    fd_owner userns = open(path, O_RDONLY | O_CLOEXEC);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP,
                                    .userns_fd = (unsigned int)userns};
    if (userns >= 0)
        syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes));
}

static int open_tree_of(const char *path, struct err *err)
{
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return err_set(err, errno, "open %s for the sandbox:", path);
    return tree;
}

static int check_root(const char *path, struct err *err)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return err_set(err, errno, "root file system %s:", path);
    if (!S_ISDIR(status.st_mode))
        return err_set(err, ENOTDIR, "root file system %s:", path);
    return 0;
}

/*
 * Without privilege the caller may not clone trees of its mount namespace; the zygote may, of its
 * own copy. So it is given plain O_PATH descriptors' places: a helper in the zygote's namespaces
 * opens them.
 */
static int open_tree_within(pid_t zygote, const char *path, struct err *err)
{
    int ends[2];
    int result = packet_pair(ends);
    if (result < 0)
        return err_set(err, -result, "socket for a tree:");
    pid_t helper = fork();
    if (helper == 0) {
        char name[64];
        int namespaces[2];
        const char *const kinds[2] = {"user", "mnt"};
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof(name), "/proc/%d/ns/%s", (int)zygote, kinds[i]);
            namespaces[i] = open(name, O_RDONLY | O_CLOEXEC);
        }
        if (setns(namespaces[0], CLONE_NEWUSER) < 0 || setns(namespaces[1], CLONE_NEWNS) < 0)
            _exit(errno);
        int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path,
                                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        struct iovec part = {&tree, sizeof(tree)};
        if (tree < 0)
            _exit(errno);
        _exit(packet_send(ends[1], &part, 1, &tree, 1, 0) < 0);
    }
    close(ends[1]);
    int tree = -1;
    int ignored;
    int status = 0;
    size_t count = 0;
    ssize_t size = packet_recv(ends[0], &ignored, sizeof(ignored), &tree, 1, &count, 0);
    close(ends[0]);
    while (helper > 0 && waitpid(helper, &status, 0) < 0 && errno == EINTR)
        ;
    if (size != sizeof(ignored) || count != 1)
        return err_set(err, WIFEXITED(status) ? WEXITSTATUS(status) : EIO,
                       "open %s for the sandbox:", path);
    return tree;
}

struct trees {
    int fds[PACKET_FDS_MAX];
    size_t count;
};

static int trees_add(struct trees *trees, const struct jail_plan *plan, pid_t zygote,
                     const char *path, int shift, struct err *err)
{
    int tree = plan->rootless ? open_tree_within(zygote, path, err) : open_tree_of(path, err);
    if (tree < 0)
        return tree;
    if (shift && !plan->rootless)
        shift_ids(tree, zygote);
    trees->fds[trees->count++] = tree;
    return 0;
}

static int open_trees(struct jail_host *host, const struct jail_plan *plan,
                      const struct launch *launch, struct trees *trees, struct handover_plan *hand,
                      struct err *err)
{
    int result = 0;
    hand->has_rootfs = plan->rootfs[0] != '\0';
    hand->has_dev = !host->rootless;
    hand->has_usr = plan->host_usr != 0;
    if (hand->has_rootfs) {
        result = check_root(plan->rootfs, err);
        if (result == 0)
            result = trees_add(trees, plan, launch->pid, plan->rootfs, 1, err);
    }
    if (result == 0 && hand->has_dev) {
        int dev = dev_tree_make((plan->flags & JAIL_KVM) != 0, err);
        if (dev < 0)
            return dev;
        trees->fds[trees->count++] = dev;
    }
    if (result == 0 && hand->has_usr)
        result = trees_add(trees, plan, launch->pid, "/usr", 0, err);
    for (uint32_t i = 0; result == 0 && i < plan->bind_count; i++)
        result = trees_add(trees, plan, launch->pid, plan->binds[i].source, 0, err);
    return result;
}

static int hand_over(struct jail_host *host, const struct jail_plan *plan, struct launch *launch,
                     struct far_ends *far, struct err *err)
{
    const struct filter_program *filter = jail_host_filter(host, plan, err);
    if (filter == NULL)
        return err != NULL ? -err->code : -EINVAL;
    struct handover_plan *hand = calloc(1, sizeof(*hand));
    if (hand == NULL)
        return err_set(err, ENOMEM, "plan of the template:");
    hand->version = HANDOVER_VERSION;
    hand->filter_length = filter->length;
    hand->uses_notify = (uint32_t)filter_uses_notify(plan);
    hand->plan = *plan;
    struct trees trees = {.fds = {far->start, far->report}, .count = HANDOVER_FIXED};
    int result = open_trees(host, plan, launch, &trees, hand, err);
    /* a monitor is warm by itself, any other program is so with the help of skerry-warm */
    hand->has_warm = plan->warm == JAIL_WARM_SNAPSHOT && (plan->flags & JAIL_KVM) == 0;
    if (result == 0 && hand->has_warm) {
        int warm = jail_host_warm(host, err);
        if (warm < 0)
            result = warm;
        else
            trees.fds[trees.count++] = warm;
    }
    if (result == 0) {
        struct iovec parts[2] = {
            {hand, sizeof(*hand)},
            {(void *)(uintptr_t)filter->code, filter->length * sizeof(struct sock_filter)}};
        result = packet_send(launch->control, &parts[0], 1, trees.fds, trees.count, 0);
        if (result == 0)
            result = packet_send(launch->control, &parts[1], 1, NULL, 0, 0);
        if (result < 0)
            err_set(err, -result, "hand the plan to the template's zygote:");
    }
    for (size_t i = HANDOVER_FIXED; i < trees.count; i++)
        close(trees.fds[i]);
    free(hand);
    return result;
}

int launch_zygote(struct jail_host *host, const struct jail_plan *plan, struct launch *out,
                  struct err *err)
{
    struct launch launch = {.pidfd = -1, .control = -1, .start = -1, .report = -1};
    struct far_ends far = {-1, -1, -1};
    int result = make_sockets(&launch, &far, err);
    if (result == 0)
        result = fork_zygote(host, plan, &launch, &far, err);
    if (result == 0)
        result = hand_over(host, plan, &launch, &far, err);
    far_ends_close(&far);
    if (result < 0)
        launch_undo(&launch);
    else
        *out = launch;
    return result;
}
