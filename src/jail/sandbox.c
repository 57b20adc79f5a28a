/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox: its pid 1 and the process that becomes the program.
 *
 * Pid 1 is ours: the kernel shields it from signals of its own namespace, and a program in its
 * place could not die of its own abort(). It mounts /proc, starts the program's process and reaps;
 * unless another program may follow, it has no rights left while the program runs. The program's
 * process furnishes itself (ids, filters) and then *parks* in recvmsg on the template's start
 * socket: all that is left for the request is three dup3, a setrlimit and an execve.
 *
 * When the program has exited and nothing else is left in
 * the namespace, pid 1 reports at once; if something is left, pid 1 ends, the kernel kills the
 * rest, and the spawner reports.
 *
 * A program that left no trace behind has namespaces that are as good as new, and making them is
 * half of what a start costs: pid 1 goes on with another program in them. No trace means: it was
 * the only process and thread there ever was (the numbers of processes tell), left /tmp alone
 * (slot_tmp.c), was given no network, has no IPC namespace, owns nothing in the root file system,
 * was not killed. Pid 1, which counts what its children used, cannot be seen (hidepid).
 *
 * All of this runs in the spawner's memory: raw.h only, no errno, no malloc.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "jail/proc_mask.h"
#include "jail/raw.h"
#include "jail/slot.h"
#include "jail/slot_clone.h"
#include "jail/slot_tmp.h"
#include "jail/warm.h"

/* --- the program's process, until its execve --- */

static long drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    return raw2(SYS_capset, &header, none);
}

static long become_program(void)
{
    const struct jail_plan *plan = &zygote.hand.plan;
    long result = FURNISH(SYS_setns, zygote.inner_userns, CLONE_NEWUSER, 0, 0, 0);
    if (result == 0 && !plan->rootless)
        result = raw2(SYS_setgroups, 0, NULL);
    if (result == 0)
        result = raw3(SYS_setresgid, plan->gid, plan->gid, plan->gid);
    if (result == 0)
        result = raw3(SYS_setresuid, plan->uid, plan->uid, plan->uid);
    /* said again for a program that is uid 0 of its sandbox: ids alone take nothing from it */
    if (result == 0)
        result = drop_capabilities();
    return result;
}

static long enter_landlock(void)
{
    return zygote.landlock < 0 ? 0 : raw2(446 /* landlock_restrict_self */, zygote.landlock, 0);
}

/* An open /dev/null of its own as descriptor 0, for a request without a body. */
static long open_empty_stdin(void)
{
    raw1(SYS_close, 0);
    long fd = raw4(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0);
    return fd < 0 ? fd : 0;
}

static long furnish(struct slot *slot)
{
    uint64_t no_signals = 0;
    /* a group of its own: kill(0) must not reach the spawners. The session stays the zygote's,
     * without a terminal: a new one would cost an autogroup, 2 % of a start in the profile */
    long result = raw2(SYS_setpgid, 0, 0);
    if (result == 0)
        result = raw4(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, SIGSET_BYTES);
    if (result == 0)
        result = raw1(SYS_chdir, zygote.hand.plan.cwd);
    if (result == 0)
        result = become_program();
    if (result == 0)
        result = open_empty_stdin();
    if (result == 0)
        result = enter_landlock();
    slot->furnished_ns = clock_now_ns();
    return result;
}

/*
 * The program's open files, last of all: what takes the request, and pid 1, which hands it on, need
 * descriptors of their own; and for pid 1 the limit would also be one of descriptors that are on
 * their way to all programs of the template (ETOOMANYREFS).
 */
static long limit_files(const struct slot *slot)
{
    struct rlimit files = {slot->files_max, slot->files_hard};
    return raw2(SYS_setrlimit, RLIMIT_NOFILE, &files);
}

/* The plan's environment stands at the start of slot->env; the request's follows. */
static void append_environment(struct slot *slot, const struct start_header *header)
{
    char *at = slot->message + sizeof(*header);
    uint32_t count = zygote.env_count;
    for (uint32_t i = 0; i < header->env_count; i++) {
        slot->env[count++] = at;
        at += strlen(at) + 1; /* start_check has counted the terminators */
    }
    slot->env[count] = NULL;
}

