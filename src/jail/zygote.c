/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-zygote: main. Started by jail_template_open() in new namespaces, as root of its user
 * namespace and nothing outside, with one descriptor: the control socket.
 *
 * It builds the root file system, the inner user namespace, starts the notify handler, gives up
 * what it no longer needs, installs the filters, says READY, and then only starts spawners,
 * passes on kills and reaps. It is pid 1 of its pid namespace: when it ends, for whatever reason,
 * the kernel kills everything in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "jail/raw.h"
#include "jail/slot.h"
#include "jail/warm.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)
#endif

#define FDS_LOOKED_AT 256 /* more than the zygote ever opens for itself */

struct zygote_state *zygote_memory;

static void tell(uint32_t kind, uint32_t slot, uint32_t value, const struct err *why)
{
    struct control_message message = {.kind = kind, .slot = slot, .value = value};
    if (why != NULL)
        message.why = *why;
    raw6(SYS_sendto, zygote.control, RAW_ARG(&message), sizeof(message), MSG_NOSIGNAL, 0, 0);
}

static void fail(const struct err *why)
{
    tell(CONTROL_FAILED, 0, 0, why);
    exit(1);
}

/* --- what comes once --- */

static int take_handover(int fds[PACKET_FDS_MAX], size_t *count, struct err *err)
{
    ssize_t size = packet_recv(zygote.control, &zygote.hand, sizeof(zygote.hand), fds,
                               PACKET_FDS_MAX, count, 0);
    if (size != sizeof(zygote.hand) || zygote.hand.version != HANDOVER_VERSION ||
        *count < HANDOVER_FIXED)
        return err_set(err, EPROTO, "the handover is %zd bytes with %zu descriptors", size, *count);
    int result = jail_plan_check(&zygote.hand.plan, err);
    if (result < 0)
        return result;
    size_t length = zygote.hand.filter_length;
    if (length == 0 || length > FILTER_LENGTH_MAX ||
        packet_recv(zygote.control, zygote.main_filter, sizeof(zygote.main_filter), NULL, 0, NULL,
                    0) != (ssize_t)(length * sizeof(struct sock_filter)))
        return err_set(err, EPROTO, "the filter that was handed over is malformed");
    if (zygote.hand.has_warm && *count > HANDOVER_FIXED)
        zygote.warm_program = fds[--*count];
    zygote.start = fds[HANDOVER_START];
    zygote.report = fds[HANDOVER_REPORT];
    return 0;
}

static void prepare_program(void)
{
    const struct jail_plan *plan = &zygote.hand.plan;
    uint32_t count = 0;
    const uint32_t room = sizeof(zygote.args) / sizeof(zygote.args[0]) - 1;
    for (STRBLOCK_EACH(&plan->args, text)) {
        if (count < room)
            zygote.args[count++] = text;
    }
    zygote.env_count = plan->env.count < 1024 ? plan->env.count : 1023;
    snprintf(zygote.tmp_options, sizeof(zygote.tmp_options), "mode=1777,size=%llu,nr_inodes=%llu",
             (unsigned long long)plan->limits.tmp_bytes,
             (unsigned long long)(plan->limits.tmp_bytes / 4096 + 1024));
    zygote.closing_length = filter_closing(plan, zygote.key, zygote.closing);
}

/*
 * What warm programs need beside their own: the memory for the snapshot, and the arguments of
 * skerry-warm where it starts them.
 */
static int prepare_warm(struct err *err)
{
    uint32_t count = 0;
    if (zygote.hand.plan.warm != JAIL_WARM_SNAPSHOT)
        return 0;
    zygote.snapshot = (int)syscall(SYS_memfd_create, "snapshot", 3u /* CLOEXEC | ALLOW_SEALING */);
    if (zygote.snapshot < 0)
        return err_set(err, errno, "memory for the snapshot of the program:");
    if (zygote.warm_program < 0)
        return 0;
    zygote.warm_args[count++] = "skerry-warm";
    zygote.warm_args[count++] = zygote.program;
    for (uint32_t i = 1; zygote.args[i] != NULL; i++)
        zygote.warm_args[count++] = zygote.args[i];
    return 0;
}

