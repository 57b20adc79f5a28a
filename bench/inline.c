/* SPDX-License-Identifier: Apache-2.0 */
#include "inline.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/filter.h"
#include "link.h"
#include "measure.h"

static struct filter_program filter;
static const char *hierarchies[3];
static size_t hierarchy_count;
static pid_t owner;         /* names our cgroup: within a PID namespace, the child is number 1 */
static unsigned int serial; /* names a veth: the last one's may still be going away */

static void check(long result, const char *what)
{
    if (result < 0)
        die("%s:", what);
}

void inline_prepare(void)
{
    static const char *const v1[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids",
                                     "/sys/fs/cgroup/cpu"};
    struct jail_plan plan;
    struct err err;
    jail_plan_init(&plan);
    owner = getpid();
    plan.net = FUNCTION_NET_NONE; /* no notify handler here */
    if (filter_compile(&plan, &filter, &err) < 0)
        die("%s", err.text);
    if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
        hierarchies[hierarchy_count++] = "/sys/fs/cgroup";
    else
        for (size_t i = 0; i < 3; i++) {
            if (access(v1[i], F_OK) == 0)
                hierarchies[hierarchy_count++] = v1[i];
        }
}

static void group_path(char path[128], size_t hierarchy)
{
    snprintf(path, 128, "%s/bench-inline-%d", hierarchies[hierarchy], (int)owner);
}

void inline_clean(void)
{
    char path[128];
    serial++;
    for (size_t i = 0; i < hierarchy_count; i++) {
        group_path(path, i);
        for (int tries = 0; rmdir(path) < 0 && errno == EBUSY && tries < 100; tries++)
            sleep_us(100);
    }
}

void inline_finish(void)
{
    sleep_us(100000); /* the last network namespaces are taken apart in the background */
}

void inline_unshare(int flag)
{
    check(unshare(flag), "unshare");
}

void inline_mount(const char *source, const char *target, const char *type, unsigned long flags,
                  const char *data)
{
    if (mount(source, target, type, flags, data) < 0)
        die("mount %s:", target);
}

void inline_mounts_new(void)
{
    check(unshare(CLONE_NEWNS), "unshare mounts");
    inline_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static const char *const shown[] = {"usr", "bin", "lib", "lib64", "sbin", "etc"};

void inline_stage(void)
{
    static const char *const dirs[] = {"usr", "bin", "lib",  "lib64", "sbin",
                                       "etc", "dev", "proc", "tmp",   "old"};
    char path[64];
    inline_mount("root", INLINE_STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m");
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        snprintf(path, sizeof(path), INLINE_STAGE "/%s", dirs[i]);
        check(mkdir(path, 0755), path);
    }
}

void inline_root(void)
{
    char from[64];
    char to[64];
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        snprintf(from, sizeof(from), "/%s", shown[i]);
        snprintf(to, sizeof(to), INLINE_STAGE "/%s", shown[i]);
        inline_mount(from, to, NULL, MS_BIND, NULL);
        inline_mount(NULL, to, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
    }
}

void inline_dev(void)
{
    static const struct {
        const char *name;
        unsigned int minor;
    } nodes[] = {{"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}};
    char path[64];
    inline_mount("dev", INLINE_STAGE "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k");
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        snprintf(path, sizeof(path), INLINE_STAGE "/dev/%s", nodes[i].name);
        check(mknod(path, S_IFCHR | 0666, makedev(1, nodes[i].minor)), path);
    }
}

void inline_pivot(void)
{
    check(chdir(INLINE_STAGE), "chdir");
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "umount the old root");
    check(chdir("/"), "chdir");
}

void inline_user(void)
{
    check(unshare(CLONE_NEWUSER), "unshare user");
    if (fd_write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 ||
        fd_write_file_at(AT_FDCWD, "/proc/self/uid_map", "0 0 1") < 0 ||
        fd_write_file_at(AT_FDCWD, "/proc/self/gid_map", "0 0 1") < 0)
        die("write the user namespace's maps");
}

void inline_net_lo(void)
{
    check(unshare(CLONE_NEWNET), "unshare net");
    int sock = link_open();
    check(link_up(sock, 1), "bring lo up"); /* lo is number 1 in a new namespace */
    close(sock);
}

void inline_net_veth(void)
{
    char outside[16];
    int host = link_open();
    inline_net_lo();
    fd_owner here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    snprintf(outside, sizeof(outside), "skb%u", serial);
    check(link_add_veth(host, outside, "eth0", here), "make a veth pair");
    int sock = link_open();
    check(link_up(sock, 2), "bring eth0 up");
    close(sock);
    close(host);
}

void inline_cgroup_make(void)
{
    char path[128];
    for (size_t i = 0; i < hierarchy_count; i++) {
        group_path(path, i);
        check(mkdir(path, 0755), path);
    }
}

static void set_limit(const char *dir, const char *file, const char *value)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    fd_write_file_at(AT_FDCWD, path, value); /* of another hierarchy: not there */
}

void inline_cgroup_join(void)
{
    char path[128];
    inline_cgroup_make();
    for (size_t i = 0; i < hierarchy_count; i++) {
        group_path(path, i);
        set_limit(path, "memory.limit_in_bytes", "134217728");
        set_limit(path, "memory.max", "134217728");
        set_limit(path, "pids.max", "64");
        set_limit(path, "cpu.cfs_quota_us", "100000");
        set_limit(path, "cpu.max", "100000 100000");
        set_limit(path, "cgroup.procs", "0");
    }
}

void inline_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    for (unsigned long i = 0; prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++)
        ;
    check(syscall(SYS_capset, &header, none), "capset");
}

void inline_no_new_privs(void)
{
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "NO_NEW_PRIVS");
}

void inline_seccomp(void)
{
    struct sock_fprog program = {.len = (unsigned short)filter.length, .filter = filter.code};
    check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "seccomp");
}

/* Within all namespaces but the user's, which must come last here: the binds are the host's. */
static void isolate_and_exec(int program, int out, int with_veth)
{
    static char name[] = "bare";
    char *const argv[] = {name, NULL};
    inline_cgroup_join();
    if (with_veth)
        inline_net_veth();
    else
        inline_net_lo();
    inline_mounts_new();
    inline_stage();
    inline_root();
    inline_dev();
    inline_mount("tmp", INLINE_STAGE "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m");
    inline_mount("proc", INLINE_STAGE "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    inline_pivot();
    check(sethostname("sandbox", 7), "sethostname");
    inline_user();
    inline_capabilities();
    inline_no_new_privs();
    dup2(out, 1);
    inline_seccomp();
    syscall(SYS_execveat, program, "", argv, argv + 1, 0x1000 /* AT_EMPTY_PATH */);
    _exit(127);
}

pid_t inline_sandbox(const char *program, int out, int with_veth)
{
    unsigned long flags = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
    int fd = open(program, O_PATH | O_CLOEXEC);
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        isolate_and_exec(fd, out, with_veth);
    check(pid, "clone");
    close(fd);
    return pid;
}
