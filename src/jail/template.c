/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner's side of a template: what came of it (events), and its slots.
 *
 * A slot is added in three steps, none of which blocks: its cgroup is made and the zygote told to
 * start the spawner; the spawner says HERE, and the kernel says which pid that is; it is attached
 * and told to go. A slot is taken away by a retire message on the start socket: whichever waiting
 * sandbox receives it ends with its slot, so none with a request is ever hit.
 */
#include "jail/template.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "base/slice.h"
#include "jail/handover.h"
#include "jail/host.h"
#include "jail/launch.h"

#define PEAK_SAMPLES 8
#define SLICE_NS     (100 * UINT64_C(1000)) /* of sandboxes: docs/benchmarks.md, many tenants */

enum slot_state {
    SLOT_FREE = 0,
    SLOT_STARTING, /* its cgroup stands, its spawner was asked for */
    SLOT_RUNNING,  /* in its cgroup, told to go */
    SLOT_REMOVING, /* its spawner ended; the cgroup could not be removed yet */
};

struct jail_template {
    struct jail_host *host;
    struct launch zygote;
    char cgroup[CGROUP_NAME_MAX / 2];
    struct function_limits limits;
    bool warm; /* its slots speak with warm programs */
    bool ready;
    bool gone;
    uint32_t want;
    uint32_t retiring; /* retire messages that no sandbox has taken yet */
    uint32_t running;
    uint32_t reported; /* running as of the last SLOTS event */
    uint8_t slots[SLOTS_MAX];
    uint32_t peak_at;  /* the slot whose memory is looked at next */
    uint32_t failures; /* slots that died in a row before one was retired; bounds restarts */
};

/* "tenant-T": a name that no file of a cgroup has. */
static void name_cgroup(struct jail_template *template, const struct jail_plan *plan)
{
    uint32_t serial = template->host->next_serial++;
    if (plan->tenant[0] != '\0')
        snprintf(template->cgroup, sizeof(template->cgroup), "tenant-%s/%.100s-%u", plan->tenant,
                 plan->name, serial);
    else
        snprintf(template->cgroup, sizeof(template->cgroup), "%.100s-%u", plan->name, serial);
}

int jail_template_open(struct jail_host *host, const struct jail_plan *plan,
                       struct jail_template **out, struct err *err)
{
    int result = jail_plan_check(plan, err);
    if (result < 0)
        return result;
    struct jail_template *template = calloc(1, sizeof(*template));
    if (template == NULL)
        return err_set(err, ENOMEM, "template %s:", plan->name);
    template->host = host;
    template->limits = plan->limits;
    template->warm = plan->warm != JAIL_WARM_NO;
    name_cgroup(template, plan);
    if (host->cgroups != NULL)
        result = cgroup_template_make(host->cgroups, template->cgroup, plan->limits.cpu_millis != 0,
                                      err);
    if (result == 0)
        result = launch_zygote(host, plan, &template->zygote, err);
    if (result == 0 && host->cgroups != NULL && plan->tenant[0] != '\0') {
        result = cgroup_zygote_attach(host->cgroups, template->cgroup, template->zygote.pid, err);
        if (result < 0)
            launch_undo(&template->zygote);
    }
    if (result < 0) {
        if (host->cgroups != NULL)
            cgroup_template_remove(host->cgroups, template->cgroup);
        free(template);
        return err_prefix(err, "sandbox %s", plan->name);
    }
    *out = template;
    return 0;
}

int jail_template_fd(const struct jail_template *template)
{
    return template->zygote.control;
}

int jail_template_start_socket(const struct jail_template *template)
{
    return template->zygote.start;
}

int jail_template_report_socket(const struct jail_template *template)
{
    return template->zygote.report;
}

pid_t jail_template_pid(const struct jail_template *template)
{
    return template->zygote.pid;
}

static int tell_fds(struct jail_template *template, uint32_t kind, uint32_t slot, uint32_t value,
                    const int *fds, size_t count)
{
    struct control_message message = {.kind = kind, .slot = slot, .value = value};
    struct iovec part = {&message, sizeof(message)};
    int result = packet_send(template->zygote.control, &part, 1, fds, count, MSG_DONTWAIT);
    /* a zygote that does not read would hold its owner up, and with it every other function: the
     * end of the socket then says GONE, and it is built again */
    if (result == -EAGAIN)
        kill(template->zygote.pid, SIGKILL);
    return result;
}

static int tell(struct jail_template *template, uint32_t kind, uint32_t slot, uint32_t value)
{
    return tell_fds(template, kind, slot, value, NULL, 0);
}