static const char *search_path(void)
{
    for (STRBLOCK_EACH(&zygote.hand.plan.env, text)) {
        if (strncmp(text, "PATH=", 5) == 0)
            return text + 5;
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static int is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Finds args[0] within the root, as a shell would. Runs after the root is entered. */
static int find_program(struct err *err)
{
    static char found[FUNCTION_PATH_MAX];
    const char *name = zygote.args[0];
    if (chdir(zygote.hand.plan.cwd) < 0)
        return err_set(err, errno,
                       "enter %s, the working directory, in the sandbox:", zygote.hand.plan.cwd);
    if (strchr(name, '/') != NULL) {
        zygote.program = name;
        if (!is_program(name))
            return err_set(err, ENOENT, "program %s is not in the sandbox's root file system",
                           name);
    }
    for (const char *at = search_path(); zygote.program == NULL; at++) {
        size_t length = strcspn(at, ":");
        snprintf(found, sizeof(found), "%.*s/%s", (int)length, at, name);
        if (length > 0 && is_program(found))
            zygote.program = found;
        at += length;
        if (zygote.program == NULL && *at == '\0')
            return err_set(err, ENOENT, "program %s is not in the sandbox's PATH (%s)", name,
                           search_path());
    }
    return chdir("/") < 0 ? -errno : 0;
}

/* The one device whose ioctls a monitor needs. */
static void allow_kvm(void)
{
    struct {
        uint64_t access;
        int32_t parent;
    } __attribute__((packed)) rule = {1u << 15 /* IOCTL_DEV */, -1};
    fd_owner kvm = open("/dev/kvm", O_PATH | O_CLOEXEC);
    rule.parent = kvm;
    raw4(445 /* landlock_add_rule */, zygote.landlock, 1 /* PATH_BENEATH */, &rule, 0);
}

/*
 * Landlock, where the kernel has it: each sandbox enters a domain of its own with these rules. It
 * may make no device nodes, use no device's ioctls, and (newer kernels) reach no abstract socket of
 * and send no signal to anything outside its domain.
 */
static void prepare_landlock(void)
{
    struct {
        uint64_t fs, net, scoped;
    } rules = {LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK, 0, 0};
    long abi = raw3(444, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
    if (abi < 1)
        return;
    if (abi >= 5)
        rules.fs |= 1u << 15; /* IOCTL_DEV */
    if (abi >= 6)
        rules.scoped = 3; /* abstract sockets, signals */
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    zygote.landlock = (int)raw3(444, &rules, size, 0);
    if (abi >= 5 && (zygote.hand.plan.flags & JAIL_KVM) != 0)
        allow_kvm();
}

static int keep_capabilities(struct err *err)
{
    uint32_t keep = 1u << CAP_SYS_ADMIN | 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL |
                    1u << CAP_SYS_PTRACE | 1u << CAP_NET_ADMIN | 1u << CAP_SYS_CHROOT;
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if ((cap >= 32 || !((keep >> cap) & 1)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
            errno != EINVAL)
            return err_set(err, errno, "drop capability %d:", cap);
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = keep, .permitted = keep}, {0}};
    if (syscall(SYS_capset, &header, data) < 0)
        return err_set(err, errno, "drop capabilities:");
    return 0;
}

static int install_filters(struct err *err)
{
    struct rlimit core = {1, 1}; /* less than any dump; the closing filter keeps it so */
    struct sock_fprog closing = {.len = (unsigned short)zygote.closing_length,
                                 .filter = zygote.closing};
    struct sock_fprog program = {.len = (unsigned short)zygote.hand.filter_length,
                                 .filter = zygote.main_filter};
    unsigned long flags = 0;
    if (setrlimit(RLIMIT_CORE, &core) < 0)
        return err_set(err, errno, "limit core files:");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_set(err, errno, "set NO_NEW_PRIVS:");
    if (zygote.hand.uses_notify)
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (result < 0 && errno == EINVAL && flags != 0) /* before 5.19: a signal may interrupt it */
        result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                         &program);
    if (result < 0)
        return err_set(err, errno, "install the seccomp filter:");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &closing) < 0)
        return err_set(err, errno, "install the closing filter:");
    if (flags == 0)
        return 0;
    atomic_store(&zygote.listener, (int)result);
    raw3(SYS_futex, &zygote.listener, FUTEX_WAKE, 1);
    return 0;
}

