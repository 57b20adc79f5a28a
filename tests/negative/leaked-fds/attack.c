/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: looks for descriptors that the sandbox was not meant to hold: every number up to
 *   65535, the listing of /proc/self/fd, and standard descriptors that are more than the
 *   request's streams (directories, sockets whose peer gives something away, O_PATH
 *   descriptors).
 * Stopped by: everything of ours is O_CLOEXEC, and close_range() before the request's three
 *   descriptors are put in place. The runner leaves descriptors 9 and 250 open on purpose.
 * Lives in: src/jail (sandbox start); src/cli (run).
 *
 * Control: user
 * Needs: open-fds
 */
#include "../harness/attack.h"

#include <dirent.h>
#include <sys/socket.h>

static void standard(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        note("descriptor %d is closed", fd);
        return;
    }
    if (S_ISDIR(status.st_mode))
        got("descriptor %d is a directory", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags & O_PATH)
        got("descriptor %d is O_PATH", fd);
    if (!S_ISSOCK(status.st_mode))
        return;
    int pidfd = -1;
    socklen_t size = sizeof(pidfd);
    if (getsockopt(fd, SOL_SOCKET, 77 /* SO_PEERPIDFD */, &pidfd, &size) == 0)
        got("descriptor %d is a socket that gives a pidfd of its peer", fd);
    struct ucred peer = {0};
    size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0)
        got("descriptor %d tells its peer's pid %d", fd, peer.pid);
}

void attack(void)
{
    for (int fd = 3; fd < 65536; fd++) {
        if (fd == net_fd || fcntl(fd, F_GETFD) < 0)
            continue;
        char link[64];
        char target[256] = "";
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, target, sizeof(target) - 1);
        got("descriptor %d is open: %s", fd, size > 0 ? target : "?");
    }
    DIR *dir = opendir("/proc/self/fd");
    if (dir) {
        for (struct dirent *entry; (entry = readdir(dir));) {
            int fd = atoi(entry->d_name);
            if (fd > 2 && fd != dirfd(dir) && fd != net_fd && fd > 65535)
                got("descriptor %d is listed", fd);
        }
        closedir(dir);
    }
    for (int fd = 0; fd < 3; fd++)
        standard(fd);
}
