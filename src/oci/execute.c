/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last steps of a container's process: which program, with which environment, under which
 * filter.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/passwd.h"
#include "oci/process.h"
#include "oci/sys.h"

static const char *variable(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    }
    return NULL;
}

static int usable(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int oci_process_find(const struct oci_process *process, char *out, struct err *err)
{
    const char *name = process->args.items[0];
    char *const none[] = {NULL};
    char *const *environment = process->env.items != NULL ? process->env.items : none;
    const char *path = variable(environment, "PATH");
    int denied = 0;
    if (name[0] == '\0')
        return err_set(err, EINVAL, "process.args: the program's name is empty");
    if (strchr(name, '/') != NULL) {
        int result = usable(name);
        if (result < 0)
            return err_set(err, -result, "executable file %s:", name);
        snprintf(out, PATH_MAX, "%s", name);
        return 0;
    }
    if (path == NULL)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const char *at = path; at != NULL; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        size_t length = strcspn(at, ":");
        int used = snprintf(out, PATH_MAX, "%.*s/%s", length > 0 ? (int)length : 1,
                            length > 0 ? at : ".", name);
        if (used < 0 || used >= PATH_MAX)
            continue;
        int result = usable(out);
        if (result == 0)
            return 0;
        if (result == -EACCES)
            denied = 1;
    }
    if (denied)
        return err_set(err, EACCES, "executable file %s:", name);
    return err_set(err, ENOENT, "executable file `%s` not found in $PATH:", name);
}

char **oci_process_environment(const struct oci_process *process)
{
    size_t count = process->env.count;
    char **all = calloc(count + 2, sizeof(*all));
    char *home = malloc(PATH_MAX);
    if (all == NULL || home == NULL) {
        free(all);
        free(home);
        return NULL;
    }
    if (count > 0)
        memcpy(all, process->env.items, count * sizeof(*all));
    if (variable(all, "HOME") != NULL) {
        free(home);
        return all;
    }
    strcpy(home, "HOME=");
    if (oci_passwd_get(process->user.uid, OCI_PASSWD_HOME, home + 5, PATH_MAX - 5) < 0 ||
        home[5] == '\0')
        strcpy(home, "HOME=/");
    all[count] = home;
    return all;
}

/* --- the filter --- */

/* Shared with the helper process, which is under no filter. */
struct listener {
    _Atomic int fd;   /* the filter's; -1: not there yet, -2: there will be none */
    _Atomic int done; /* 1: sent; -errno */
    int sock;
    const char *text;
    char stack[16384];
};

static int send_listener(void *arg)
{
    struct listener *listener = arg;
    int fd;
    while ((fd = atomic_load(&listener->fd)) == -1)
        raw0(SYS_sched_yield);
    if (fd >= 0) {
        char control[CMSG_SPACE(sizeof(int))] = {0};
        struct iovec part = {(void *)(uintptr_t)listener->text, strlen(listener->text)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof(control)};
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof(fd));
        long result = raw3(SYS_sendmsg, listener->sock, &message, MSG_NOSIGNAL);
        raw1(SYS_close, fd); /* the table is shared: the program must not have it */
        atomic_store(&listener->done, result < 0 ? (int)result : 1);
    }
    raw1(SYS_exit, 0);
    return 0;
}

/*
 * With a listener: once the filter is there, the process may not be able to send it any more
 * (sendmsg itself may be one of the calls that wait for the listener). A helper that shares memory
 * and descriptors and was cloned before sends it, while we wait without a system call.
 */
static int install_with_listener(const struct sock_fprog *program, unsigned int flags, int sock,
                                 const char *text, struct err *err)
{
    struct listener *listener = malloc(sizeof(*listener));
    if (listener == NULL)
        return err_set(err, ENOMEM, "send the seccomp listener:");
    atomic_init(&listener->fd, -1);
    atomic_init(&listener->done, 0);
    listener->sock = sock;
    listener->text = text;
    int helper = clone(send_listener, listener->stack + sizeof(listener->stack),
                       CLONE_VM | CLONE_FILES | SIGCHLD, listener);
    if (helper < 0)
        return err_set(err, errno, "send the seccomp listener:");
    long fd = raw3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
    atomic_store(&listener->fd, fd < 0 ? -2 : (int)fd);
    if (fd < 0)
        return err_set(err, (int)-fd, "install the seccomp filter:");
    int done;
    while ((done = atomic_load(&listener->done)) == 0)
        __builtin_ia32_pause();
    return done < 0 ? err_set(err, -done, "send the seccomp listener:") : 0;
}

int oci_process_execute(const struct oci_process *process, const char *path, char **environment,
                        const struct oci_filter *filter, int listener, const char *state_json,
                        struct err *err)
{
    if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_set(err, errno, "process.noNewPrivileges:");
    if (filter->length > 0) {
        struct sock_fprog program = {.len = filter->length,
                                     .filter = (struct sock_filter *)(uintptr_t)filter->code};
        if (filter->notifies && listener >= 0) {
            int result = install_with_listener(&program, filter->flags, listener, state_json, err);
            if (result < 0)
                return result;
        } else {
            long result = raw3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter->flags, &program);
            if (result < 0)
                return err_set(err, (int)-result, "install the seccomp filter:");
        }
    }
    execve(path, process->args.items, environment);
    return err_set(err, errno, "execute %s:", path);
}
