/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a service process of ours gives up everything it does not need; see confine.h.
 *
 * Order: namespaces first (they need privilege), then the root, then uid and capabilities, then
 * NO_NEW_PRIVS and the filter, which would refuse all of the former. A process without privilege
 * begins with a user namespace that maps its own uid. The importer of a privileged process gets a
 * user namespace that maps 0..65535 onto themselves: it may give files of its root to these ids,
 * and has no capability outside.
 */
#include "jail/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/confine_filter.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)
#define MAPPED_IDS 65536

static int has_cap_sys_admin(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) < 0)
        return 0;
    return (data[0].effective >> CAP_SYS_ADMIN) & 1;
}

static int map_write(pid_t pid, const char *file, const char *line)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    return fd_write_file_at(AT_FDCWD, path, line);
}

/* A user namespace that maps 0..65535 onto themselves; only a process outside may write such a map.
 */
static int enter_identity_userns(struct err *err)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return err_set(err, errno, "pipe for the user namespace:");
    pid_t self = getpid();
    pid_t helper = fork();
    if (helper < 0) {
        close(ready[0]);
        close(ready[1]);
        return err_set(err, errno, "fork for the user namespace:");
    }
    if (helper == 0) {
        char byte;
        char line[32];
        close(ready[1]);
        snprintf(line, sizeof(line), "0 0 %d\n", MAPPED_IDS);
        if (read(ready[0], &byte, 1) != 1)
            _exit(1);
        _exit(map_write(self, "uid_map", line) < 0 || map_write(self, "gid_map", line) < 0);
    }
    close(ready[0]);
    int result = unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
    if (result == 0 && write(ready[1], "x", 1) != 1)
        result = -errno;
    close(ready[1]);
    int status = 0;
    while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
        ;
    if (result == 0 && status != 0)
        result = -EPERM;
    if (result < 0)
        return err_set(err, -result, "make the importer's user namespace:");
    return 0;
}

static int enter_own_userns(struct err *err)
{
    char uid_line[48];
    char gid_line[48];
    snprintf(uid_line, sizeof(uid_line), "%u %u 1\n", (unsigned)geteuid(), (unsigned)geteuid());
    snprintf(gid_line, sizeof(gid_line), "%u %u 1\n", (unsigned)getegid(), (unsigned)getegid());
    if (unshare(CLONE_NEWUSER) < 0)
        return err_set(
            err, errno,
            "make a user namespace (allow it by sysctl kernel.unprivileged_userns_clone=1 "
            "and user.max_user_namespaces):");
    int result = fd_write_file_at(AT_FDCWD, "/proc/self/uid_map", uid_line);
    if (result == 0)
        result = fd_write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");
    if (result == 0)
        result = fd_write_file_at(AT_FDCWD, "/proc/self/gid_map", gid_line);
    return result < 0 ? err_set(err, -result, "map the own uid:") : 0;
}

/* A directory that exists everywhere and may be covered in our own mount namespace. */
static const char *mount_place(void)
{
    static const char *const places[] = {"/tmp", "/mnt", "/dev", "/proc"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], F_OK) == 0)
            return places[i];
    }
    return "/";
}

/* The directory that becomes the root is named by descriptor; its path is taken and checked. */
static int mount_directory(int root_fd, const char *place, struct err *err)
{
    char link[32];
    char path[4096];
    struct stat wanted;
    struct stat mounted;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", root_fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    if (length < 0 || fstat(root_fd, &wanted) < 0)
        return err_set(err, errno, "name the directory that becomes the root:");
    path[length] = '\0';
    if (mount(path, place, NULL, MS_BIND, NULL) < 0)
        return err_set(err, errno, "bind %s as the root:", path);
    if (stat(place, &mounted) < 0 || mounted.st_ino != wanted.st_ino ||
        mounted.st_dev != wanted.st_dev)
        return err_set(err, ESTALE, "%s changed while it was bound as the root", path);
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount(NULL, place, NULL, flags, NULL) < 0)
        return err_set(err, errno, "restrict the bound root:");
    return 0;
}

static int replace_root(int root_fd, struct err *err)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_set(err, errno, "make the mounts private:");
    const char *place = mount_place();
    if (root_fd >= 0) {
        int result = mount_directory(root_fd, place, err);
        if (result < 0)
            return result;
    } else if (mount("empty", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
                     "size=4k,mode=555") < 0) {
        return err_set(err, errno, "mount an empty root:");
    }
    if (chdir(place) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return err_set(err, errno, "change to the own root:");
    return 0;
}

static int set_capabilities(unsigned int keep_low, struct err *err)
{
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        bool keep = cap < 32 && ((keep_low >> cap) & 1);
        if (!keep && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL && errno != EPERM)
            return err_set(err, errno, "drop capability %d from the bounding set:", cap);
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = keep_low, .permitted = keep_low, .inheritable = 0}, {0}};
    if (syscall(SYS_capset, &header, data) < 0)
        return err_set(err, errno, "drop capabilities:");
    return 0;
}

static int become(uid_t uid, gid_t gid, struct err *err)
{
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return err_set(err, errno, "become uid %u gid %u:", (unsigned)uid, (unsigned)gid);
    return 0;
}

static int set_limit(int resource, rlim_t value, struct err *err)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return err_set(err, errno, "getrlimit %d:", resource);
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < value)
        value = limit.rlim_max;
    limit.rlim_cur = limit.rlim_max = value;
    if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return err_set(err, errno, "setrlimit %d:", resource);
    return 0;
}

static int set_limits(const struct confine_options *options, struct err *err)
{
    int result = set_limit(RLIMIT_CORE, 0, err);
    if (result == 0)
        result = set_limit(RLIMIT_MEMLOCK, 0, err);
    if (result == 0 && options->profile == CONFINE_PARSE)
        result = set_limit(RLIMIT_FSIZE, 0, err);
    if (result == 0 && options->mem_bytes > 0)
        result = set_limit(RLIMIT_AS, options->mem_bytes, err);
    return result;
}

int confine_self(const struct confine_options *options, struct err *err)
{
    bool privileged = geteuid() == 0 && has_cap_sys_admin();
    bool import = options->profile == CONFINE_IMPORT;
    unsigned int keep = 0;
    int result = 0;
    if (!privileged)
        result = enter_own_userns(err);
    else if (import)
        result = enter_identity_userns(err);
    if (result < 0)
        return result;
    if (unshare(NAMESPACES) < 0)
        return err_set(err, errno, "make the namespaces of this process:");
    result = replace_root(import ? options->root_fd : -1, err);
    if (result == 0)
        result = set_limits(options, err);
    if (result < 0)
        return result;
    if (privileged && import)
        keep = 1u << CAP_CHOWN | 1u << CAP_FOWNER | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FSETID;
    /* the bounding set needs CAP_SETPCAP, becoming somebody CAP_SETUID: so in this order */
    if (privileged && !import) {
        for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
        result = become(options->uid, options->gid, err);
    }
    if (result == 0)
        result = set_capabilities(keep, err);
    if (result < 0)
        return result;
    /* becoming somebody clears it, and a dead owner must not leave a service behind */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_set(err, errno, "set NO_NEW_PRIVS:");
    return confine_filter_install(options->profile, err);
}