static int program_main(void *arg)
{
    struct slot *slot = arg;
    if (slot->next_pid != 0 && raw0(SYS_getpid) != slot->next_pid)
        slot_leave(1); /* the program before made others */
    long result = furnish(slot);
    if (result < 0) {
        slot->exec_errno = (int)-result;
        slot_leave(1);
    }
    if (slot->role != WARM_ROLE_COLD) {
        result = warm_place(slot);
        if (result >= 0)
            result = limit_files(slot);
        if (result >= 0)
            result = warm_exec(slot);
        slot->exec_errno = (int)-result;
        slot_leave(127);
    }
    int fds[3];
    struct start_header header = slot_take(slot, fds);
    append_environment(slot, &header);
    /* received numbers are above 2, these three are open here */
    for (int i = header.flags & START_EMPTY_STDIN ? 1 : 0; i < 3; i++)
        raw3(SYS_dup3, fds[i], i, 0);
    result = limit_files(slot);
    slot->exec_ns = clock_now_ns();
    if (result >= 0)
        result = raw3(SYS_execve, zygote.program, zygote.args, slot->env);
    slot->exec_errno = (int)-result;
    slot_leave(127);
    return 0;
}

/* --- pid 1 --- */

static long mount_proc(void)
{
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
    int full = zygote.hand.plan.proc == FUNCTION_PROC_FULL;
    long result = FURNISH(SYS_mount, "proc", "/proc", "proc", flags,
                          full ? "hidepid=2" : "subset=pid,hidepid=4");
    if (result == 0 && full)
        result = proc_mask();
    return result;
}

/*
 * Pid 1 shares the pid namespace, and for uid 0 of the sandbox even the uid, with a program that
 * nobody trusts. Without a handler the kernel delivers no signal of this namespace to it: the
 * spawner's handler, which trusts its argument, must not be there.
 */
static long forget_handlers(void)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } standard = {NULL, 0, NULL, 0};
    return raw4(SYS_rt_sigaction, SIGUSR1, &standard, NULL, SIGSET_BYTES);
}

#define UNKEPT_MAX   4  /* programs in a row that could not be followed by another: give up */
#define UNKEPT_PAUSE 64 /* starts until it is tried again */

static int may_be_followed(struct slot *slot)
{
    if (!slot->has_mounts || (zygote.hand.plan.flags & FUNCTION_OWN_IPC) ||
        zygote.hand.plan.proc == FUNCTION_PROC_FULL)
        return 0;
    if (slot->unkept < UNKEPT_MAX)
        return 1;
    if (++slot->unkept < UNKEPT_MAX + UNKEPT_PAUSE)
        return 0;
    slot->unkept = UNKEPT_MAX - 1; /* one attempt */
    return 1;
}

/* An open file that waits in a message nobody will read can still hold a lock on it. */
static int proc_unused(void)
{
    struct stat status;
    return FURNISH(SYS_umount2, "/proc", MNT_EXPIRE, 0, 0, 0) == -EAGAIN &&
           raw4(SYS_newfstatat, AT_FDCWD, "/proc", &status, 0) == 0; /* takes the mark off */
}

/*
 * After a program that reported: 0 when another may follow it here. In this order: the call is
 * forgotten, then the spawner's mark is read (slot.c, kill_if_asked).
 */
static int go_on(struct slot *slot)
{
    uint64_t begin = clock_now_ns();
    if (!slot->reported || atomic_load(&slot->killed) || atomic_load(&slot->net_used) ||
        atomic_load(&slot->retired) || slot->exec_errno != 0 || !slot_tmp_untouched(slot) ||
        !proc_unused())
        return -1;
    slot_reset(slot);
    if (atomic_load(&slot->doomed))
        return -1;
    if (slot->next_pid != 0)
        slot->unkept = 0;
    slot->clone_ns = clock_now_ns();
    slot->cleaned_ns = slot->clone_ns - begin;
    slot->cloned_ns = slot->clone_ns;
    return 0;
}

