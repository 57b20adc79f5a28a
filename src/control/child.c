/* SPDX-License-Identifier: Apache-2.0 */
/* Service processes; see child.h. */
#include "control/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

int child_program(struct err *err)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_set(err, errno, "open the own program:") : fd;
}

/* Moves the descriptors to their numbers: first all away from these, then each to its own. */
static int place_fds(const int *fds, size_t count, int null)
{
    int away[CHILD_FDS_MAX];
    for (size_t i = 0; i < count; i++) {
        away[i] = fcntl(fds[i] < 0 ? null : fds[i], F_DUPFD_CLOEXEC, CHILD_FD_FIRST + (int)count);
        if (away[i] < 0)
            return -errno;
    }
    for (size_t i = 0; i < count; i++) {
        if (dup2(away[i], CHILD_FD_FIRST + (int)i) < 0)
            return -errno;
    }
    int empty = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the gateway hands it on as a stdin */
    if (empty < 0 || dup2(empty, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return -errno;
    return 0;
}

static void become_child(int program, char *const argv[], const int *fds, size_t count,
                         pid_t supervisor)
{
    static char *const environment[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    /* dies with the supervisor; if that is dead already, the signal will not come any more */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != supervisor)
        _exit(1);
    setsid();
    int kept = fcntl(program, F_DUPFD_CLOEXEC, CHILD_FD_FIRST + (int)count);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (kept < 0 || null < 0 || place_fds(fds, count, null) < 0)
        _exit(1);
    /* every descriptor of ours is close-on-exec; this is for one that a library forgot */
    syscall(SYS_close_range, CHILD_FD_FIRST + (unsigned int)count, ~0u, 1u << 2 /* CLOEXEC */);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execveat(kept, "", argv, environment, AT_EMPTY_PATH);
    _exit(1);
}

int child_start(int program, char *const argv[], const int *fds, size_t fd_count, struct child *out,
                struct err *err)
{
    pid_t supervisor = getpid();
    if (fd_count > CHILD_FDS_MAX)
        return err_set(err, EINVAL, "start %s: too many descriptors", argv[1]);
    pid_t pid = fork();
    if (pid < 0)
        return err_set(err, errno, "start %s:", argv[1]);
    if (pid == 0)
        become_child(program, argv, fds, fd_count, supervisor);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        int code = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return err_set(err, code, "watch %s:", argv[1]);
    }
    *out = (struct child){.pid = pid, .pidfd = pidfd};
    return 0;
}

static int collect(struct child *child)
{
    int status = 0;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    fd_close(&child->pidfd);
    child->pid = 0;
    return status;
}

void child_kill(struct child *child)
{
    if (child->pid <= 0)
        return;
    kill(child->pid, SIGKILL);
    collect(child);
}

void child_collect(struct child *child, char *out, size_t room)
{
    int status = collect(child);
    if (WIFSIGNALED(status))
        snprintf(out, room, "signal %d", WTERMSIG(status));
    else
        snprintf(out, room, "exit status %d", WEXITSTATUS(status));
}
