/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the watch brings: a signal handler on the program's own stack, in the middle of its system
 * call. The read is not made: the saved program makes it again when it is brought back. Calls that
 * turn out to be harmless are made here, from where the watch does not see them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "jail/raw.h"
#include "skerry/abi/warm.h"
#include "warm/make.h"
#include "warm/plain.h"
#include "warm/self.h"

#define SYSCALL_BYTES 2 /* of the instruction */

static int is_own_pipe(int fd)
{
    struct stat status = {0};
    return raw2(SYS_fstat, fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
           status.st_ino == making.pipes[fd];
}

/* As if the watch were not there, signals included. */
static long call(ucontext_t *context)
{
    const greg_t *r = context->uc_mcontext.gregs;
    uint64_t all = UINT64_MAX;
    raw4(SYS_rt_sigprocmask, SIG_SETMASK, &context->uc_sigmask, NULL, sizeof(all));
    long result =
        raw6(r[REG_RAX], r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]);
    raw4(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
    return result;
}

static int waits_for_stdin(const greg_t *r)
{
    if (!is_own_pipe(0))
        return 0;
    if (r[REG_RAX] == SYS_select || r[REG_RAX] == SYS_pselect6) {
        const uint64_t *set = (const uint64_t *)r[REG_RSI];
        return r[REG_RDI] > 0 && set != NULL && (set[0] & 1);
    }
    const struct pollfd *at = (const struct pollfd *)r[REG_RDI];
    for (uint64_t i = 0; i < (uint64_t)r[REG_RSI]; i++) {
        if (at[i].fd == 0 && (at[i].events & (POLLIN | POLLRDNORM)))
            return 1;
    }
    return 0;
}

static long sigsys_action(const greg_t *r)
{
    uint64_t *out = (uint64_t *)r[REG_RDX];
    const uint64_t *in = (const uint64_t *)r[REG_RSI];
    uint64_t old[4];
    memcpy(old, making.sigsys, sizeof(old));
    if (in != NULL)
        memcpy(making.sigsys, in, sizeof(making.sigsys));
    if (out != NULL)
        memcpy(out, old, sizeof(old));
    return 0;
}

static long read_link(ucontext_t *context)
{
    const greg_t *r = context->uc_mcontext.gregs;
    int at = r[REG_RAX] == SYS_readlinkat;
    const char *path = (const char *)(at ? r[REG_RSI] : r[REG_RDI]);
    char *out = (char *)(at ? r[REG_RDX] : r[REG_RSI]);
    size_t room = (size_t)(at ? r[REG_R10] : r[REG_RDX]);
    if (path == NULL || strcmp(path, "/proc/self/exe") != 0)
        return call(context);
    size_t bytes = strlen(making.exe);
    bytes = bytes < room ? bytes : room;
    memcpy(out, making.exe, bytes);
    return (long)bytes;
}

/* The program becomes another. What execve would answer to a wrong path is answered first: shells
 * try one after the other. */
static long become(ucontext_t *context)
{
    static const char *args[ARGS_MAX + 2], *env[ARGS_MAX + 2];
    static char variable[48];
    const greg_t *r = context->uc_mcontext.gregs;
    const char *path = (const char *)r[REG_RDI];
    const char *const *their_args = (const char *const *)r[REG_RSI];
    const char *const *their_env = (const char *const *)r[REG_RDX];
    struct stat status = {0};
    long result = raw4(SYS_newfstatat, AT_FDCWD, path, &status, 0);
    if (result == 0)
        result = S_ISREG(status.st_mode) ? raw2(SYS_access, path, X_OK) : -EACCES;
    if (result < 0)
        return result;
    size_t used = 0;
    uint32_t arg_count = 0, env_count = 0;
    args[arg_count++] = "skerry-warm";
    args[arg_count++] = path;
    while (their_args != NULL && *their_args != NULL && arg_count < ARGS_MAX)
        args[arg_count++] = *their_args++;
    text_add(variable, sizeof(variable), &used, WARM_VARIABLE "=again:");
    text_add_number(variable, sizeof(variable), &used, making.watch.fds_lo);
    env[env_count++] = variable;
    while (their_env != NULL && *their_env != NULL && env_count < ARGS_MAX)
        env[env_count++] = *their_env++;
    for (int i = 0; i < OWN_FDS; i++)
        raw3(SYS_fcntl, (int)making.watch.fds_lo + i, F_SETFD, 0);
    raw4(SYS_pwrite64, self.snapshot, &making.before, sizeof(making.before), 0);
    raw4(SYS_rt_sigprocmask, SIG_SETMASK, &context->uc_sigmask, NULL, sizeof(uint64_t));
    result = raw3(SYS_execve, "/proc/self/exe", args, env);
    refuse_error("it cannot become another program", result);
}

static _Noreturn void refuse_end(uint64_t status)
{
    char text[24];
    size_t used = 0;
    text_add_number(text, sizeof(text), &used, status & 0xff);
    refuse("it ended before it read its input, with status ", text);
}

static _Noreturn void save_here(ucontext_t *context)
{
    context->uc_mcontext.gregs[REG_RIP] -= SYSCALL_BYTES;
    making.frame = (uint64_t)(uintptr_t)context;
    save();
}

void trap(int number, void *information, void *data)
{
    (void)number;
    const siginfo_t *info = information;
    ucontext_t *context = data;
    greg_t *r = context->uc_mcontext.gregs;
    if (info->si_code != 1 /* SYS_SECCOMP */)
        refuse("it was sent SIGSYS", NULL);
    const char *reason = NULL;
    switch (watch_class_of((uint32_t)info->si_syscall, &reason)) {
    case WATCH_READS_STDIN:
        if (is_own_pipe(0))
            save_here(context);
        r[REG_RAX] = call(context);
        return;
    case WATCH_MAY_WAIT:
        if (waits_for_stdin(r))
            save_here(context);
        r[REG_RAX] = call(context);
        return;
    case WATCH_SIGSYS_ACTION:
        r[REG_RAX] = sigsys_action(r);
        return;
    case WATCH_LINK:
        r[REG_RAX] = read_link(context);
        return;
    case WATCH_EXEC:
        r[REG_RAX] = become(context);
        return;
    case WATCH_END:
        refuse_end((uint64_t)r[REG_RDI]);
    case WATCH_REFUSED:
        break;
    }
    refuse(reason, NULL);
}
