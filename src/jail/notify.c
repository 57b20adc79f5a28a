/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notify handler of a template: makes the sockets that its sandboxes ask for.
 *
 * socket() and socketpair() of every sandbox stop in seccomp and come here. The first one of a
 * sandbox gives it a network namespace of its own (from a small pool, or made at once when the pool
 * is dry): loopback and nothing else. The socket is made there by us and put into the caller's
 * table (ADDFD), so the sandbox never holds a socket of the namespace that all sandboxes of the
 * template start in: no abstract name, no loopback port and no netlink state can be shared between
 * two of them.
 *
 * The only pointer argument, socketpair's int[2], is written and never read: nothing can be changed
 * after a check. A caller is known by its pid namespace; the id is checked again before memory of
 * it is touched. If this process dies, the zygote ends, and the template with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "jail/network.h"
#include "jail/notify_confine.h"
#include "jail/raw.h"
#include "jail/slot_clone.h"
#include "jail/zygote.h"

#define POOL_MAX 16

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, uint64_t)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1ul << 0)
#endif

struct network {
    uint64_t sequence; /* of the slot's sandbox that it was given to */
    uint64_t pid_namespace;
    uint64_t made; /* sockets */
    int fd;        /* network namespace, 0: none (descriptor 0 is never one) */
};

static struct {
    struct network of_slot[SLOTS_MAX];
    int pool[POOL_MAX];
    uint32_t pool_count;
    uint32_t pool_target; /* grows with use, shrinks when nothing asks */
    char stack[STACK_SIZE] __attribute__((aligned(16)));
} handler;

static size_t text_number(char *out, uint64_t value)
{
    char digits[24];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

/* Path of a file of a process below the template's /proc. */
static void proc_path(char out[64], pid_t pid, const char *file)
{
    size_t length = text_number(out, (uint64_t)pid);
    out[length++] = '/';
    strcpy(out + length, file);
}

/* The inode number that names the pid namespace of a process; 0 when it is gone. */
static uint64_t pid_namespace_of(pid_t pid)
{
    char path[64];
    struct stat status = {0};
    proc_path(path, pid, "ns/pid");
    long result = raw4(SYS_newfstatat, zygote.proc_root, path, &status, 0);
    return result == 0 ? status.st_ino : 0;
}

/* --- network namespaces --- */

static int network_take(void)
{
    if (handler.pool_target < POOL_MAX)
        handler.pool_target++;
    if (handler.pool_count > 0)
        return handler.pool[--handler.pool_count];
    return network_make(zygote.proc_root);
}

static void network_release(struct network *network)
{
    if (network->fd > 0)
        raw1(SYS_close, network->fd);
    network->fd = 0;
    network->pid_namespace = 0;
}

/* The networks of sandboxes that are gone. */
static void networks_sweep(void)
{
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        struct network *network = &handler.of_slot[i];
        struct slot *slot = atomic_load(&zygote.slots[i]);
        if (network->fd > 0 && (slot == NULL || atomic_load(&slot->sequence) != network->sequence))
            network_release(network);
    }
}

/* The slot whose sandbox the caller is in; NULL when there is none (any more). */
static struct slot *slot_of(pid_t caller)
{
    uint64_t namespace_of_caller = 0;
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        struct slot *slot = atomic_load(&zygote.slots[i]);
        if (slot != NULL && atomic_load(&slot->pid) == caller)
            return slot;
    }
    namespace_of_caller = pid_namespace_of(caller);
    for (uint32_t i = 0; namespace_of_caller != 0 && i < SLOTS_MAX; i++) {
        struct slot *slot = atomic_load(&zygote.slots[i]);
        int pid = slot != NULL ? atomic_load(&slot->pid) : 0;
        struct network *network = &handler.of_slot[i];
        if (pid == 0)
            continue;
        uint64_t known = network->fd > 0 && network->sequence == atomic_load(&slot->sequence)
                             ? network->pid_namespace
                             : 0;
        if ((known != 0 ? known : pid_namespace_of(pid)) == namespace_of_caller)
            return slot;
    }
    return NULL;
}

/* Enters the network namespace of a slot's sandbox; makes it at the first call. 0 or -errno. */
static int network_enter(struct slot *slot)
{
    struct network *network = &handler.of_slot[slot->index];
    uint64_t sequence = atomic_load(&slot->sequence);
    if (network->fd > 0 && network->sequence != sequence)
        network_release(network);
    if (network->fd <= 0) {
        int fd = network_take();
        if (fd < 0)
            return fd;
        network->fd = fd;
        network->sequence = sequence;
        network->made = 0;
        network->pid_namespace = pid_namespace_of(atomic_load(&slot->pid));
        atomic_store(&slot->net_used, 1); /* the spawner wakes us when that sandbox is gone */
    }
    return (int)raw2(SYS_setns, network->fd, CLONE_NEWNET);
}

