/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of a template, built in the zygote's own mount namespace and entered for
 * good.
 *
 * An image is the lower layer of a read-only overlay whose upper layer is our skeleton: /dev,
 * /proc, /tmp, /sys and the targets of binds are directories of ours whatever the image has there
 * (a symbolic link in the image is covered, not followed). The layers are named by relative paths,
 * so that mountinfo shows no path of the host. With host_usr the root is the skeleton itself, the
 * host's /usr in it, and a copy of the few files of /etc that programs there need.
 *
 * Nothing of the host stays reachable: the old root is unmounted before any sandbox exists.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/etc_copy.h"
#include "jail/zygote.h"

#define SAFE_FLAGS (MS_NOSUID | MS_NODEV)
#define COPY_MAX   (8 << 20) /* bytes of a file that is copied; larger ones are bound */

static int make_dir(const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return err_set(err, errno, "make directory %s of the sandbox:", path);
    return 0;
}

static int write_file(const char *path, const char *text, struct err *err)
{
    fd_owner fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_set(err, errno, "write %s of the sandbox:", path);
    int result = fd_write_all(fd, text, strlen(text));
    return result < 0 ? err_set(err, -result, "write %s of the sandbox:", path) : 0;
}

/* Makes the parents of target (absolute) and itself below skel, as a directory or an empty file. */
static int make_target(const char *target, int directory, struct err *err)
{
    char path[FUNCTION_PATH_MAX + 8];
    int length = snprintf(path, sizeof(path), "skel%s", target);
    if (length < 0 || (size_t)length >= sizeof(path))
        return err_set(err, ENAMETOOLONG, "bind target %s:", target);
    for (char *slash = strchr(path + 5, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int result = make_dir(path, 0755, err);
        *slash = '/';
        if (result < 0)
            return result;
    }
    if (directory)
        return make_dir(path, 0755, err);
    fd_owner fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_set(err, errno, "make bind target %s:", target);
    return 0;
}

static int is_directory(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

/*
 * A file that is only to be read is copied instead of bound: a mount would show its host path in
 * mountinfo, and each sandbox would copy and drop it. Returns whether it was; if not, it is bound.
 */
static int copy_file(int tree, const struct function_bind *bind)
{
    char path[FUNCTION_PATH_MAX + 32];
    struct stat status;
    if (!bind->read_only || fstat(tree, &status) < 0 || !S_ISREG(status.st_mode) ||
        status.st_size > COPY_MAX)
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", tree);
    fd_owner from = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "skel%s", bind->target);
    fd_owner to = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0 || to < 0)
        return 0;
    for (ssize_t n = 1; n > 0;) {
        static char buffer[65536];
        n = read(from, buffer, sizeof(buffer));
        if (n < 0 || fd_write_all(to, buffer, (size_t)n) < 0)
            return 0;
    }
    return fchmod(to, (status.st_mode & 0555) | 0444) == 0;
}

/* Moves a detached tree onto target below root_fd; no symbolic link on the way is followed. */
static int place_tree(int tree, int root_fd, const char *target, int read_only, struct err *err)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
    fd_owner place = (int)syscall(SYS_openat2, root_fd, target, &how, sizeof(how));
    if (place < 0)
        return err_set(err, errno, "reach %s of the sandbox:", target);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                                (read_only ? MOUNT_ATTR_RDONLY : 0)};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                sizeof(attributes)) < 0)
        return err_set(err, errno, "restrict what is mounted on %s:", target);
    if (syscall(SYS_move_mount, tree, "", place, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return err_set(err, errno, "mount %s of the sandbox:", target);
    return 0;
}

/* Without a ready-made /dev (rootless): the host's harmless nodes, bound one by one. */
static int build_dev(struct err *err)
{
    static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "kvm"};
    size_t count = sizeof(nodes) / sizeof(nodes[0]);
    if ((zygote.hand.plan.flags & JAIL_KVM) == 0)
        count--;
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"/tmp", "shm"}};
    if (mount("dev", "root/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=755") < 0)
        return err_set(err, errno, "mount /dev of the sandbox:");
    for (size_t i = 0; i < count; i++) {
        char from[32];
        char to[32];
        snprintf(from, sizeof(from), "/dev/%s", nodes[i]);
        snprintf(to, sizeof(to), "root/dev/%s", nodes[i]);
        fd_owner fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
            return err_set(err, errno, "bind %s into the sandbox:", from);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        char to[32];
        snprintf(to, sizeof(to), "root/dev/%s", links[i][1]);
        if (symlink(links[i][0], to) < 0)
            return err_set(err, errno, "link %s:", to);
    }
    if (mount(NULL, "root/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC,
              NULL) < 0)
        return err_set(err, errno, "make /dev of the sandbox read-only:");
    return 0;
}

