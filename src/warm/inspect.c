/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process has beside its memory and its files, and what becomes of it: saved, or a reason to
 * refuse. Most of it the kernel shows in /proc/self/status, where a line that differs from the one
 * before the program ran is enough to know.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "jail/raw.h"
#include "warm/builder.h"
#include "warm/layout.h"
#include "warm/make.h"
#include "warm/plain.h"
#include "warm/self.h"

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

static const struct line {
    const char *key;
    const char *reason; /* when it differs from what it was before the program ran */
} lines[] = {
    {"Threads:", "it has more than one thread"},
    {"SigPnd:", "it has signals that wait"},
    {"ShdPnd:", "it has signals that wait"},
    {"VmLck:", "it locks its memory"},
    {"Uid:", "it changed its user"},
    {"Gid:", "it changed its group"},
    {"Groups:", "it changed its groups"},
    {"CapInh:", "it changed its capabilities"},
    {"CapPrm:", "it changed its capabilities"},
    {"CapEff:", "it changed its capabilities"},
    {"CapBnd:", "it changed its capabilities"},
    {"CapAmb:", "it changed its capabilities"},
    {"Seccomp_filters:", "it confined itself (seccomp)"},
    {"Cpus_allowed:", "it chose its processors"},
    {"NSpgid:", "it made a process group of its own"},
    {"NSsid:", "it made a session of its own"},
    {"Speculation_Store_Bypass:", "it changed how the processor speculates for it"},
    {"SpeculationIndirectBranch:", "it changed how the processor speculates for it"},
    {"x86_Thread_features:", "it has a shadow stack"},
    {"untag_mask:", "it has tagged addresses"},
    {"THP_enabled:", "it refused huge pages"},
};

static uint32_t tmp_entries(void)
{
    static char entries[4096];
    uint32_t count = 0;
    long got, fd = raw4(SYS_openat, AT_FDCWD, "/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    while (fd >= 0 && (got = raw3(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
        for (long at = 0; at < got; count++)
            at += *(uint16_t *)(void *)(entries + at + 16); /* d_reclen */
    }
    raw1(SYS_close, fd);
    return count > 2 ? count - 2 : 0;
}

void attributes_read(struct attributes *out)
{
    for (int i = 0; i < (int)RLIMITS; i++)
        raw4(SYS_prlimit64, 0, i, NULL, out->rlimits[i]);
    for (int i = 1; i <= 64; i++)
        raw4(SYS_rt_sigaction, i, NULL, out->actions[i - 1], sizeof(uint64_t));
    out->timer_slack_ns = (uint64_t)raw5(SYS_prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0);
    out->umask = (uint32_t)raw1(SYS_umask, 0);
    raw1(SYS_umask, out->umask);
    struct stat status = {0};
    if (raw4(SYS_newfstatat, AT_FDCWD, "/tmp", &status, 0) == 0) {
        out->tmp_mtime[0] = (uint64_t)status.st_mtim.tv_sec;
        out->tmp_mtime[1] = (uint64_t)status.st_mtim.tv_nsec;
        out->tmp_entries = tmp_entries();
    }
    long result = file_read("/proc/self/status", out->status, sizeof(out->status));
    if (result < 0)
        refuse_error("/proc/self/status cannot be read", result);
}

static const char *line_of(const char *text, const char *key)
{
    while (*text) {
        if (starts_with(text, key))
            return text;
        const char *end = strchr(text, '\n');
        if (end == NULL)
            break;
        text = end + 1;
    }
    return NULL;
}

static int same_line(const char *a, const char *b)
{
    for (; *a == *b && *a && *a != '\n'; a++, b++)
        ;
    return (*a == '\n' || *a == 0) && (*b == '\n' || *b == 0);
}

static void compare_status(const struct attributes *now)
{
    for (uint32_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *was = line_of(making.before.status, lines[i].key);
        const char *is = line_of(now->status, lines[i].key);
        if ((was == NULL) != (is == NULL) || (is != NULL && !same_line(was, is)))
            refuse(lines[i].reason, NULL);
    }
}

static void refuse_children_and_timers(void)
{
    static char timers[256];
    if (raw5(SYS_waitid, P_ALL, 0, NULL, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) != -ECHILD)
        refuse("it has children", NULL);
    for (int i = ITIMER_REAL; i <= ITIMER_PROF; i++) {
        struct itimerval timer = {{0, 0}, {0, 0}};
        raw2(SYS_getitimer, i, &timer);
        if (timer.it_value.tv_sec || timer.it_value.tv_usec)
            refuse("it has a timer that runs", NULL);
    }
    long bytes = file_read("/proc/self/timers", timers, sizeof(timers));
    if (bytes != 0)
        refuse("it has timers", NULL);
}