/*
 * Sockets are made by this process, so their buffers do not count in the sandbox's cgroup. Their
 * size is bounded in the namespace, their number here: one for each 512 KiB of the memory limit.
 * The kernel is asked for how many live only when more than that were made.
 */
static int network_is_full(const struct slot *slot)
{
    struct network *network = &handler.of_slot[slot->index];
    uint64_t most = zygote.hand.plan.limits.mem_bytes / (512u << 10);
    if (most < 8)
        most = 8;
    if (++network->made <= most)
        return 0;
    return network_sockets(zygote.proc_root) >= (long)most;
}

/* --- answers --- */

static int family_allowed(uint64_t family, uint64_t type, uint64_t protocol)
{
    uint32_t kind = (uint32_t)type & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
    switch ((uint32_t)family) {
    case AF_UNIX:
        return kind == SOCK_STREAM || kind == SOCK_DGRAM || kind == SOCK_SEQPACKET;
    case AF_INET:
    case AF_INET6: /* TCP and UDP, no protocol that nobody asked for by name */
        return (kind == SOCK_STREAM &&
                ((uint32_t)protocol == 0 || (uint32_t)protocol == IPPROTO_TCP)) ||
               (kind == SOCK_DGRAM &&
                ((uint32_t)protocol == 0 || (uint32_t)protocol == IPPROTO_UDP));
    case AF_NETLINK: /* getifaddrs() */
        return (kind == SOCK_RAW || kind == SOCK_DGRAM) && (uint32_t)protocol == NETLINK_ROUTE;
    default:
        return 0;
    }
}