static int build_skeleton(const int *bind_trees, int *copied, struct err *err)
{
    static const char *const dirs[] = {"skel/dev", "skel/proc", "skel/tmp", "skel/sys"};
    const struct jail_plan *plan = &zygote.hand.plan;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        int result = make_dir(dirs[i], 0755, err);
        if (result < 0)
            return result;
    }
    for (uint32_t i = 0; i < plan->bind_count; i++) {
        int result = make_target(plan->binds[i].target, is_directory(bind_trees[i]), err);
        if (result < 0)
            return result;
        copied[i] = copy_file(bind_trees[i], &plan->binds[i]);
    }
    return 0;
}

/* What /bin, /lib, ... are on the host when /usr is merged; and the little of /etc programs need.
 */
static int build_host_usr(struct err *err)
{
    static const char *const links[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
    int result = make_dir("skel/usr", 0755, err);
    if (result == 0)
        result = make_dir("skel/etc", 0755, err);
    for (size_t i = 0; result == 0 && i < sizeof(links) / sizeof(links[0]); i++) {
        char host[16];
        char target[64];
        char link[32];
        snprintf(host, sizeof(host), "/%s", links[i]);
        ssize_t length = readlink(host, target, sizeof(target) - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        snprintf(link, sizeof(link), "skel/%s", links[i]);
        if (symlink(target, link) < 0)
            result = err_set(err, errno, "link %s:", link);
    }
    if (result == 0)
        result = write_file("skel/etc/passwd",
                            "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n"
                            "nobody:x:65534:65534:nobody:/:/bin/false\n",
                            err);
    if (result == 0)
        result = write_file("skel/etc/group", "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n", err);
    if (result == 0)
        result = write_file("skel/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", err);
    if (result == 0)
        result = write_file("skel/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n",
                            err);
    if (result == 0)
        etc_copy("/etc", "skel/etc"); /* what cannot be copied is missing: not an error */
    return result;
}

static int mount_image(int tree, struct err *err)
{
    int result = make_dir("lower", 0755, err);
    if (result < 0)
        return result;
    if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "lower", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_set(err, errno, "mount the image:");
    if (mount("root", "root", "overlay", SAFE_FLAGS | MS_RDONLY, "lowerdir=skel:lower") < 0)
        return err_set(err, errno,
                       "mount the image as an overlay (is the overlay module there? modprobe "
                       "overlay):");
    return 0;
}

static int mount_skeleton_as_root(struct err *err)
{
    if (mount("skel", "root", NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, "root", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE_FLAGS, NULL) < 0)
        return err_set(err, errno, "mount the root of the sandbox:");
    return 0;
}

static int open_stage(struct err *err)
{
    static const char *const places[] = {"/tmp", "/mnt", "/dev"};
    const char *place = NULL;
    for (size_t i = 0; place == NULL && i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], F_OK) == 0)
            place = places[i];
    }
    if (place == NULL)
        return err_set(err, ENOENT, "neither /tmp, /mnt nor /dev is a directory here");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_set(err, errno, "make the mounts private:");
    if (mount("root", place, "tmpfs", SAFE_FLAGS, "size=64m,mode=755") < 0)
        return err_set(err, errno, "mount a stage for the root:");
    if (chdir(place) < 0)
        return err_set(err, errno, "enter the stage of the root:");
    int result = make_dir("skel", 0755, err);
    return result < 0 ? result : make_dir("root", 0755, err);
}

/* The zygote's own /proc lies below each sandbox's: the kernel lets a user namespace mount a /proc
 * only where one is fully visible, and the zygote and the notify handler look processes up in it.
 */