static void refuse_tmp(const struct attributes *now)
{
    const struct attributes *was = &making.before;
    int changed = memcmp(was->tmp_mtime, now->tmp_mtime, sizeof(was->tmp_mtime)) != 0;
    if (now->tmp_entries > 0 && (was->tmp_entries == 0 || changed))
        refuse("it left files in /tmp", NULL);
}

/* The pipes are as they were made, and nothing went through them. */
static void refuse_streams(void)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    for (int i = 0; i < 3; i++) {
        struct stat status = {0};
        int waiting = 0;
        if (raw2(SYS_fstat, i, &status) < 0 || status.st_ino != making.pipes[i] ||
            !S_ISFIFO(status.st_mode))
            refuse("it replaced its ", names[i]);
        uint32_t flags = (uint32_t)raw2(SYS_fcntl, i, F_GETFL);
        if (flags != making.pipe_flags[i] || raw2(SYS_fcntl, i, F_GETFD) != 0)
            refuse("it changed the flags of its ", names[i]);
        raw3(SYS_ioctl, i, 0x541b /* FIONREAD */, &waiting);
        if (waiting > 0)
            refuse("it writes output before it reads its input", NULL);
    }
}

/* libc remembers the number of its thread. glibc: where set_tid_address points; musl: behind its
 * thread's list links (src/internal/pthread_impl.h, part 1). */
static uint64_t find_tid_word(const struct task *task, uint32_t tid)
{
    if (task->tid_address != 0 && *(const uint32_t *)task->tid_address == tid)
        return task->tid_address;
    const uint64_t *thread = (const uint64_t *)task->fs_base;
    if (thread == NULL || thread[0] != task->fs_base || thread[2] != task->fs_base ||
        thread[3] != task->fs_base)
        return 0;
    const uint32_t *word = (const uint32_t *)(thread + 6);
    return *word == tid ? (uint64_t)(uintptr_t)word : 0;
}

static void save_actions(const struct attributes *now)
{
    for (uint64_t i = 1; i <= 64; i++) {
        const uint64_t *is = i == SIGSYS ? making.sigsys : now->actions[i - 1];
        const uint64_t *was = making.before.actions[i - 1];
        int same = i == SIGSYS ? is[0] == 0 : memcmp(is, was, sizeof(making.sigsys)) == 0;
        if (same)
            continue;
        struct action *action = &builder.actions[builder.head.action_count++];
        action->number = i;
        memcpy(action->kernel, is, sizeof(action->kernel));
    }
}

static void save_cwd(struct task *out)
{
    static char cwd[4096], status[256];
    if (raw2(SYS_getcwd, cwd, sizeof(cwd)) < 0 || cwd[0] != '/')
        refuse("its working directory is gone", NULL);
    path_check(cwd, "its working directory is ", status);
    out->cwd = builder_add_string(cwd);
}

void inspect(struct task *out)
{
    static struct attributes now;
    uint64_t robust[2] = {0, 0};
    out->dumpable = (uint32_t)raw5(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    raw5(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); /* /proc/self is not ours otherwise */
    attributes_read(&now);
    compare_status(&now);
    refuse_children_and_timers();
    refuse_streams();
    refuse_tmp(&now);
    save_actions(&now);
    save_cwd(out);
    for (uint32_t i = 0; i < RLIMITS; i++) {
        if (memcmp(now.rlimits[i], making.before.rlimits[i], sizeof(now.rlimits[i])) != 0)
            out->rlimits_changed |= 1u << i;
    }
    memcpy(out->rlimits, now.rlimits, sizeof(out->rlimits));
    out->umask = now.umask;
    out->timer_slack_ns = now.timer_slack_ns;
    out->frame = making.frame;
    raw2(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &out->fs_base);
    raw2(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &out->gs_base);
    raw5(SYS_prctl, PR_GET_TID_ADDRESS, &out->tid_address, 0, 0, 0);
    out->tid_word = find_tid_word(out, (uint32_t)raw0(SYS_gettid));
    raw3(SYS_get_robust_list, 0, &robust[0], &robust[1]);
    out->robust_head = robust[0];
    out->robust_bytes = robust[1];
    out->mm = making.places.mm;
    out->mm.brk = (uint64_t)raw1(SYS_brk, 0);
    out->env_text = making.places.env_text;
    out->env_text_bytes = making.places.env_text_bytes;
    raw5(SYS_prctl, PR_GET_NAME, out->name, 0, 0, 0);
}
