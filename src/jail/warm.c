/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warm programs, seen from pid 1 of their sandbox.
 *
 * The pair of sockets is the slot's, made by the owner of the template, since nothing here may make
 * sockets; a program's end is descriptor WARM_FD of that program alone. What a dead program left
 * in either direction is thrown away before the next one starts, so that no request and no answer
 * outlives its sandbox. What a program says counts only where it is due: anything else, or silence
 * for longer than a request may last, ends the sandbox.
 *
 * The snapshot is a memfd of the template: empty, then written by one program (before any request
 * was taken by it), then sealed for good, or emptied if none came of it. That program's sandbox
 * ends with its slot, because its control group has been charged for the pages.
 */
#include "jail/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "skerry/abi/warm.h"

/*
 * How often in a row programs may not get ready until it is not tried again: so many times, or
 * LATE_MAX times only late, where they go on from a snapshot. Such a one runs nothing of its own
 * before READY and is as slow as all are on a machine that is overloaded; but what it goes on from
 * was made by a program that nobody trusts.
 */
#define LATE_MAX     384u
#define UNREADY_COST (LATE_MAX / 3)
#define MAKERS_MAX   3 /* programs that died while they made the snapshot */

#define PATIENCE_MAX_NS (10 * NS_PER_SEC) /* requests wait meanwhile */

static_assert(START_ENV_MAX <= WARM_ENV_MAX, "the environment of every request fits");

union warm_message {
    struct warm_head head;
    struct warm_refusal refusal;
    struct warm_done done;
};

static const char *const role_words[] = {
    [WARM_ROLE_POOL] = WARM_VARIABLE "=pool",
    [WARM_ROLE_MAKE] = WARM_VARIABLE "=make",
    [WARM_ROLE_RESTORE] = WARM_VARIABLE "=restore",
};

/* What it holds: also of one that is sealed and was refused after that. */
static uint32_t snapshot_kib(void)
{
    struct stat status = {0};
    if (raw4(SYS_newfstatat, zygote.snapshot, "", &status, AT_EMPTY_PATH) < 0)
        return 0;
    return (uint32_t)(status.st_blocks / 2);
}