static int mount_own_proc(struct err *err)
{
    if (mount("proc", "root/proc", "proc", SAFE_FLAGS | MS_NOEXEC, NULL) < 0)
        return err_set(err, errno,
                       "mount /proc of the template (within a container, its /proc must not be "
                       "masked):");
    zygote.proc_root = open("root/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (zygote.proc_root < 0)
        return err_set(err, errno, "open /proc of the template:");
    return 0;
}

static int enter_root(struct err *err)
{
    if (chdir("root") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return err_set(err, errno, "enter the root of the sandbox:");
    zygote.template_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (zygote.template_mounts < 0)
        return err_set(err, errno, "open the template's mount namespace:");
    return 0;
}

static int place_trees(int dev, int usr, const int *binds, const int *copied, struct err *err)
{
    const struct jail_plan *plan = &zygote.hand.plan;
    fd_owner root_fd = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return err_set(err, errno, "open the root of the sandbox:");
    int result = 0;
    if (usr >= 0)
        result = place_tree(usr, root_fd, "/usr", 1, err);
    if (result == 0 && dev >= 0 &&
        syscall(SYS_move_mount, dev, "", AT_FDCWD, "root/dev", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        result = err_set(err, errno, "mount /dev of the sandbox:");
    else if (result == 0 && dev < 0)
        result = build_dev(err);
    for (uint32_t i = 0; result == 0 && i < plan->bind_count; i++)
        result = copied[i] ? 0
                           : place_tree(binds[i], root_fd, plan->binds[i].target,
                                        (int)plan->binds[i].read_only, err);
    return result;
}

int root_build(const int *tree_fds, uint32_t tree_count, struct err *err)
{
    const struct handover_plan *hand = &zygote.hand;
    uint32_t expected = hand->has_rootfs + hand->has_dev + hand->has_usr + hand->plan.bind_count;
    if (tree_count != expected ||
        (hand->has_rootfs + hand->has_usr == 0 && (hand->plan.flags & JAIL_KVM) == 0))
        return err_set(err, EPROTO, "the plan names %u trees, %u came", expected, tree_count);
    int next = 0;
    int rootfs = hand->has_rootfs ? tree_fds[next++] : -1;
    int dev = hand->has_dev ? tree_fds[next++] : -1;
    int usr = hand->has_usr ? tree_fds[next++] : -1;
    const int *binds = tree_fds + next;
    int copied[FUNCTION_BINDS_MAX] = {0};
    int result = open_stage(err);
    if (result == 0)
        result = build_skeleton(binds, copied, err);
    if (result == 0 && usr >= 0)
        result = build_host_usr(err);
    if (result == 0)
        result = rootfs >= 0 ? mount_image(rootfs, err) : mount_skeleton_as_root(err);
    if (result == 0)
        result = place_trees(dev, usr, binds, copied, err);
    if (result == 0)
        result = mount_own_proc(err);
    if (result == 0)
        result = enter_root(err);
    for (uint32_t i = 0; i < tree_count; i++)
        close(tree_fds[i]);
    return result;
}

static int write_maps(pid_t pid, struct err *err)
{
    static const char *const files[] = {"uid_map", "gid_map"};
    const struct jail_plan *plan = &zygote.hand.plan;
    const uint32_t own[] = {plan->uid, plan->gid}; /* rootless: the only ones that are mapped */
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[64], line[64];
        if (plan->rootless)
            snprintf(line, sizeof(line), "%u 0 1\n", own[i]);
        else
            snprintf(line, sizeof(line), "0 0 %u\n", plan->uid_count);
        snprintf(path, sizeof(path), "%d/%s", (int)pid, files[i]);
        int result = fd_write_file_at(zygote.proc_root, path, line);
        if (result < 0)
            return err_set(err, -result, "map ids of the sandbox:");
    }
    return 0;
}

/*
 * Bounds of the new user namespace, set from within. No namespace of any kind can be made there or
 * below it; what else is counted by user would count for the owners of the outer namespaces too, up
 * to the host's root.
 */
static int bound_userns(void)
{
    static const struct {
        const char *name;
        const char *max;
    } bounds[] = {
        {"user_namespaces", "0"},    {"mnt_namespaces", "0"},  {"pid_namespaces", "0"},
        {"net_namespaces", "0"},     {"ipc_namespaces", "0"},  {"uts_namespaces", "0"},
        {"cgroup_namespaces", "0"},  {"time_namespaces", "0"}, {"inotify_instances", "32"},
        {"inotify_watches", "4096"}, {"fanotify_groups", "0"}, {"fanotify_marks", "0"},
    };
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "sys/user/max_%s", bounds[i].name);
        int result = fd_write_file_at(zygote.proc_root, path, bounds[i].max);
        if (result < 0 && result != -ENOENT)
            return result;
    }
    return 0;
}

int inner_userns_make(struct err *err)
{
    int up[2];
    int down[2];
    if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0)
        return err_set(err, errno, "pipe for the inner user namespace:");
    pid_t child = fork();
    if (child < 0)
        return err_set(err, errno, "fork for the inner user namespace:");
    if (child == 0) {
        char byte = 0;
        if (unshare(CLONE_NEWUSER) < 0)
            byte = (char)errno;
        if (write(up[1], &byte, 1) != 1 || byte != 0 || read(down[0], &byte, 1) != 1)
            _exit(1);
        byte = (char)-bound_userns();
        if (write(up[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause(); /* killed by the zygote once the namespace is open */
    }
    char byte = 0;
    char path[64];
    int result = 0;
    if (read(up[0], &byte, 1) != 1 || byte != 0)
        result = err_set(err, byte, "make the inner user namespace:");
    if (result == 0)
        result = write_maps(child, err);
    if (result == 0 && (write(down[1], "x", 1) != 1 || read(up[0], &byte, 1) != 1 || byte != 0))
        result = err_set(err, byte, "forbid namespaces within the sandbox:");
    snprintf(path, sizeof(path), "%d/ns/user", (int)child);
    if (result == 0) {
        zygote.inner_userns = openat(zygote.proc_root, path, O_RDONLY | O_CLOEXEC);
        if (zygote.inner_userns < 0)
            result = err_set(err, errno, "open the inner user namespace:");
    }
    kill(child, SIGKILL);
    for (int i = 0; i < 2; i++) {
        close(up[i]);
        close(down[i]);
    }
    return result; /* the child is reaped by the zygote's loop */
}
