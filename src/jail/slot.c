/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot's spawner: it sits in the slot's cgroups, so what it clones is born there and no start
 * pays for an attach. Its loop: drop the last sandbox's mount namespace (in its own time, after the
 * report), copy the template's, mount a /tmp, clone the sandbox's pid 1, wait until it is dead,
 * again. What of a sandbox can be kept for the next request, is: the namespaces by pid 1, if the
 * program left no trace in them (sandbox.c), else the mounts, if /tmp was left alone.
 *
 * Its sandbox shares its memory: raw.h only, no errno, no malloc.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "jail/raw.h"
#include "jail/slot.h"
#include "jail/slot_clone.h"
#include "jail/slot_tmp.h"
#include "jail/warm.h"

#define MONITOR_FILES 64   /* may be open in skerry-vmm, whatever its guest's programs may */
#define SIGNALS_MAX   1024 /* queued signals and POSIX timers of all sandboxes of a template */

/* Of this spawner: its address space is a copy of the zygote's, so this is its own. */
static struct slot *own_slot;

static void kill_if_asked(struct slot *slot)
{
    uint64_t asked = atomic_load(&slot->kill_call);
    if (asked == 0 || atomic_load(&slot->call) != asked)
        return; /* that one is gone; another waits here */
    /* in this order: pid 1 forgets the call, then looks whether it is doomed (sandbox.c, go_on) */
    atomic_store(&slot->doomed, 1);
    if (atomic_load(&slot->call) != asked)
        return;
    atomic_store(&slot->killed, 1);
    raw4(SYS_pidfd_send_signal, slot->pidfd, SIGKILL, NULL, 0);
}

/*
 * From the zygote: the call in slot->kill_call is to die. Nothing comes with the signal: what a
 * signal carries is lost when the queue of the uid is full, and a program can fill it.
 */
static void on_kill(int number)
{
    (void)number;
    if (own_slot->pidfd >= 0)
        kill_if_asked(own_slot);
}

/*
 * A mount namespace with the template's mounts, a /tmp that is as new, and no /proc. A program can
 * change no mount; if it left /tmp untouched, the last sandbox's namespace is that, and only its
 * /proc, which shows a pid namespace that is dead, is dropped. Else all of it is.
 */
static long renew_mounts(struct slot *slot)
{
    uint64_t begin = clock_now_ns();
    int kept = slot->has_mounts && slot_tmp_untouched(slot) &&
               FURNISH(SYS_umount2, "/proc", MNT_DETACH, 0, 0, 0) == 0;
    long result = kept ? 0 : FURNISH(SYS_setns, zygote.template_mounts, CLONE_NEWNS, 0, 0, 0);
    if (slot->exit_ns != 0)
        slot->cleaned_ns = clock_now_ns() - begin;
    if (result < 0 || kept)
        return result;
    slot->has_mounts = 0;
    result = FURNISH(SYS_unshare, CLONE_NEWNS, 0, 0, 0, 0);
    if (result == 0)
        result = slot_tmp_mount(slot);
    return result;
}

static void forget_sandbox(struct slot *slot)
{
    atomic_store(&slot->pid, 0);
    if (slot->pidfd >= 0) {
        int pidfd = slot->pidfd;
        slot->pidfd = -1; /* before the close: the signal handler looks at it */
        raw1(SYS_close, pidfd);
    }
    slot_reset(slot);
    atomic_store(&slot->doomed, 0);
    slot->next_pid = 0;
    slot->program_fd = -1; /* it was in the table of a pid 1 that is gone */
    warm_maker_gone(slot);
}

void slot_reset(struct slot *slot)
{
    atomic_store(&slot->call, 0);
    atomic_store(&slot->killed, 0);
    slot->bad_start = 0;
    slot->exec_errno = 0;
    slot->reported = 0;
    slot->has_status = 0;
    slot->taken_ns = slot->exec_ns = slot->sent_ns = slot->furnished_ns = 0;
    slot->inner_oom = 0;
    memset(slot->inner_ns, 0, sizeof(slot->inner_ns));
    if (atomic_exchange(&slot->net_used, 0)) {
        uint64_t one = 1;
        raw3(SYS_write, zygote.net_released, &one, sizeof(one));
    }
    atomic_fetch_add(&slot->sequence, 1);
}

/* From here on a kill finds its target; one that came before is done now. */
static void open_for_kill(struct slot *slot, long pid)
{
    slot->pidfd = (int)raw2(SYS_pidfd_open, pid, 0);
    if (slot->pidfd >= 0)
        kill_if_asked(slot);
    else /* what cannot be killed must not run */
        raw2(SYS_kill, pid, SIGKILL);
}

/* One sandbox, from its namespaces to its report. Returns 0, or -errno when none can be made. */
static long run_one(struct slot *slot)
{
    forget_sandbox(slot);
    long result = renew_mounts(slot);
    if (result < 0)
        return result;
    slot->clone_ns = clock_now_ns();
    uint64_t flags = CLONE_VM | CLONE_NEWPID | CLONE_PARENT_SETTID | SIGCHLD;
    if (zygote.hand.plan.flags & FUNCTION_OWN_IPC)
        flags |= CLONE_NEWIPC;
    long pid =
        slot_clone(flags, slot->init_stack + STACK_SIZE, sandbox_init_main, slot, &slot->pid);
    if (pid < 0)
        return pid;
    open_for_kill(slot, pid);
    int status = 0;
    struct rusage usage;
    long reaped;
    do {
        reaped = raw4(SYS_wait4, pid, &status, __WALL, &usage);
    } while (reaped == -EINTR);
    if (reaped < 0)
        return reaped;
    if (!slot->reported) {
        if (atomic_load(&slot->call) != 0) { /* first of all: its pages may fill the limit */
            FURNISH(SYS_umount2, "/tmp", MNT_DETACH, 0, 0, 0);
            slot->has_mounts = 0;
        }
        slot->exit_ns = clock_now_ns();
        slot_report(slot, slot->has_status ? slot->wait_status : status, &usage);
    }
    /* one that could not be furnished says so by its error: the next could not either */
    return slot->taken_ns == 0 && slot->exec_errno != 0 ? -slot->exec_errno : 0;
}