/* --- slots --- */

/* Asks for the spawner of a slot. events: of its cgroup, or -1. */
static int spawner_begin(struct jail_template *template, uint32_t slot, int events)
{
    int fds[3], pair[2];
    size_t count = 0;
    uint32_t present = 0;
    if (events >= 0) {
        fds[count++] = events;
        present |= SLOT_FD_EVENTS;
    }
    if (!template->warm)
        return tell_fds(template, CONTROL_SLOT_ADD, slot, present, fds, count);
    int result = packet_pair(pair);
    if (result < 0)
        return result;
    memcpy(fds + count, pair, sizeof(pair));
    result = tell_fds(template, CONTROL_SLOT_ADD, slot, present | SLOT_FD_WARM, fds, count + 2);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    return result;
}

static int slot_begin(struct jail_template *template, uint32_t slot, struct err *err)
{
    fd_owner events = -1;
    int result = 0;
    if (template->host->cgroups != NULL)
        result = cgroup_slot_make(template->host->cgroups, template->cgroup, slot,
                                  &template->limits, &events, err);
    if (result == 0) {
        template->slots[slot] = SLOT_STARTING;
        result = spawner_begin(template, slot, events);
        if (result < 0)
            err_set(err, -result, "start a sandbox's spawner:");
    }
    return result;
}

static void slot_remove_cgroup(struct jail_template *template, uint32_t slot)
{
    int result = 0;
    if (template->host->cgroups != NULL)
        result = cgroup_slot_remove(template->host->cgroups, template->cgroup, slot);
    template->slots[slot] = result == -EBUSY ? SLOT_REMOVING : SLOT_FREE;
}

static uint32_t slots_alive(const struct jail_template *template)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SLOTS_MAX; i++)
        count += template->slots[i] == SLOT_STARTING || template->slots[i] == SLOT_RUNNING;
    return count;
}

static int retire_one(struct jail_template *template)
{
    struct start_retire message = {.magic = START_RETIRE_MAGIC};
    struct iovec part = {&message, sizeof(message)};
    return packet_send(template->zygote.start, &part, 1, NULL, 0, MSG_DONTWAIT);
}

/* Brings the count of slots towards want. */
static int slots_adjust(struct jail_template *template, struct err *err)
{
    int result = 0;
    if (!template->ready || template->gone)
        return 0;
    uint32_t living = slots_alive(template);
    uint32_t alive = living > template->retiring ? living - template->retiring : 0;
    for (; alive > template->want && retire_one(template) == 0; alive--)
        template->retiring++;
    for (uint32_t i = 0; result == 0 && i < SLOTS_MAX && alive < template->want; i++) {
        if (template->slots[i] == SLOT_REMOVING)
            slot_remove_cgroup(template, i);
        if (template->slots[i] != SLOT_FREE)
            continue;
        result = slot_begin(template, i, err);
        alive++;
    }
    return result;
}

int jail_template_slots(struct jail_template *template, uint32_t want, struct err *err)
{
    uint32_t max = template->limits.concurrency_max;
    if (max > SLOTS_MAX)
        max = SLOTS_MAX;
    template->want = want < max ? want : max;
    return slots_adjust(template, err);
}

uint64_t jail_template_peak(struct jail_template *template)
{
    uint64_t most = 0;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < SLOTS_MAX && seen < PEAK_SAMPLES; i++) {
        uint32_t slot = template->peak_at++ % SLOTS_MAX;
        if (template->slots[slot] != SLOT_RUNNING || template->host->cgroups == NULL)
            continue;
        uint64_t peak = cgroup_slot_peak(template->host->cgroups, template->cgroup, slot);
        most = peak > most ? peak : most;
        seen++;
    }
    return most;
}

int jail_template_set_epoch(struct jail_template *template, uint32_t epoch)
{
    return tell(template, CONTROL_EPOCH, 0, epoch);
}

static void slot_here(struct jail_template *template, uint32_t slot, pid_t pid)
{
    struct err err;
    if (slot >= SLOTS_MAX || template->slots[slot] != SLOT_STARTING || pid <= 0)
        return;
    if (template->host->cgroups != NULL &&
        cgroup_slot_attach(template->host->cgroups, template->cgroup, slot, pid,
                           template->limits.cpu_millis != 0, &err) < 0) {
        kill(pid, SIGKILL); /* it waits for us and has run nothing: better none than unlimited */
        return;
    }
    slice_set(pid, SLICE_NS); /* without it, it is slower to start beside others, no less right */
    template->slots[slot] = SLOT_RUNNING;
    template->running++;
    tell(template, CONTROL_SLOT_GO, slot, 0);
}

