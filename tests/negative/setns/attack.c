/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: enters namespaces: by every /proc/PID/ns link, by a pidfd, by climbing from the own
 *   ones to their parents and owners (NS_GET_PARENT, NS_GET_USERNS), by a socket's namespace
 *   (SIOCGSKNS) and by pidfd ioctls.
 * Stopped by: the filter (setns is not on the list); behind it, no capability over any of
 *   them, and parents outside the own scope are not given out.
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const char *const names[] = {"mnt",
                                    "net",
                                    "pid",
                                    "user",
                                    "uts",
                                    "ipc",
                                    "cgroup",
                                    "time",
                                    "pid_for_children",
                                    "time_for_children"};

static void enter(const char *what, int fd)
{
    char text[128];
    snprintf(text, sizeof(text), "setns %s", what);
    attempt(text, syscall(SYS_setns, fd, 0));
    int parent = ioctl(fd, NS_GET_PARENT);
    if (parent >= 0) {
        got("the parent of %s", what);
        close(parent);
    }
    int owner = ioctl(fd, NS_GET_USERNS);
    if (owner >= 0) {
        snprintf(text, sizeof(text), "setns to the owner of %s", what);
        attempt(text, syscall(SYS_setns, owner, 0));
        int above = ioctl(owner, NS_GET_PARENT);
        if (above >= 0)
            got("the user namespace above %s", what);
        close(owner);
    }
}

static void of_process(const char *process)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        enter(path, fd);
        close(fd);
    }
}

void attack(void)
{
    of_process("self");
    of_process("1");
    long pidfd = syscall(SYS_pidfd_open, 1, 0);
    if (pidfd >= 0) {
        static const int flags[] = {0x20000, 0x40000000, 0x20000000, 0x10000000, 0x2020000};
        for (size_t i = 0; i < COUNT(flags); i++)
            attempt("setns by a pidfd of pid 1", syscall(SYS_setns, (int)pidfd, flags[i]));
        for (unsigned int number = 1; number <= 10; number++) {
            int fd = ioctl((int)pidfd, _IO(0xff, number), 0);
            if (fd >= 0) {
                enter("a pidfd's namespace", fd);
                close(fd);
            }
        }
    }
    int socks[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, socks) == 0 || net_fd >= 0) {
        int fd = ioctl(net_fd >= 0 ? net_fd : socks[0], SIOCGSKNS);
        if (fd >= 0) {
            got("the network namespace of a socket");
            enter("a socket's namespace", fd);
        } else {
            blocked("SIOCGSKNS: %s", strerror(errno));
        }
    }
}
