/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: a user namespace within the sandbox's, uid 0 in it, and then what root may do
 *   there: mounts, raw sockets, nested again and again.
 * Stopped by: max_user_namespaces is 0 in the template's namespace, and the filter masks the
 *   flag.
 * Lives in: src/jail (zygote), filter.c.
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        attempt(path, write(fd, text, strlen(text)));
        close(fd);
    }
}

static void as_root(void *arg)
{
    (void)arg;
    char map[64];
    snprintf(map, sizeof(map), "0 %u 1", geteuid());
    if (!attempt("unshare user namespace", syscall(SYS_unshare, CLONE_NEWUSER)))
        return;
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", map);
    attempt("unshare mount namespace as its root",
            syscall(SYS_unshare, CLONE_NEWNS | CLONE_NEWNET));
    attempt("mount as its root", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, ""));
    attempt("raw socket as its root", syscall(SYS_socket, AF_INET, SOCK_RAW, 1));
}

void attack(void)
{
    in_child("user namespace", as_root, NULL);
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    attempt("clone into a user namespace", child);
    /* A map written to the own namespace would add uids of the host. */
    put("/proc/self/uid_map", "0 0 4294967295");
    put("/proc/self/gid_map", "0 0 4294967295");
    put("/proc/self/setgroups", "allow");
    put("/proc/sys/user/max_user_namespaces", "1000");
}
