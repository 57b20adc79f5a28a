/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "measure.h"

extern char **environ;

static void become(char *const argv[], int out)
{
    if (out >= 0)
        dup2(out, 1);
    execve(argv[0], argv, environ);
    _exit(127);
}

pid_t spawn(enum spawn_way way, char *const argv[], int out)
{
    pid_t pid;
    if (way == SPAWN_VFORK) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
        pid = vfork();
#pragma GCC diagnostic pop
    } else {
        pid = fork();
    }
    if (pid == 0)
        become(argv, out);
    if (pid < 0)
        die("fork:");
    return pid;
}

uint64_t read_stamp(int fd)
{
    struct timespec stamp;
    if (fd_read_all(fd, &stamp, sizeof(stamp)) != (ssize_t)sizeof(stamp))
        return 0;
    return (uint64_t)stamp.tv_sec * NS_PER_SEC + (uint64_t)stamp.tv_nsec;
}

struct spawned spawn_timed(enum spawn_way way, char *const argv[])
{
    struct spawned result;
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        die("make a pipe:");
    result.begun_ns = clock_now_ns();
    pid_t pid = spawn(way, argv, out[1]);
    while (waitpid(pid, &result.status, 0) < 0 && errno == EINTR)
        ;
    result.ended_ns = clock_now_ns();
    close(out[1]);
    result.first_ns = read_stamp(out[0]);
    close(out[0]);
    return result;
}