/* Other slots' descriptors, which came with the zygote's table: they are none of this one's
 * business. */
static void close_others(const struct slot *slot)
{
    const int own[3] = {slot->events_fd, slot->warm_near, slot->warm_far};
    int from = zygote.fds_own;
    for (;;) {
        int next = -1;
        for (int i = 0; i < 3; i++) {
            if (own[i] >= from && (next < 0 || own[i] < next))
                next = own[i];
        }
        if (next < 0)
            break;
        if (next > from)
            raw3(SYS_close_range, from, next - 1, 0);
        from = next + 1;
    }
    raw3(SYS_close_range, from, INT32_MAX, 0);
}

static uint32_t at_most(uint32_t value, rlim_t most)
{
    return most < value ? (uint32_t)most : value;
}

static void spawner_prepare(struct slot *slot)
{
    const struct jail_plan *plan = &zygote.hand.plan;
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {on_kill, 0x04000000ul /* SA_RESTORER */, slot_sigreturn, 0};
    uint64_t no_signals = 0;
    struct rlimit files = {0, 0};
    struct rlimit signals = {SIGNALS_MAX, SIGNALS_MAX};
    struct rlimit pids = {plan->limits.pids_max, plan->limits.pids_max};
    struct rlimit memory = {plan->limits.mem_bytes, plan->limits.mem_bytes};
    raw5(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    close_others(slot);
    raw4(SYS_rt_sigaction, SIGUSR1, &action, NULL, SIGSET_BYTES);
    raw4(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, SIGSET_BYTES);
    /* the program's alone (sandbox.c), which may not ask for more than the host allows */
    raw2(SYS_getrlimit, RLIMIT_NOFILE, &files);
    slot->files_max = at_most(plan->limits.files_max, files.rlim_max);
    slot->files_hard = slot->files_max;
    if ((plan->flags & JAIL_KVM) != 0 && slot->files_hard < MONITOR_FILES)
        slot->files_hard = at_most(MONITOR_FILES, files.rlim_max);
    /* queued signals and timers count for the owner of the user namespace too, up to the host's
     * root */
    raw2(SYS_setrlimit, RLIMIT_SIGPENDING, &signals);
    if (slot->events_fd < 0) { /* no cgroup: what rlimits can do instead */
        raw2(SYS_setrlimit, RLIMIT_NPROC, &pids);
        raw2(SYS_setrlimit, RLIMIT_DATA, &memory);
    }
}

/* Tells the owner our pid (by credentials) and waits until we are in the slot's cgroups. */
static void spawner_join_cgroup(struct slot *slot)
{
    struct control_message here = {.kind = CONTROL_SLOT_HERE, .slot = slot->index};
    raw6(SYS_sendto, zygote.control, RAW_ARG(&here), sizeof(here), MSG_NOSIGNAL, 0, 0);
    while (atomic_load(&slot->go) == 0)
        raw4(SYS_futex, &slot->go, FUTEX_WAIT, 0, NULL);
    slot->oom_kills = slot_read_oom_kills(slot);
    FURNISH(SYS_unshare, CLONE_NEWCGROUP, 0, 0, 0, 0);
}

static int spawner_main(void *arg)
{
    struct slot *slot = arg;
    own_slot = slot;
    slot->pidfd = -1;
    spawner_prepare(slot);
    spawner_join_cgroup(slot);
    long result = 0;
    while (result == 0 && !atomic_load(&slot->retired))
        result = run_one(slot);
    raw1(SYS_exit_group, result == 0 ? 0 : (int)(-result & 0xff));
    return 0;
}

/* --- called by the zygote --- */

struct slot *slot_new(uint32_t index, int events_fd, int warm_near, int warm_far)
{
    size_t env_bytes = ENV_POINTERS * sizeof(char *);
    size_t size = sizeof(struct slot) + 3 * STACK_SIZE + env_bytes + MESSAGE_SIZE;
    long at = raw6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at < 0 && at > -4096)
        return NULL;
    char *memory = (char *)(intptr_t)at;
    struct slot *slot = (struct slot *)(void *)(memory + 3 * STACK_SIZE);
    slot->index = index;
    slot->mapped = size;
    slot->events_fd = events_fd;
    slot->warm_near = warm_near;
    slot->warm_far = warm_far;
    slot->pidfd = slot->program_fd = -1;
    slot->spawner_stack = memory;
    slot->init_stack = memory + STACK_SIZE;
    slot->program_stack = memory + 2 * STACK_SIZE;
    slot->env = (const char **)(void *)(slot + 1);
    slot->message = (char *)slot->env + env_bytes;
    const char *at_env = zygote.hand.plan.env.data;
    for (uint32_t i = 0; i < zygote.env_count; i++) {
        slot->env[i] = at_env;
        at_env += strlen(at_env) + 1;
    }
    return slot;
}

long slot_start(struct slot *slot)
{
    return slot_clone(SIGCHLD, slot->spawner_stack + STACK_SIZE, spawner_main, slot, NULL);
}
