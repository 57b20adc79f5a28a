/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newer system calls by their own names: libcs have them not at all or not yet. Each returns
 * what the kernel returned, or -errno; errno is not touched.
 */
#ifndef SKERRY_OCI_SYS_H
#define SKERRY_OCI_SYS_H

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "jail/raw.h"

/* classic mount flags: <sys/mount.h> and <linux/mount.h> do not go together everywhere */
#define SYS_MNT_DETACH       2
#define SYS_AT_RECURSIVE     0x8000
#define SYS_AT_EMPTY_PATH    0x1000
#define SYS_CLONE_NEWTIME    0x80ull
#define SYS_CLOSE_CLOEXEC    4u
#define SYS_PIDFD_SELF_CLONE 0x1000ull /* CLONE_PIDFD */

static inline int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode,
                              uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
    return (int)raw4(SYS_openat2, dir, path, &how, sizeof(how));
}

static inline int sys_open_tree(int dir, const char *path, unsigned int flags)
{
    return (int)raw3(SYS_open_tree, dir, path, flags | OPEN_TREE_CLOEXEC);
}

static inline int sys_move_mount(int from, const char *from_path, int to, const char *to_path,
                                 unsigned int flags)
{
    return (int)raw5(SYS_move_mount, from, from_path, to, to_path, flags);
}

/* Attaches a detached tree on what the descriptor `to` names. */
static inline int sys_move_tree(int tree, int to)
{
    return sys_move_mount(tree, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int sys_mount_setattr(int fd, const char *path, unsigned int flags, uint64_t set,
                                    uint64_t clear, uint64_t propagation, int userns)
{
    struct mount_attr attr = {.attr_set = set,
                              .attr_clr = clear,
                              .propagation = propagation,
                              .userns_fd = userns >= 0 ? (__u64)userns : 0};
    return (int)raw5(SYS_mount_setattr, fd, path, flags | (path[0] ? 0 : SYS_AT_EMPTY_PATH), &attr,
                     sizeof(attr));
}

static inline int sys_fsopen(const char *type)
{
    return (int)raw2(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fs, unsigned int command, const char *key, const void *value,
                               int aux)
{
    return (int)raw5(SYS_fsconfig, fs, command, key, value, aux);
}

static inline int sys_fsmount(int fs, uint64_t attributes)
{
    return (int)raw3(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
}

static inline int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
    return (int)raw3(SYS_close_range, first, last, flags);
}

static inline int sys_pidfd_open(pid_t pid)
{
    return (int)raw2(SYS_pidfd_open, pid, 0);
}

static inline int sys_pidfd_kill(int pidfd, int number)
{
    return (int)raw4(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

/* A child as by fork (own copy of the memory). flags: CLONE_*; *pidfd and cgroup as for clone3. */
static inline long sys_clone3(uint64_t flags, int exit_signal, int *pidfd, int cgroup)
{
    struct clone_args args = {.flags = flags | (pidfd != NULL ? SYS_PIDFD_SELF_CLONE : 0) |
                                       (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
                              .pidfd = (__u64)(uintptr_t)pidfd,
                              .exit_signal = (__u64)exit_signal,
                              .cgroup = cgroup >= 0 ? (__u64)cgroup : 0};
    return raw2(SYS_clone3, &args, sizeof(args));
}

#endif