static void decide(uint32_t state, const char *reason)
{
    struct control_message message = {.kind = CONTROL_WARM, .value = state, .slot = snapshot_kib()};
    for (size_t i = 0; reason != NULL && i + 1 < WARM_REASON_MAX && reason[i] != '\0'; i++) {
        char c = reason[i]; /* the program's own words */
        message.why.text[i] = c >= 0x20 && c < 0x7f ? c : '?';
    }
    atomic_store(&zygote.warm, state);
    raw3(SYS_futex, &zygote.warm, FUTEX_WAKE, INT32_MAX);
    raw6(SYS_sendto, zygote.control, RAW_ARG(&message), sizeof(message),
         MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
}

static int snapshot_sealed(void)
{
    long seals = raw2(SYS_fcntl, zygote.snapshot, F_GET_SEALS);
    return seals >= 0 && (seals & WARM_SEALS) == WARM_SEALS;
}

/* What the template's word says while this slot makes the snapshot: its owner stands in it, so that
 * one step takes the work and a death at any line leaves it with somebody who can be named. */
static uint32_t making(const struct slot *slot)
{
    return JAIL_SNAPSHOT_MAKING | (slot->index + 1) << 8;
}

static enum warm_role without_snapshot(void)
{
    /* a program that is not a monitor has nothing to wait with */
    if ((zygote.hand.plan.flags & JAIL_KVM) == 0 || atomic_load(&zygote.unready) >= LATE_MAX)
        return WARM_ROLE_COLD;
    return WARM_ROLE_POOL;
}

enum warm_role warm_choose(struct slot *slot)
{
    if (zygote.hand.plan.warm == JAIL_WARM_NO || slot->warm_near < 0)
        return WARM_ROLE_COLD;
    if (zygote.hand.plan.warm == JAIL_WARM_POOL)
        return without_snapshot();
    for (;;) {
        uint32_t state = atomic_load(&zygote.warm);
        if (state == JAIL_SNAPSHOT_MADE)
            return WARM_ROLE_RESTORE;
        if (state == JAIL_SNAPSHOT_REFUSED)
            return without_snapshot();
        if (state != JAIL_SNAPSHOT_NONE) {
            struct timespec second = {1, 0}; /* who decides may die before it wakes us */
            raw6(SYS_futex, RAW_ARG(&zygote.warm), FUTEX_WAIT, (long)state, RAW_ARG(&second), 0, 0);
            continue;
        }
        if (slot->next_pid != 0)
            slot_leave(0); /* the snapshot is made in a sandbox that is new */
        if (atomic_compare_exchange_strong(&zygote.warm, &state, making(slot)))
            return WARM_ROLE_MAKE;
    }
}

/* --- in the program's process --- */

static long place(int fd, int target)
{
    if (fd == target)
        return raw3(SYS_fcntl, fd, F_SETFD, 0);
    return raw3(SYS_dup3, fd, target, 0);
}

long warm_place(struct slot *slot)
{
    slot->env[zygote.env_count] = role_words[slot->role];
    slot->env[zygote.env_count + 1] = NULL;
    long null = raw4(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    long result = null < 0 ? null : 0;
    for (int fd = 0; result >= 0 && fd < 3; fd++)
        result = raw3(SYS_dup3, null, fd, 0);
    /* in this order: the first of these numbers is nobody's source */
    if (result >= 0)
        result = place(slot->warm_far, WARM_FD);
    if (result >= 0 && slot->role != WARM_ROLE_POOL)
        result = place(zygote.snapshot, WARM_SNAPSHOT_FD);
    return result;
}

long warm_exec(const struct slot *slot)
{
    if (zygote.warm_program >= 0)
        return raw5(SYS_execveat, zygote.warm_program, "", zygote.warm_args, slot->env,
                    AT_EMPTY_PATH);
    return raw3(SYS_execve, zygote.program, zygote.args, slot->env);
}

/* --- in pid 1 --- */

int warm_drain(struct slot *slot)
{
    char byte;
    const int ends[2] = {slot->warm_near, slot->warm_far};
    for (int i = 0; i < 2; i++) {
        struct pollfd polled = {.fd = ends[i], .events = POLLRDHUP};
        /* from an end that was shut down comes nothing, for ever; nothing opens it again */
        if (raw3(SYS_poll, &polled, 1, 0) != 0)
            return -1;
        while (raw6(SYS_recvfrom, ends[i], RAW_ARG(&byte), 1, MSG_DONTWAIT, 0, 0) >= 0)
            ;
    }
    return 0;
}

/* The next message of the program: its kind; 0 when the program ended, the time is up, or what came
 * is no message. until_ns 0: for ever. */
static uint32_t hear(struct slot *slot, int pidfd, uint64_t until_ns, union warm_message *out)
{
    struct pollfd polled[2] = {{.fd = slot->warm_near, .events = POLLIN},
                               {.fd = pidfd, .events = POLLIN}};
    for (;;) {
        struct timespec left;
        uint64_t now = clock_now_ns();
        uint64_t ns = until_ns > now ? until_ns - now : 0;
        left = (struct timespec){(time_t)(ns / NS_PER_SEC), (long)(ns % NS_PER_SEC)};
        long count = raw5(SYS_ppoll, polled, 2, until_ns != 0 ? &left : NULL, NULL, SIGSET_BYTES);
        if (count == -EINTR)
            continue;
        if (count <= 0)
            return 0;
        /* its last words before its end */
        memset(out, 0, sizeof(*out));
        long size = raw6(SYS_recvfrom, slot->warm_near, RAW_ARG(out), sizeof(*out),
                         MSG_DONTWAIT | MSG_TRUNC, 0, 0);
        if (size == -EAGAIN && polled[1].revents == 0)
            continue;
        if (size < (long)sizeof(out->head) || size > (long)sizeof(*out) ||
            out->head.magic != WARM_MAGIC)
            return 0;
        size_t due = out->head.kind == WARM_REFUSED ? sizeof(out->refusal)
                     : out->head.kind == WARM_DONE  ? sizeof(out->done)
                                                    : sizeof(out->head);
        return (size_t)size == due ? out->head.kind : 0;
    }
}

/* Half the time of a request: one that came meanwhile still has the other half. But who waits for
 * the program takes no retirement, so its memory is kept from other functions that long. */
static uint64_t patience(void)
{
    uint64_t half = zygote.hand.plan.limits.timeout_ns / 2;
    return clock_now_ns() + (half < PATIENCE_MAX_NS ? half : PATIENCE_MAX_NS);
}

static long watch(long program)
{
    return raw2(SYS_pidfd_open, program, 0);
}

void warm_make(struct slot *slot, long program)
{
    union warm_message message;
    long pidfd = watch(program);
    uint32_t kind = pidfd < 0 ? 0 : hear(slot, (int)pidfd, patience(), &message);
    atomic_store(&slot->retired, 1);
    if (kind == WARM_MADE && snapshot_sealed()) {
        decide(JAIL_SNAPSHOT_MADE, NULL);
    } else if (kind == WARM_REFUSED) {
        message.refusal.reason[WARM_REASON_MAX - 1] = '\0';
        decide(JAIL_SNAPSHOT_REFUSED, message.refusal.reason);
    } else if (raw4(SYS_wait4, program, NULL, WNOHANG | __WALL, NULL) == program) {
        decide(JAIL_SNAPSHOT_REFUSED, "it died before it was saved");
    } else {
        decide(JAIL_SNAPSHOT_REFUSED,
               "it did not read its input within half its time limit, or 10 s");
    }
}

void warm_maker_gone(struct slot *slot)
{
    long dropped = 0;
    /* its pages are this slot's to pay for, and its requests would lack them */
    if (slot->role == WARM_ROLE_MAKE && atomic_load(&zygote.warm) != JAIL_SNAPSHOT_MADE)
        dropped = raw2(SYS_ftruncate, zygote.snapshot, 0);
    slot->role = WARM_ROLE_COLD;
    if (atomic_load(&zygote.warm) != making(slot))
        return;
    /* who sealed it all the same takes no second try */
    if (atomic_fetch_add(&zygote.makers, 1) + 1 < MAKERS_MAX && dropped == 0)
        decide(JAIL_SNAPSHOT_NONE, NULL);
    else
        decide(JAIL_SNAPSHOT_REFUSED, "it was killed before it was saved (its memory limit?)");
}

/* What a program said, or did not say, instead of READY. */
static void not_ready(const struct slot *slot, int late, uint32_t kind, union warm_message *message)
{
    if (slot->role == WARM_ROLE_RESTORE && kind == WARM_REFUSED) {
        message->refusal.reason[WARM_REASON_MAX - 1] = '\0';
        decide(JAIL_SNAPSHOT_REFUSED, message->refusal.reason);
        return;
    }
    uint32_t cost = slot->role == WARM_ROLE_RESTORE && late ? 1 : UNREADY_COST;
    if (atomic_fetch_add(&zygote.unready, cost) + cost < LATE_MAX ||
        slot->role != WARM_ROLE_RESTORE)
        return;
    atomic_store(&zygote.unready, 0);
    decide(JAIL_SNAPSHOT_REFUSED, "what was saved could not be brought back");
}

int warm_ready(struct slot *slot, long program, int first)
{
    union warm_message message;
    if (slot->program_fd >= 0)
        raw1(SYS_close, slot->program_fd);
    slot->program_fd = (int)watch(program);
    uint64_t until_ns = patience();
    uint32_t kind = slot->program_fd < 0 ? 0 : hear(slot, slot->program_fd, until_ns, &message);
    if (kind != WARM_READY) {
        if (first) /* after a request, that was what ended it */
            not_ready(slot, kind == 0 && clock_now_ns() >= until_ns, kind, &message);
        return -1;
    }
    atomic_store(&zygote.unready, 0);
    slot->furnished_ns = clock_now_ns();
    return 0;
}

long warm_request(struct slot *slot, const struct start_header *header, int fds[3])
{
    struct warm_request request = {.head = {WARM_MAGIC, WARM_REQUEST},
                                   .env_count = header->env_count,
                                   .env_bytes = header->env_bytes};
    struct iovec parts[2] = {{&request, sizeof(request)},
                             {slot->message + sizeof(*header), header->env_bytes}};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(3 * sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    long result = 0;
    if (header->flags & START_EMPTY_STDIN) { /* an open file of its own, see start.h */
        raw1(SYS_close, fds[0]);
        result = raw4(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
        fds[0] = (int)result;
    }
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(3 * sizeof(int));
    memcpy(CMSG_DATA(head), fds, 3 * sizeof(int));
    if (result >= 0)
        result = raw3(SYS_sendmsg, slot->warm_near, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (int i = 0; i < 3; i++)
        raw1(SYS_close, fds[i]);
    return result < 0 ? result : 0;
}

static struct timeval timeval_of(uint64_t us)
{
    return (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
}

/* A program that said something else than what is due: it ends as if killed, with its sandbox. */
static _Noreturn void end_liar(struct slot *slot)
{
    slot->wait_status = SIGKILL;
    slot->has_status = 1;
    slot_leave(1);
}

int warm_done(struct slot *slot, struct rusage *out_usage)
{
    union warm_message message;
    struct pollfd ended = {.fd = slot->program_fd, .events = POLLIN};
    if (hear(slot, slot->program_fd, 0, &message) != WARM_DONE) {
        if (raw3(SYS_poll, &ended, 1, 0) != 1)
            end_liar(slot);
        return 0;
    }
    slot->exit_ns = clock_now_ns();
    slot->wait_status = message.done.wait_status;
    slot->has_status = 1;
    slot->inner_oom = message.done.oom != 0;
    memcpy(slot->inner_ns, message.done.stages_ns, sizeof(slot->inner_ns));
    slot->cleaned_ns = message.done.reset_ns;
    memset(out_usage, 0, sizeof(*out_usage));
    out_usage->ru_utime = timeval_of(message.done.user_us);
    out_usage->ru_stime = timeval_of(message.done.system_us);
    return 1;
}