static int build(struct err *err)
{
    int fds[PACKET_FDS_MAX];
    size_t count = 0;
    int result = take_handover(fds, &count, err);
    if (result < 0)
        return result;
    if (getrandom(&zygote.key, sizeof(zygote.key), 0) != sizeof(zygote.key))
        return err_set(err, errno, "getrandom:");
    prepare_program();
    if (sethostname(zygote.hand.plan.hostname, strlen(zygote.hand.plan.hostname)) < 0)
        return err_set(err, errno, "set the host name of the sandbox:");
    umask(022);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else the files of /proc/PID are not ours */
    result = root_build(fds + HANDOVER_FIXED, (uint32_t)(count - HANDOVER_FIXED), err);
    if (result == 0)
        result = find_program(err);
    if (result == 0)
        result = prepare_warm(err);
    if (result == 0)
        result = inner_userns_make(err);
    if (result < 0)
        return result;
    prepare_landlock();
    zygote.net_released = eventfd(0, EFD_CLOEXEC);
    if (zygote.net_released < 0)
        return err_set(err, errno, "eventfd:");
    result = keep_capabilities(err);
    if (result == 0 && zygote.hand.uses_notify) {
        long pid = notify_start(); /* before the filter: it makes the sockets the filter stops */
        zygote.notify_pid = (pid_t)pid;
        if (pid < 0)
            result = err_set(err, (int)-pid, "start the notify handler:");
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return result == 0 ? install_filters(err) : result;
}

/* --- what comes again and again; raw calls only from here on --- */

static void close_three(const int fds[3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            raw1(SYS_close, fds[i]);
    }
}

/* Above all that is the zygote's own, so that spawners know what to close. */
static int lift(int fd)
{
    if (fd < 0 || fd >= zygote.fds_own)
        return fd;
    long lifted = raw3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, zygote.fds_own);
    raw1(SYS_close, fd);
    return (int)lifted;
}

/* fds: events, and the two ends of the words with warm programs; -1 where there is none. They
 * become the slot's, or are closed. */
static void slot_add(uint32_t index, int fds[3])
{
    int missing = 0;
    for (int i = 0; i < 3; i++) {
        int given = fds[i] >= 0;
        fds[i] = lift(fds[i]);
        missing |= given && fds[i] < 0;
    }
    if (index >= SLOTS_MAX || atomic_load(&zygote.slots[index]) != NULL) {
        close_three(fds);
        return;
    }
    struct slot *slot = missing ? NULL : slot_new(index, fds[0], fds[1], fds[2]);
    if (slot == NULL) {
        close_three(fds);
        tell(CONTROL_SLOT_GONE, index, 0, NULL);
        return;
    }
    atomic_store(&zygote.slots[index], slot);
    long pid = slot_start(slot);
    slot->spawner = (pid_t)pid;
    if (pid < 0) {
        atomic_store(&zygote.slots[index], NULL);
        raw2(SYS_munmap, slot->spawner_stack, slot->mapped);
        close_three(fds);
        tell(CONTROL_SLOT_GONE, index, 0, NULL);
        return;
    }
    raw3(SYS_madvise, slot->spawner_stack, slot->mapped,
         MADV_DONTFORK); /* not for other spawners */
}

static void slot_go(uint32_t index)
{
    struct slot *slot = index < SLOTS_MAX ? atomic_load(&zygote.slots[index]) : NULL;
    if (slot == NULL)
        return;
    atomic_store(&slot->go, 1);
    raw3(SYS_futex, &slot->go, FUTEX_WAKE, 1);
}

static void slot_kill_call(struct slot *slot, uint64_t call)
{
    atomic_store(&slot->kill_call, call);
    raw2(SYS_kill, slot->spawner, SIGUSR1);
}

static void kill_call(uint64_t call)
{
    zygote.killed_next = (zygote.killed_next + 1) % KILLED_RING;
    atomic_store(&zygote.killed_calls[zygote.killed_next], call); /* for who has not taken it yet */
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        struct slot *slot = atomic_load(&zygote.slots[i]);
        if (slot != NULL && atomic_load(&slot->call) == call)
            slot_kill_call(slot, call);
    }
}

static void set_epoch(uint32_t epoch)
{
    atomic_store(&zygote.epoch, epoch);
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        struct slot *slot = atomic_load(&zygote.slots[i]);
        uint64_t call = slot != NULL ? atomic_load(&slot->call) : 0;
        if (call != 0 && slot->epoch != epoch)
            slot_kill_call(slot, call);
    }
}

/*
 * A spawner ended. Its sandbox dies with it, by the parent-death signal or, where that was not
 * armed at the moment, by us: it is our child now, so the pid is still its. If it had a call, the
 * gateway is told.
 */
