/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/console.h"
#include "oci/sys.h"

static void copy_size(int from, int to)
{
    struct winsize size;
    if (ioctl(from, TIOCGWINSZ, &size) == 0)
        ioctl(to, TIOCSWINSZ, &size);
}

int oci_terminal_take(int socket, struct oci_terminal *out, struct err *err)
{
    int near = oci_receive_descriptor(socket);
    if (near < 0)
        return err_set(err, -near, "receive the container's terminal:");
    out->near = near;
    if (tcgetattr(STDIN_FILENO, &out->saved) < 0)
        return 0;
    copy_size(STDIN_FILENO, near);
    struct termios raw = out->saved;
    cfmakeraw(&raw);
    out->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    return 0;
}

void oci_terminal_restore(struct oci_terminal *terminal)
{
    if (terminal->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->saved);
    terminal->raw = false;
    fd_close(&terminal->near);
}

/* Some bytes from one end to the other. False at the end of them. */
static bool carry(int from, int to)
{
    char buffer[4096];
    ssize_t n = read(from, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    return n > 0 && fd_write_all(to, buffer, (size_t)n) == 0;
}

static void pass_signals(int signals, int pidfd, const struct oci_terminal *terminal)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int number = (int)info.ssi_signo;
        if (number == SIGCHLD || number == SIGURG)
            continue; /* orphans of the container that came to us; runtimes' own signal */
        if (number == SIGWINCH && terminal->near >= 0)
            copy_size(STDIN_FILENO, terminal->near);
        else
            sys_pidfd_kill(pidfd, number);
    }
}

/* What the container still wrote before it ended. */
static void drain(const struct oci_terminal *terminal)
{
    struct pollfd rest = {.fd = terminal->near, .events = POLLIN};
    while (poll(&rest, 1, 0) > 0 && (rest.revents & POLLIN) != 0 &&
           carry(terminal->near, STDOUT_FILENO))
        ;
}

static int reap(pid_t pid, struct err *err)
{
    int status;
    for (;;) {
        pid_t got = waitpid(-1, &status, 0);
        if (got == pid)
            break;
        if (got < 0 && errno != EINTR)
            return err_set(err, errno, "wait for the container:");
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int oci_foreground(pid_t pid, int pidfd, const struct oci_terminal *terminal, struct err *err)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    fd_owner signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return err_set(err, errno, "wait for signals:");
    int terminals = terminal->near >= 0;
    struct pollfd waits[4] = {{.fd = pidfd, .events = POLLIN},
                              {.fd = signals, .events = POLLIN},
                              {.fd = terminals ? terminal->near : -1, .events = POLLIN},
                              {.fd = terminals ? STDIN_FILENO : -1, .events = POLLIN}};
    while (waits[0].revents == 0) {
        if (poll(waits, 4, -1) < 0 && errno != EINTR)
            return err_set(err, errno, "wait for the container:");
        if (waits[1].revents != 0)
            pass_signals(signals, pidfd, terminal);
        if (waits[2].revents != 0 && !carry(terminal->near, STDOUT_FILENO))
            waits[2].fd = -1;
        if (waits[3].revents != 0 && !carry(STDIN_FILENO, terminal->near))
            waits[3].fd = -1;
    }
    if (terminals)
        drain(terminal);
    return reap(pid, err);
}