static void slot_gone(struct jail_template *template, uint32_t slot, bool retired)
{
    if (slot >= SLOTS_MAX || template->slots[slot] == SLOT_FREE)
        return;
    if (template->slots[slot] == SLOT_RUNNING)
        template->running--;
    if (retired && template->retiring > 0)
        template->retiring--;
    template->failures = retired ? 0 : template->failures + 1;
    slot_remove_cgroup(template, slot);
    struct err ignored;
    if (template->failures < 2 * SLOTS_MAX)
        slots_adjust(template, &ignored);
}

/* --- events --- */

/* Receives one message with the sender's pid as this process sees it. */
static ssize_t receive(struct jail_template *template, struct control_message *message, pid_t *pid)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {message, sizeof(*message)};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = &control,
                          .msg_controllen = sizeof(control)};
    ssize_t size;
    do {
        size = recvmsg(template->zygote.control, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    *pid = 0;
    for (struct cmsghdr *at = size > 0 ? CMSG_FIRSTHDR(&head) : NULL; at;
         at = CMSG_NXTHDR(&head, at)) {
        struct ucred credentials;
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&credentials, CMSG_DATA(at), sizeof(credentials));
            *pid = credentials.pid;
        }
    }
    return size < 0 ? -errno : size;
}

int jail_template_next(struct jail_template *template, struct jail_event *out, struct err *err)
{
    memset(out, 0, sizeof(*out));
    while (!template->gone) {
        struct control_message message;
        pid_t pid;
        ssize_t size = receive(template, &message, &pid);
        if (size == -EAGAIN)
            break;
        if (size != sizeof(message)) {
            template->gone = true;
            out->kind = JAIL_EVENT_GONE;
            err_set(&out->why, EPIPE, "the zygote of %s ended", template->cgroup);
            return 0;
        }
        switch (message.kind) {
        case CONTROL_READY:
            template->ready = true;
            out->kind = JAIL_EVENT_READY;
            return slots_adjust(template, err);
        case CONTROL_FAILED:
            template->gone = true;
            out->kind = JAIL_EVENT_FAILED;
            out->why = message.why;
            out->why.text[ERR_TEXT_MAX - 1] = '\0';
            return 0;
        case CONTROL_SLOT_HERE:
            slot_here(template, message.slot, pid);
            break;
        case CONTROL_SLOT_GONE:
            slot_gone(template, message.slot, message.value != 0);
            break;
        case CONTROL_WARM:
            out->kind = JAIL_EVENT_SNAPSHOT;
            out->snapshot = message.value <= JAIL_SNAPSHOT_REFUSED ? message.value : 0;
            out->snapshot_bytes = (uint64_t)message.slot * 1024;
            out->why = message.why;
            out->why.text[ERR_TEXT_MAX - 1] = '\0';
            return 0;
        default:
            break;
        }
    }
    if (template->running != template->reported) {
        template->reported = template->running;
        out->kind = JAIL_EVENT_SLOTS;
        out->slots = template->running;
    }
    return 0;
}

int jail_template_wait(struct jail_template *template, int timeout_ms, struct jail_event *out,
                       struct err *err)
{
    uint64_t deadline = clock_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    for (;;) {
        int result = jail_template_next(template, out, err);
        if (result < 0 || out->kind != JAIL_EVENT_NONE)
            return result;
        uint64_t now = clock_now_ns();
        if (now >= deadline)
            return err_set(err, ETIMEDOUT, "wait for the sandbox's template:");
        struct pollfd polled = {.fd = template->zygote.control, .events = POLLIN};
        if (poll(&polled, 1, (int)((deadline - now) / NS_PER_MS) + 1) < 0 && errno != EINTR)
            return err_set(err, errno, "wait for the sandbox's template:");
    }
}

void jail_template_close(struct jail_template *template)
{
    if (template == NULL)
        return;
    kill(template->zygote.pid, SIGKILL);
    /* pid 1 of its pid namespace: when it is reaped, all of it is dead */
    while (waitpid(template->zygote.pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        if (template->slots[i] != SLOT_FREE)
            slot_remove_cgroup(template, i);
    }
    if (template->host->cgroups != NULL)
        cgroup_template_remove(template->host->cgroups, template->cgroup);
    fd_close(&template->zygote.pidfd);
    fd_close(&template->zygote.control);
    fd_close(&template->zygote.start);
    fd_close(&template->zygote.report);
    free(template);
}
