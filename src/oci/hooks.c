/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "oci/sys.h"

static void become_hook(const struct oci_hook *hook, int input)
{
    char *path = (char *)(uintptr_t)hook->path;
    char *alone[] = {path, NULL};
    char *empty[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(input, STDIN_FILENO);
    sys_close_range(3, ~0u, SYS_CLOSE_CLOEXEC);
    execve(path, hook->args.count > 0 ? hook->args.items : alone,
           hook->env.items != NULL ? hook->env.items : empty);
    _exit(127);
}

/* Writes what the pipe takes; a hook that reads nothing must not hold us up for ever. */
static void feed(int pipe, int pidfd, const char *text, uint64_t deadline)
{
    size_t left = strlen(text);
    fd_set_nonblock(pipe);
    while (left > 0) {
        ssize_t n = write(pipe, text, left);
        if (n > 0) {
            text += n;
            left -= (size_t)n;
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return; /* it has closed its stdin: its right */
        uint64_t now = clock_now_ns();
        if (now >= deadline)
            return;
        struct pollfd waits[2] = {{.fd = pipe, .events = POLLOUT}, {.fd = pidfd, .events = POLLIN}};
        uint64_t wait_ms = (deadline - now) / NS_PER_MS + 1;
        poll(waits, 2, wait_ms > INT_MAX ? -1 : (int)wait_ms);
        if (waits[1].revents != 0)
            return;
    }
}

/* 1: it has ended; 0: the time is over. */
static int await(int pidfd, uint64_t deadline)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    for (;;) {
        uint64_t now = clock_now_ns();
        uint64_t wait_ms = deadline > now ? (deadline - now) / NS_PER_MS + 1 : 0;
        int n = poll(&wait, 1, wait_ms > INT_MAX ? -1 : (int)wait_ms);
        if (n > 0)
            return 1;
        if (n == 0)
            return 0;
    }
}

static int run_one(const struct oci_hook *hook, const char *name, const char *state,
                   struct err *err)
{
    int input[2];
    int pidfd = -1;
    int status = 0;
    if (pipe2(input, O_CLOEXEC) < 0)
        return err_set(err, errno, "%s hook %s: pipe:", name, hook->path);
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    long child = sys_clone3(0, SIGCHLD, &pidfd, -1);
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        become_hook(hook, input[0]);
    }
    close(input[0]);
    int in_time = 1;
    if (child > 0) {
        uint64_t deadline = hook->timeout_s.set && hook->timeout_s.value < UINT32_MAX
                                ? clock_now_ns() + hook->timeout_s.value * NS_PER_SEC
                                : UINT64_MAX;
        feed(input[1], pidfd, state, deadline);
        close(input[1]);
        in_time = await(pidfd, deadline);
        if (!in_time)
            sys_pidfd_kill(pidfd, SIGKILL);
        while (waitpid((pid_t)child, &status, 0) < 0 && errno == EINTR)
            ;
        close(pidfd);
    } else {
        close(input[1]);
    }
    signal(SIGPIPE, old);
    if (child < 0)
        return err_set(err, (int)-child, "%s hook %s: fork:", name, hook->path);
    if (!in_time)
        return err_set(err, ETIMEDOUT, "%s hook %s: not done after %llu s, killed", name,
                       hook->path, (unsigned long long)hook->timeout_s.value);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && access(hook->path, X_OK) < 0)
        return err_set(err, errno, "%s hook %s:", name, hook->path);
    if (WIFSIGNALED(status))
        return err_set(err, ECANCELED, "%s hook %s: ended by signal %d", name, hook->path,
                       WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return err_set(err, ECANCELED, "%s hook %s: exit status %d", name, hook->path,
                       WEXITSTATUS(status));
    return 0;
}

int oci_hooks_run(const struct oci_spec *spec, enum oci_hook_kind kind, const char *state,
                  struct err *err)
{
    const struct oci_hooks *hooks = &spec->hooks[kind];
    int result = 0;
    for (size_t i = 0; result == 0 && i < hooks->count; i++)
        result = run_one(&hooks->items[i], oci_hook_kind_name(kind), state, err);
    return result;
}
