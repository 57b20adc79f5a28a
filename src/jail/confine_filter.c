/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of our own service processes: one list a profile, a reason on each line. What is not
 * listed kills the process: a service that makes another call is not the service any more.
 */
#include "jail/confine_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum profile_bit {
    GATEWAY = 1 << CONFINE_GATEWAY,
    API = 1 << CONFINE_API,
    IMPORT = 1 << CONFINE_IMPORT,
    PARSE = 1 << CONFINE_PARSE,
    SERVICE = GATEWAY | API,
    ALL = GATEWAY | API | IMPORT | PARSE,
};

struct grant {
    int number;
    unsigned int profiles;
    const char *reason;
};

static const struct grant grants[] = {
    {SCMP_SYS(read), ALL, "connections, pipes, files it was given"},
    {SCMP_SYS(readv), ALL, "as read"},
    {SCMP_SYS(pread64), ALL, "logs and images by offset"},
    {SCMP_SYS(write), ALL, "answers, logs, results"},
    {SCMP_SYS(writev), ALL, "head and body in one call"},
    {SCMP_SYS(pwrite64), ALL, "a log or file by offset"},
    {SCMP_SYS(close), ALL, "gives up a descriptor"},
    {SCMP_SYS(lseek), ALL, "libarchive and stdio seek in files"},
    {SCMP_SYS(fstat), ALL, "stdio and libarchive ask for the size"},
    {SCMP_SYS(newfstatat), ALL, "glibc's fstat is this call with an empty path"},
    {SCMP_SYS(mmap), ALL, "malloc"},
    {SCMP_SYS(munmap), ALL, "free"},
    {SCMP_SYS(mremap), ALL, "realloc"},
    {SCMP_SYS(madvise), ALL, "free gives pages back"},
    {SCMP_SYS(mprotect), ALL, "malloc's arenas"},
    {SCMP_SYS(brk), ALL, "malloc"},
    {SCMP_SYS(exit_group), ALL, "the end"},
    {SCMP_SYS(exit), ALL, "the end of a thread"},
    {SCMP_SYS(rt_sigreturn), ALL, "return from a handler"},
    {SCMP_SYS(rt_sigprocmask), ALL, "abort() blocks signals"},
    {SCMP_SYS(rt_sigaction), ALL, "SIGPIPE and the like are set late by libraries"},
    {SCMP_SYS(restart_syscall), ALL, "the kernel restarts an interrupted sleep by it"},
    {SCMP_SYS(clock_gettime), ALL, "where the vDSO cannot answer"},
    {SCMP_SYS(clock_nanosleep), SERVICE, "a short pause when a log is full"},
    {SCMP_SYS(gettimeofday), ALL, "where the vDSO cannot answer"},
    {SCMP_SYS(time), ALL, "where the vDSO cannot answer"},
    {SCMP_SYS(getrandom), ALL, "call ids, hash seeds"},
    {SCMP_SYS(getpid), ALL, "names itself in the log"},
    {SCMP_SYS(gettid), ALL, "abort() asks"},
    {SCMP_SYS(futex), ALL, "locks within libraries"},
    {SCMP_SYS(sched_yield), ALL, "locks within libraries"},
    {SCMP_SYS(epoll_create1), SERVICE, "the event loop"},
    {SCMP_SYS(epoll_ctl), SERVICE, "the event loop"},
    {SCMP_SYS(epoll_wait), SERVICE, "the event loop"},
    {SCMP_SYS(epoll_pwait), SERVICE, "the event loop"},
    {SCMP_SYS(epoll_pwait2), SERVICE, "the event loop"},
    {SCMP_SYS(poll), SERVICE | IMPORT, "waits for one descriptor"},
    {SCMP_SYS(ppoll), SERVICE, "waits for one descriptor"},
    {SCMP_SYS(accept4), SERVICE, "connections of the listeners that it holds"},
    {SCMP_SYS(recvmsg), SERVICE | IMPORT, "links to the supervisor; descriptors come here"},
    {SCMP_SYS(recvfrom), SERVICE, "recv"},
    {SCMP_SYS(sendmsg), SERVICE | IMPORT, "starts, links, answers"},
    {SCMP_SYS(sendto), SERVICE, "send"},
    {SCMP_SYS(shutdown), SERVICE, "ends a connection in order"},
    {SCMP_SYS(getsockopt), SERVICE, "SO_PEERCRED, SO_ERROR"},
    {SCMP_SYS(setsockopt), SERVICE, "TCP_NODELAY"},
    {SCMP_SYS(getpeername), SERVICE, "REMOTE_ADDR"},
    {SCMP_SYS(getsockname), SERVICE, "SERVER_PORT"},
    {SCMP_SYS(pipe2), SERVICE, "stdin, stdout, stderr of a call"},
    {SCMP_SYS(splice), GATEWAY, "large bodies without a copy"},
    {SCMP_SYS(dup3), SERVICE, "keeps a descriptor under another number"},
    {SCMP_SYS(timerfd_create), SERVICE, "deadlines"},
    {SCMP_SYS(timerfd_settime), SERVICE, "deadlines"},
    {SCMP_SYS(eventfd2), SERVICE, "wakes its own loop"},
    {SCMP_SYS(ftruncate), SERVICE | IMPORT, "bounds a log; sets a file's size"},
    {SCMP_SYS(openat2), IMPORT, "below its root, RESOLVE_IN_ROOT"},
    {SCMP_SYS(openat), IMPORT, "below its root"},
    {SCMP_SYS(open), IMPORT, "below its root"},
    {SCMP_SYS(mkdirat), IMPORT, "directories of a layer"},
    {SCMP_SYS(mkdir), IMPORT, "directories of a layer"},
    {SCMP_SYS(unlinkat), IMPORT, "whiteouts"},
    {SCMP_SYS(unlink), IMPORT, "whiteouts"},
    {SCMP_SYS(rmdir), IMPORT, "whiteouts"},
    {SCMP_SYS(linkat), IMPORT, "hard links of a layer"},
    {SCMP_SYS(symlinkat), IMPORT, "symbolic links of a layer"},
    {SCMP_SYS(renameat), IMPORT, "moves within its root"},
    {SCMP_SYS(renameat2), IMPORT, "moves within its root"},
    {SCMP_SYS(readlinkat), IMPORT, "looks at what a layer made"},
    {SCMP_SYS(readlink), IMPORT, "looks at what a layer made"},
    {SCMP_SYS(fchmod), GATEWAY | IMPORT, "a pipe that its program may reopen; modes of a layer"},
    {SCMP_SYS(fchmodat), IMPORT, "modes of a layer"},
    {SCMP_SYS(fchown), IMPORT, "owners of a layer"},
    {SCMP_SYS(fchownat), IMPORT, "owners of a layer"},
    {SCMP_SYS(utimensat), IMPORT, "times of a layer"},
    {SCMP_SYS(getdents64), IMPORT, "opaque whiteouts empty a directory"},
    {SCMP_SYS(fsync), IMPORT, "nothing acknowledged is lost"},
    {SCMP_SYS(fdatasync), IMPORT, "nothing acknowledged is lost"},
    {SCMP_SYS(syncfs), IMPORT, "nothing acknowledged is lost"},
    {SCMP_SYS(copy_file_range), IMPORT, "copies without user space"},
    {SCMP_SYS(sendfile), IMPORT, "as copy_file_range where it cannot"},
    {SCMP_SYS(fallocate), IMPORT, "reserves a file"},
    {SCMP_SYS(fadvise64), IMPORT, "reads ahead"},
    {SCMP_SYS(access), IMPORT, "libraries look for their files"},
    {SCMP_SYS(faccessat2), IMPORT, "libraries look for their files"},
    {SCMP_SYS(umask), IMPORT, "modes as said"},
    {SCMP_SYS(statfs), IMPORT, "room left"},
    {SCMP_SYS(fstatfs), IMPORT, "room left"},
    {SCMP_SYS(dup), IMPORT, "fdopendir keeps the caller's descriptor"},
    {SCMP_SYS(geteuid), IMPORT, "libarchive asks whether it may chown"},
    {SCMP_SYS(getuid), IMPORT, "libarchive asks"},
};

static int add_fcntl(scmp_filter_ctx filter)
{
    static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                      SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
        if (result < 0)
            return result;
    }
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 0);
}

/* Libraries look for files (time zones, locales) and go on without: these are told there are none.
 */
static int add_no_files(scmp_filter_ctx filter)
{
    static const int calls[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(access), SCMP_SYS(stat),
                                SCMP_SYS(readlink)};
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), calls[i], 0);
    return result;
}

int confine_filter_install(enum confine_profile profile, struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return err_set(err, ENOMEM, "seccomp_init:");
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; result == 0 && i < sizeof(grants) / sizeof(grants[0]); i++) {
        if (grants[i].profiles & (1u << profile))
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, grants[i].number, 0);
    }
    if (result == 0)
        result = add_fcntl(filter);
    if (result == 0 && profile != CONFINE_IMPORT)
        result = add_no_files(filter);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    if (result < 0)
        return err_set(err, -result, "install the seccomp filter of this process:");
    return 0;
}