/* Reaps whatever is orphaned until the program has ended; reports if it was the last. Returns when
 * another program may follow. */
static void reap_until_end(struct slot *slot, long program, int may_follow)
{
    for (;;) {
        int status = 0;
        struct rusage usage;
        long pid = raw4(SYS_wait4, -1, &status, __WALL, &usage);
        if (pid < 0 && pid != -EINTR)
            slot_leave(1);
        if (pid != program)
            continue;
        slot->exit_ns = clock_now_ns();
        slot->wait_status = status;
        slot->has_status = 1;
        int left = 0;
        /* what the sandbox keeps in /tmp may fill its limit still: nothing here may allocate, or we
         * are killed for it with all that share our memory. The spawner drops /tmp and reports. */
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
            slot_leave(0);
        if (raw4(SYS_wait4, -1, &left, WNOHANG | __WALL, NULL) == -ECHILD) {
            if (!slot->reported)
                slot_report(slot, status, &usage);
            if (slot->next_pid != 0 && slot->taken_ns == 0)
                slot->unkept++;
            if (may_follow && go_on(slot) == 0)
                return;
        }
        slot_leave(0); /* what is left dies with us, before the spawner's wait returns */
    }
}

/* Takes a request and hands it to the program that waits for it. */
static void serve_request(struct slot *slot)
{
    int fds[3];
    struct start_header header = slot_take(slot, fds);
    slot->exec_ns = clock_now_ns();
    long result = warm_request(slot, &header, fds);
    if (result < 0) {
        slot->exec_errno = (int)-result;
        slot_leave(1);
    }
}

/*
 * A monitor's requests, one after the other: between them it goes back to the snapshot. Returns
 * when it ended in the middle of one, or said the last it has to say.
 */
static void serve_machine(struct slot *slot, long program)
{
    struct rusage usage;
    while (warm_done(slot, &usage)) {
        slot_report(slot, slot->wait_status, &usage);
        if (slot->role != WARM_ROLE_RESTORE)
            slot_leave(0);
        slot_reset(slot);
        if (atomic_load(&slot->doomed)) /* in this order: see kill_if_asked */
            slot_leave(1);
        slot->clone_ns = slot->cloned_ns = clock_now_ns();
        if (warm_ready(slot, program, 0) < 0)
            slot_leave(1);
        serve_request(slot);
    }
}

/* Everything between the start of a warm program and its end. */
static void serve_warm(struct slot *slot, long program)
{
    if (slot->role == WARM_ROLE_MAKE) {
        warm_make(slot, program);
        slot_leave(0);
    }
    if (warm_ready(slot, program, 1) < 0)
        slot_leave(1);
    serve_request(slot);
    if ((zygote.hand.plan.flags & JAIL_KVM) != 0)
        serve_machine(slot, program);
}

int sandbox_init_main(void *arg)
{
    struct slot *slot = arg;
    slot->cloned_ns = clock_now_ns();
    long result = raw5(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (result == 0)
        result = forget_handlers();
    if (result == 0)
        result = mount_proc();
    int may_follow = may_be_followed(slot);
    while (result >= 0) {
        slot->role = warm_choose(slot);
        if (slot->role != WARM_ROLE_COLD && warm_drain(slot) < 0) {
            atomic_store(&slot->retired, 1);
            slot_leave(1);
        }
        result = slot_clone(CLONE_VM | SIGCHLD, slot->program_stack + STACK_SIZE, program_main,
                            slot, NULL);
        if (result < 0)
            break;
        if (slot->next_pid != 0 && result != slot->next_pid) {
            slot->unkept++; /* the program before made others; this one leaves, too */
            slot_leave(0);
        }
        if (!may_follow && drop_capabilities() < 0)
            slot_leave(1);
        if (slot->role != WARM_ROLE_COLD)
            serve_warm(slot, result);
        reap_until_end(slot, result, may_follow);
        slot->next_pid = (pid_t)result + 1;
    }
    slot->exec_errno = (int)-result;
    slot_leave(1);
    return 0;
}
