/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "make": pipes as a request would have them, the watch, then the program. When the program becomes
 * another (execve, as a shell script's last line does), skerry-warm becomes that: it is executed
 * again, and finds its descriptors, its filter and what it knew of the process beforehand.
 */
#include "warm/make.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "jail/raw.h"
#include "warm/layout.h"
#include "warm/plain.h"
#include "warm/self.h"

#define FDS_HIGHEST 1000
#define BRK_RANDOM  UINT64_C(0x1fff) /* pages: 32 MiB, as the kernel has it */

struct making making;

/* As high as the limit allows, where few programs look. */
static void move_fd(int from, enum own_fd to)
{
    long target = (long)making.watch.fds_lo + (long)to;
    if (raw3(SYS_dup3, from, target, O_CLOEXEC) != target)
        refuse("there are too few descriptors", NULL);
    raw1(SYS_close, from);
}

static void place_fds(void)
{
    struct rlimit limit = {0, 0};
    raw4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    uint64_t highest = limit.rlim_cur < FDS_HIGHEST ? limit.rlim_cur : FDS_HIGHEST;
    if (highest < 32)
        refuse("there are too few descriptors", NULL);
    making.watch.fds_lo = (uint32_t)highest - OWN_FDS;
    making.watch.fds_hi = (uint32_t)highest;
}

static void use_own_fds(void)
{
    self.socket = (int)making.watch.fds_lo + OWN_SOCKET;
    self.snapshot = (int)making.watch.fds_lo + OWN_SNAPSHOT;
}

/* What the program has as 0, 1 and 2 are the other ends of ours. */
static void make_pipes(void)
{
    for (int i = 0; i < 3; i++) {
        int ends[2] = {-1, -1};
        if (raw2(SYS_pipe2, ends, 0) < 0)
            refuse("there are too few descriptors", NULL);
        int theirs = i == 0 ? ends[0] : ends[1];
        int ours = i == 0 ? ends[1] : ends[0];
        raw3(SYS_dup3, theirs, i, 0);
        raw1(SYS_close, theirs);
        move_fd(ours, (enum own_fd)(OWN_STDIN + i));
    }
}

static void remember_pipes(void)
{
    for (int i = 0; i < 3; i++) {
        struct stat status = {0};
        raw2(SYS_fstat, (int)making.watch.fds_lo + OWN_STDIN + i, &status);
        making.pipes[i] = status.st_ino;
        making.pipe_flags[i] = i == 0 ? O_RDONLY : O_WRONLY;
    }
}

static void install_watch(void)
{
    static struct sock_filter code[WATCH_LENGTH_MAX];
    struct sock_fprog program = {.filter = code};
    program.len = (unsigned short)watch_filter(&making.watch, code);
    raw5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long result = raw3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    if (result < 0)
        refuse_error("the watch cannot be installed", result);
}

static void handle_traps(void)
{
    struct {
        void (*handler)(int, void *, void *);
        uint64_t flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {trap, SA_SIGINFO | 0x04000000u /* SA_RESTORER */, trap_restorer, UINT64_MAX};
    raw4(SYS_rt_sigaction, SIGSYS, &action, NULL, sizeof(action.mask));
}

/* The heap behind the program, the rest of what /proc shows as it would be after an execve. */
static void tell_kernel(void)
{
    struct mm_layout *mm = &making.places.mm;
    uint64_t random = 0;
    random_fill(&random, sizeof(random));
    mm->start_code = making.loaded.start_code;
    mm->end_code = making.loaded.end_code;
    mm->start_data = making.loaded.start_data;
    mm->end_data = making.loaded.end_data;
    mm->start_brk = mm->brk = page_up(making.loaded.end) + (random & BRK_RANDOM) * PAGE;
    mm->exe_fd = UINT32_MAX;
    long result = raw5(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, mm, sizeof(*mm), 0);
    if (result < 0)
        refuse_error("the kernel cannot place a heap (CONFIG_CHECKPOINT_RESTORE)", result);
    making.start_brk = mm->start_brk;
}

static void name_task(const char *path)
{
    const char *name = path;
    for (const char *at = path; *at; at++)
        name = *at == '/' ? at + 1 : name;
    raw5(SYS_prctl, PR_SET_NAME, name, 0, 0, 0);
}

/* /proc/self/exe would name skerry-warm: ld.so looks there for $ORIGIN. */
static void remember_exe(const char *path)
{
    char link[32];
    size_t used = 0;
    long fd = raw4(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
    text_add(link, sizeof(link), &used, "/proc/self/fd/");
    text_add_number(link, sizeof(link), &used, (uint64_t)fd);
    long bytes = raw3(SYS_readlink, link, making.exe, sizeof(making.exe) - 1);
    making.exe[bytes > 0 ? bytes : 0] = 0;
    raw1(SYS_close, fd);
}

/* All text stands in the stack, which is about to be another's. */
static void copy_texts(struct start *start)
{
    static char texts[TEXT_MAX];
    size_t used = 0;
    for (uint32_t i = 0; i < start->arg_count + start->env_count; i++) {
        const char **slot =
            i < start->arg_count ? &start->args[i] : &start->env[i - start->arg_count];
        size_t bytes = strlen(*slot) + 1;
        if (bytes > sizeof(texts) - used)
            refuse("its arguments and environment are too long", NULL);
        memcpy(texts + used, *slot, bytes);
        *slot = texts + used;
        used += bytes;
    }
    start->path = start->args[0];
}

/* The page behind the kernel's last string: the top of the stack. */
static uint64_t stack_top(const struct start *start)
{
    for (uint32_t i = 0; i < start->auxv_count; i++) {
        if (start->auxv[2 * i] == AT_EXECFN)
            return page_up(start->auxv[2 * i + 1] + strlen((const char *)start->auxv[2 * i + 1]) +
                           1);
    }
    refuse("the kernel did not say where its stack is", NULL);
}

/* As after place_fds, make_pipes and install_watch, before another execve. */
static void resume(const char *again)
{
    making.watch.fds_lo = (uint32_t)text_decimal(&again);
    making.watch.fds_hi = making.watch.fds_lo + OWN_FDS;
    use_own_fds();
    for (int i = 0; i < OWN_FDS; i++)
        raw3(SYS_fcntl, (int)making.watch.fds_lo + i, F_SETFD, FD_CLOEXEC);
    if (raw4(SYS_pread64, self.snapshot, &making.before, sizeof(making.before), 0) !=
        sizeof(making.before))
        refuse("it did not keep its descriptors", NULL);
}

void make(struct start *start, const char *again)
{
    making.watch.own_lo = WINDOW_LO;
    making.watch.own_hi = WINDOW_HEAD;
    uint64_t top = stack_top(start);
    copy_texts(start);
    const char *path = start->path;
    if (again != NULL) { /* the path stands before the arguments */
        start->arg_count--;
        memmove(&start->args[0], &start->args[1], start->arg_count * sizeof(start->args[0]));
        resume(again);
    } else {
        place_fds();
        move_fd(self.socket, OWN_SOCKET);
        move_fd(self.snapshot, OWN_SNAPSHOT);
        use_own_fds();
        make_pipes();
    }
    remember_pipes();
    load_program(start, &making.loaded);
    remember_exe(start->path);
    name_task(path);
    uint64_t low = page_down(start->stack);
    memset((void *)low, 0, top - low);
    stack_build(start, &making.loaded, top, &making.places);
    tell_kernel();
    handle_traps();
    if (again == NULL) {
        install_watch();
        attributes_read(&making.before);
    }
    enter_program(making.loaded.entry, making.places.stack);
}
