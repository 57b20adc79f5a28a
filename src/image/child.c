/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a confined child begins and ends. Order: descriptors first, while there is nothing hostile to
 * read; then the confinement; then the directory that became the root is closed, because a
 * directory outside the root is a way out of it.
 */
#include "image/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/path.h"

#define KEEP_MAX 1024

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOW_MEMORY 1 /* of a sanitizer: terabytes of address space */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHADOW_MEMORY 1
#endif
#endif
#ifndef SHADOW_MEMORY
#define SHADOW_MEMORY 0
#endif

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes every descriptor that is not in keep (sorted here). */
static void close_others(int *keep, size_t count)
{
    qsort(keep, count, sizeof(keep[0]), compare_ints);
    unsigned int next = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned int fd = (unsigned int)keep[i];
        if (fd > next)
            close_range(next, fd - 1, 0);
        next = fd + 1;
    }
    close_range(next, ~0u, 0);
}

/* A library that writes to stderr must not write into a file that got the number 2. */
static void fill_stdio(void)
{
    int null;
    do {
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (null >= 0 && null < 3);
    if (null >= 3)
        close(null);
}

static void reset_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD, SIGALRM};
    sigset_t none;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        signal(numbers[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * The end of the child. Not _exit(): before a function that does not return a sanitizer asks for
 * the signal stack, a call that the filter answers with death.
 */
static void leave(int status)
{
    for (;;)
        syscall(SYS_exit_group, status);
}

static void child_main(const struct confine_options *options, int *keep, size_t count, int errors,
                       child_fn run, void *arg, pid_t parent)
{
    struct err err = {0};
    struct confine_options confine = *options;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        leave(1);
    reset_signals();
    close_others(keep, count);
    fill_stdio();
    if (SHADOW_MEMORY)
        confine.mem_bytes = 0;
    int result = confine_self(&confine, &err);
    if (result == 0 && confine.root_fd >= 0)
        close(confine.root_fd);
    if (result == 0)
        result = run(arg, &err);
    if (result < 0) {
        if (err.code == 0)
            err_set(&err, -result, "the confined child failed:");
        fd_write_all(errors, &err, sizeof(err));
    }
    leave(result < 0);
}

int child_start(const struct confine_options *options, const int *keep, size_t keep_count,
                child_fn run, void *arg, struct child *out, struct err *err)
{
    int held[KEEP_MAX];
    int ends[2];
    size_t count = keep_count;
    if (keep_count > KEEP_MAX - 2)
        return err_set(err, EMFILE, "start a confined child:");
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, errno, "make a pipe for a confined child:");
    if (keep_count > 0)
        memcpy(held, keep, keep_count * sizeof(keep[0]));
    held[count++] = ends[1];
    if (options->root_fd >= 0)
        held[count++] = options->root_fd;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        child_main(options, held, count, ends[1], run, arg, parent);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_set(err, errno, "fork a confined child:");
    }
    *out = (struct child){.pid = pid, .errors = ends[0]};
    return 0;
}

static int wait_for(pid_t pid, int *out_status)
{
    while (waitpid(pid, out_status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

int child_finish(struct child *child, struct err *err)
{
    struct err said;
    int status = 0;
    ssize_t size = fd_read_all(child->errors, &said, sizeof(said));
    int result = wait_for(child->pid, &status);
    fd_close(&child->errors);
    child->pid = 0;
    if (result < 0)
        return err_set(err, -result, "wait for a confined child:");
    if (size == (ssize_t)sizeof(said) && said.code > 0 && said.code < 4096) {
        said.text[sizeof(said.text) - 1] = '\0';
        path_make_printable(said.text);
        return err_set(err, said.code, "%s", said.text);
    }
    if (WIFSIGNALED(status))
        return err_set(
            err, EBADMSG,
            "the confined process that read it was ended by signal %d (%s): the file may "
            "be hostile",
            WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return err_set(err, EIO, "the confined process that read it failed without a word");
    return 0;
}

void child_end(struct child *child)
{
    int status;
    if (child->pid <= 0)
        return;
    kill(child->pid, SIGKILL);
    wait_for(child->pid, &status);
    fd_close(&child->errors);
    child->pid = 0;
}