static void slot_gone(struct slot *slot)
{
    uint64_t call = atomic_load(&slot->call);
    uint32_t retired = atomic_load(&slot->retired);
    int sandbox = atomic_load(&slot->pid);
    if (sandbox > 1 && !retired)
        raw2(SYS_kill, sandbox, SIGKILL);
    if (!retired && call != 0) {
        struct exit_report lost = {.magic = START_MAGIC,
                                   .version = START_VERSION,
                                   .kind = REPORT_LOST,
                                   .call_id = call,
                                   .epoch = slot->epoch};
        if (slot_read_oom_kills(slot) > slot->oom_kills) { /* all of the group was killed for it */
            lost.kind = REPORT_EXIT;
            lost.wait_status = SIGKILL;
            lost.flags = REPORT_OOM;
            lost.taken_ns = slot->taken_ns;
            lost.exec_ns = slot->exec_ns;
            lost.exit_ns = clock_now_ns();
        }
        raw6(SYS_sendto, zygote.report, RAW_ARG(&lost), sizeof(lost), MSG_NOSIGNAL, 0, 0);
    }
    warm_maker_gone(slot);
    atomic_store(&zygote.slots[slot->index], NULL);
    close_three((const int[3]){slot->events_fd, slot->warm_near, slot->warm_far});
    tell(CONTROL_SLOT_GONE, slot->index, retired, NULL);
    raw2(SYS_munmap, slot->spawner_stack, slot->mapped);
}

static void reap(int signals)
{
    struct signalfd_siginfo ignored;
    raw3(SYS_read, signals, &ignored, sizeof(ignored));
    for (;;) {
        long pid = raw4(SYS_wait4, -1, NULL, WNOHANG | __WALL, NULL);
        if (pid <= 0)
            return;
        if (pid == zygote.notify_pid)
            raw1(SYS_exit_group, 2); /* sandboxes must not go on without it: all end with us */
        for (uint32_t i = 0; i < SLOTS_MAX; i++) {
            struct slot *slot = atomic_load(&zygote.slots[i]);
            if (slot != NULL && slot->spawner == pid)
                slot_gone(slot);
        }
    }
}

static void obey_owner(void)
{
    struct control_message message = {0};
    int fds[3] = {-1, -1, -1};
    size_t count = 0;
    ssize_t size =
        packet_recv(zygote.control, &message, sizeof(message), fds, 3, &count, MSG_DONTWAIT);
    if (size == 0)
        raw1(SYS_exit_group, 0); /* the owner is gone */
    if (size == -EMSGSIZE && message.kind == CONTROL_SLOT_ADD)
        tell(CONTROL_SLOT_GONE, message.slot, 0, NULL); /* no room for its descriptors */
    if (size != sizeof(message)) {
        close_three(fds);
        return;
    }
    switch (message.kind) {
    case CONTROL_SLOT_ADD:
        if ((message.value & SLOT_FD_EVENTS) == 0) { /* the pair is at the front */
            fds[2] = fds[1];
            fds[1] = fds[0];
            fds[0] = -1;
        }
        slot_add(message.slot, fds);
        break;
    case CONTROL_SLOT_GO:
        slot_go(message.slot);
        break;
    case CONTROL_EPOCH:
        set_epoch(message.value);
        break;
    default:
        break;
    }
}

static void obey_gateway(struct pollfd *polled)
{
    struct kill_request request;
    ssize_t size =
        packet_recv(zygote.report, &request, sizeof(request), NULL, 0, NULL, MSG_DONTWAIT);
    if (size == 0)
        polled->fd = -1; /* all near ends are closed: nobody can start anything either */
    if (size == sizeof(request) && request.magic == START_MAGIC &&
        request.epoch == atomic_load(&zygote.epoch))
        kill_call(request.call_id);
}

static void serve(int signals)
{
    struct pollfd polled[3] = {{.fd = zygote.control, .events = POLLIN},
                               {.fd = zygote.report, .events = POLLIN},
                               {.fd = signals, .events = POLLIN}};
    for (;;) {
        if (raw3(SYS_poll, polled, 3, -1) < 0)
            continue;
        if (polled[2].revents)
            reap(signals);
        if (polled[0].revents)
            obey_owner();
        if (polled[1].revents)
            obey_gateway(&polled[1]);
    }
}

int main(void)
{
    struct err err = {0};
    sigset_t child;
    zygote_memory =
        mmap(NULL, sizeof(zygote), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (zygote_memory == MAP_FAILED)
        return 1; /* the owner sees the end of the control socket */
    zygote.landlock = zygote.warm_program = zygote.snapshot = -1;
    atomic_store(&zygote.listener, -1);
    zygote.control = ZYGOTE_CONTROL_FD;
    fcntl(zygote.control, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    setsid(); /* no controlling terminal, here and in all sandboxes */
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || build(&err) < 0)
        fail(&err);
    for (int fd = 0; fd < FDS_LOOKED_AT; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            zygote.fds_own = fd + 1;
    }
    tell(CONTROL_READY, 0, 0, NULL);
    serve(signals);
    return 0;
}
