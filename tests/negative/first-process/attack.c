/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the first process of the sandbox's pid namespace is not the program's. It holds the
 *   template's sockets and is reachable by number: signals (with a pointer as their value),
 *   its limits, priority and processors, its memory, descriptors and namespaces.
 * Stopped by: its uid is not the program's; it holds no handler and is not dumpable;
 *   Landlock's scope for signals where the kernel has it; another user namespace, so that no
 *   capability of the program reaches it.
 * Lives in: src/jail/sandbox.c (pid 1).
 *
 * Control: user
 * Needs: sibling-pid
 */
#include "../harness/attack.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

static void signals(pid_t target)
{
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_value.sival_ptr = (void *)(uintptr_t)0xdead0000;
    static const int numbers[] = {SIGUSR1, SIGUSR2, SIGCHLD, 34, SIGSEGV, SIGTERM};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char what[64];
        info.si_signo = numbers[i];
        snprintf(what, sizeof(what), "signal %d with a pointer", numbers[i]);
        if (is_control())
            info.si_signo = 0;
        attempt(what, syscall(SYS_rt_sigqueueinfo, target, info.si_signo, &info));
    }
    attempt("kill", syscall(SYS_kill, target, 0));
    long pidfd = syscall(SYS_pidfd_open, target, 0);
    if (pidfd < 0) {
        blocked("pidfd_open: %s", strerror(errno));
        return;
    }
    attempt("pidfd_send_signal", syscall(SYS_pidfd_send_signal, (int)pidfd, 0, NULL, 0));
    attempt("pidfd_getfd", syscall(SYS_pidfd_getfd, (int)pidfd, 3, 0));
    for (unsigned int number = 1; number <= 10; number++) {
        int fd = ioctl((int)pidfd, _IO(0xff, number), 0);
        if (fd >= 0)
            got("namespace %u by its pidfd", number);
    }
    close((int)pidfd);
}

/*
 * Where it has the program's uid (a program of uid 0, or rootless), these work: they slow down or
 * end the program's own sandbox, whose deadline is kept from outside. Limits that were set on it go
 * with it.
 */
static void attributes(pid_t target)
{
    struct rlimit limit = {1000, 1000};
    unsigned long processors = 1;
    note("its limits: %ld", syscall(SYS_prlimit64, target, RLIMIT_NOFILE, &limit, NULL));
    note("its priority: %ld", syscall(SYS_setpriority, PRIO_PROCESS, target, 19));
    note("its processors: %ld",
         syscall(SYS_sched_setaffinity, target, sizeof(processors), &processors));
    attempt("a better priority for it", syscall(SYS_setpriority, PRIO_PROCESS, target, -20));
}

static void files(pid_t target)
{
    static const char *const names[] = {
        "mem",     "environ", "auxv",        "fd/3",   "fd/4",        "root/.",
        "cwd/.",   "exe",     "ns/mnt",      "ns/net", "ns/user",     "maps",
        "syscall", "stack",   "personality", "io",     "patch_state", "timers"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[64];
        char byte;
        snprintf(path, sizeof(path), "/proc/%d/%s", target, names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0 && (read(fd, &byte, 1) >= 0 || errno == EISDIR || errno == EINVAL))
            got("%s is open", path);
        else
            blocked("%s: %s", path, strerror(errno));
    }
    static const char *const writable[] = {"mem",           "oom_score_adj", "coredump_filter",
                                           "clear_refs",    "autogroup",     "comm",
                                           "timerslack_ns", "sched"};
    for (size_t i = 0; i < COUNT(writable); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/%s", target, writable[i]);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        attempt(path, fd);
    }
}

void attack(void)
{
    pid_t target = is_control() ? (pid_t)bait_number("SIBLING", 0) : 1;
    if (target == getpid()) {
        blocked("the program is the first process itself");
        return;
    }
    attributes(target);
    files(target);
    signals(target);
    pause_ms(50); /* if one of them was taken it may be about to end us */
}