static void answer(uint64_t id, long result)
{
    struct seccomp_notif_resp response = {.id = id};
    if (result < 0)
        response.error = (int)result;
    else
        response.val = result;
    raw3(SYS_ioctl, atomic_load(&zygote.listener), SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static long add_fd(uint64_t id, long fd, uint64_t type, uint32_t flags)
{
    struct seccomp_notif_addfd add = {.id = id,
                                      .flags = flags,
                                      .srcfd = (uint32_t)fd,
                                      .newfd_flags = type & SOCK_CLOEXEC ? O_CLOEXEC : 0};
    return raw3(SYS_ioctl, atomic_load(&zygote.listener), SECCOMP_IOCTL_NOTIF_ADDFD, &add);
}

/* The socket belongs to who asked for it (its inode's owner), not to us. */
static void act_as_program(int as_program)
{
    const struct jail_plan *plan = &zygote.hand.plan;
    uint32_t uid = plan->rootless ? 0 : plan->uid;
    uint32_t gid = plan->rootless ? 0 : plan->gid;
    raw1(SYS_setfsgid, as_program ? gid : 0);
    raw1(SYS_setfsuid, as_program ? uid : 0);
}

static void answer_socket(const struct seccomp_notif *ask)
{
    const uint64_t *args = (const uint64_t *)ask->data.args;
    act_as_program(1);
    long fd = raw3(SYS_socket, (int)args[0], (int)args[1] | SOCK_CLOEXEC, (int)args[2]);
    act_as_program(0);
    if (fd < 0) {
        answer(ask->id, fd);
        return;
    }
    long result = add_fd(ask->id, fd, args[1], SECCOMP_ADDFD_FLAG_SEND);
    if (result < 0 && result != -ENOENT)
        answer(ask->id, result); /* EMFILE of the caller: it must not hang */
    raw1(SYS_close, fd);
}

/*
 * Writes a pair's numbers into the caller's memory, as the kernel would: where it may not write,
 * this fails. The call is asked for again first, so that the pid is still the caller's.
 */
static long write_pair(const struct seccomp_notif *ask, const int numbers[2])
{
    struct iovec from = {(void *)(uintptr_t)numbers, 2 * sizeof(int)};
    struct iovec to = {(void *)(uintptr_t)ask->data.args[3], 2 * sizeof(int)};
    long result =
        raw3(SYS_ioctl, atomic_load(&zygote.listener), SECCOMP_IOCTL_NOTIF_ID_VALID, &ask->id);
    if (result == 0)
        result = raw6(SYS_process_vm_writev, (long)ask->pid, RAW_ARG(&from), 1, RAW_ARG(&to), 1, 0);
    return result == 2 * sizeof(int) ? 0 : -EFAULT;
}

static void answer_socketpair(const struct seccomp_notif *ask)
{
    const uint64_t *args = (const uint64_t *)ask->data.args;
    int pair[2] = {-1, -1};
    int numbers[2] = {-1, -1};
    /* first, so that a bad address leaves no descriptors behind */
    long result = write_pair(ask, numbers);
    if (result == 0) {
        act_as_program(1);
        result =
            raw4(SYS_socketpair, (int)args[0], (int)args[1] | SOCK_CLOEXEC, (int)args[2], pair);
        act_as_program(0);
    }
    if (result == 0) {
        for (int i = 0; i < 2 && result >= 0; i++) {
            result = add_fd(ask->id, pair[i], args[1], 0);
            numbers[i] = (int)result;
        }
        if (result >= 0)
            result = write_pair(ask, numbers);
        raw1(SYS_close, pair[0]);
        raw1(SYS_close, pair[1]);
    }
    answer(ask->id, result);
}

static void serve_one(void)
{
    struct seccomp_notif ask;
    memset(&ask, 0, sizeof(ask));
    if (raw3(SYS_ioctl, atomic_load(&zygote.listener), SECCOMP_IOCTL_NOTIF_RECV, &ask) < 0)
        return; /* the caller died meanwhile */
    struct slot *slot = slot_of((pid_t)ask.pid);
    int known = ask.data.nr == SYS_socket || ask.data.nr == SYS_socketpair;
    if (slot == NULL || !known) {
        answer(ask.id, -EPERM);
        return;
    }
    if (!family_allowed(ask.data.args[0], ask.data.args[1], ask.data.args[2])) {
        answer(ask.id, -EAFNOSUPPORT);
        return;
    }
    long result = network_enter(slot);
    if (result == 0 && network_is_full(slot))
        result = -EMFILE;
    /* the pid may have been another's by now: what was looked up holds only if the call still waits
     */
    if (raw3(SYS_ioctl, atomic_load(&zygote.listener), SECCOMP_IOCTL_NOTIF_ID_VALID, &ask.id) < 0)
        return;
    if (result < 0)
        answer(ask.id, result);
    else if (ask.data.nr == SYS_socket)
        answer_socket(&ask);
    else
        answer_socketpair(&ask);
}

static void refill(void)
{
    while (handler.pool_count < handler.pool_target) {
        int fd = network_make(zygote.proc_root);
        if (fd < 0)
            return;
        handler.pool[handler.pool_count++] = fd;
    }
}

static void shrink(void)
{
    handler.pool_target /= 2;
    while (handler.pool_count > handler.pool_target)
        raw1(SYS_close, handler.pool[--handler.pool_count]);
}

static int notify_main(void *arg)
{
    (void)arg;
    raw5(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    while (atomic_load(&zygote.listener) < 0)
        raw4(SYS_futex, &zygote.listener, FUTEX_WAIT, -1, NULL);
    raw1(SYS_unshare, CLONE_FILES); /* our pool is nobody else's */
    raw3(SYS_ioctl, atomic_load(&zygote.listener), SECCOMP_IOCTL_NOTIF_SET_FLAGS,
         SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP); /* newer kernels: wake the caller on this core */
    if (notify_confine() < 0)
        raw1(SYS_exit_group, 1); /* the zygote ends with us */
    struct pollfd polled[2] = {{.fd = atomic_load(&zygote.listener), .events = POLLIN},
                               {.fd = zygote.net_released, .events = POLLIN}};
    for (;;) {
        int idle_ms = handler.pool_target > 0 ? 5000 : -1;
        int work_left = handler.pool_count < handler.pool_target;
        long count = raw3(SYS_poll, polled, 2, work_left ? 0 : idle_ms);
        if (count == 0 && work_left)
            refill();
        else if (count == 0)
            shrink();
        if (count > 0 && polled[1].revents) {
            uint64_t value;
            raw3(SYS_read, zygote.net_released, &value, sizeof(value));
            networks_sweep();
        }
        if (count > 0 && (polled[0].revents & POLLIN))
            serve_one();
        else if (count > 0 && (polled[0].revents & (POLLHUP | POLLERR | POLLNVAL)))
            polled[0].fd = -1; /* no filter user is left: nothing will ask any more */
    }
    return 0;
}

long notify_start(void)
{
    return slot_clone(CLONE_VM | CLONE_FILES | SIGCHLD, handler.stack + sizeof(handler.stack),
                      notify_main, NULL, NULL);
}
