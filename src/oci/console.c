/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal is opened below the container's root by openat2, must be the multiplexer of a devpts
 * file system, and its far end comes from the near one (TIOCGPTPEER), never from a path that the
 * container could have bent.
 */
#include "oci/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/in_root.h"
#include "oci/sys.h"

#define DEVPTS_MAGIC 0x1cd1

int oci_send_descriptor(int socket, int fd, const char *text)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    ssize_t n;
    do {
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int oci_receive_descriptor(int socket)
{
    char text[256];
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {text, sizeof(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t n;
    do {
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    struct cmsghdr *head = n == 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
        head->cmsg_len != CMSG_LEN(sizeof(int)))
        return -EPROTO;
    int fd;
    memcpy(&fd, CMSG_DATA(head), sizeof(fd));
    return fd;
}

int oci_console_connect(const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    fd_owner dir = -1;
    if (strlen(path) < sizeof(address.sun_path)) {
        strcpy(address.sun_path, path);
    } else { /* longer than an address can be: by way of a descriptor */
        dir = open(path, O_PATH | O_CLOEXEC);
        if (dir < 0)
            return err_set(err, errno, "open the socket %s:", path);
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", dir);
    }
    fd_owner sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
        return err_set(err, errno, "connect to the socket %s:", path);
    return fd_steal(&sock);
}

static int open_multiplexer(int root, struct err *err)
{
    struct statfs system;
    struct stat status;
    fd_owner near = in_root_open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
    if (near < 0)
        return err_set(err, -near,
                       "process.terminal: open /dev/pts/ptmx (is a devpts mounted there?):");
    if (fstatfs(near, &system) < 0 || fstat(near, &status) < 0)
        return err_set(err, errno, "process.terminal:");
    if (system.f_type != DEVPTS_MAGIC || !S_ISCHR(status.st_mode) ||
        status.st_rdev != makedev(5, 2))
        return err_set(err, ENODEV,
                       "process.terminal: /dev/pts/ptmx is not the multiplexer of a devpts");
    return fd_steal(&near);
}

static int bind_console(int root, int terminal, struct err *err)
{
    fd_owner tree = sys_open_tree(terminal, "", OPEN_TREE_CLONE | SYS_AT_EMPTY_PATH);
    if (tree < 0)
        return err_set(err, -tree, "process.terminal: copy the terminal's mount:");
    fd_owner target = in_root_make(root, "/dev/console", false, true);
    int result = target < 0 ? target : sys_move_tree(tree, target);
    return result < 0 ? err_set(err, -result, "process.terminal: bind /dev/console:") : 0;
}

void oci_console_size(struct oci_process *process)
{
    struct winsize size;
    if (process->console_height != 0 || process->console_width != 0 ||
        ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
        return;
    process->console_height = size.ws_row;
    process->console_width = size.ws_col;
}

int oci_console_open(int root, const struct oci_process *process, int socket, bool mounted,
                     int *out, struct err *err)
{
    int unlocked = 0;
    unsigned int number = 0;
    char name[32];
    fd_owner near = open_multiplexer(root, err);
    if (near < 0)
        return near;
    if (ioctl(near, TIOCSPTLCK, &unlocked) < 0 || raw3(SYS_ioctl, near, TIOCGPTN, &number) < 0)
        return err_set(err, errno, "process.terminal: unlock it:");
    fd_owner far = ioctl(near, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (far < 0)
        return err_set(err, errno, "process.terminal: open its far end:");
    struct winsize size = {.ws_row = process->console_height, .ws_col = process->console_width};
    if ((size.ws_row != 0 || size.ws_col != 0) && ioctl(near, TIOCSWINSZ, &size) < 0)
        return err_set(err, errno, "process.consoleSize:");
    int result = mounted ? bind_console(root, far, err) : 0;
    if (result < 0)
        return result;
    snprintf(name, sizeof(name), "/dev/pts/%u", number);
    result = oci_send_descriptor(socket, near, name);
    if (result < 0)
        return err_set(err, -result, "process.terminal: send it to the console socket:");
    *out = fd_steal(&far);
    return 0;
}

int oci_console_take(int terminal, struct err *err)
{
    for (int i = 0; i < 3; i++) {
        if (dup2(terminal, i) < 0)
            return err_set(err, errno, "process.terminal: make it descriptor %d:", i);
    }
    if (ioctl(0, TIOCSCTTY, 0) < 0)
        return err_set(err, errno, "process.terminal: make it the controlling terminal:");
    return 0;
}

void oci_console_give_stdio(uint32_t uid)
{
    for (int i = 0; i < 3; i++) {
        struct stat status;
        if (fstat(i, &status) < 0 || status.st_uid == uid)
            continue;
        if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3))
            continue;
        /* a read-only file system, a file of an unmapped owner: stays as it is */
        if (fchown(i, uid, status.st_gid) < 0)
            continue;
    }
}
