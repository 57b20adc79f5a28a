/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway process as the supervisor sees it: started, told of every function, asked for
 * nothing.
 *
 * A gateway that dies takes its connections with it, and every sandbox that ran for it is killed:
 * its zygotes get the next epoch and drop what was meant for the dead one. The listening sockets
 * stay open here, so that no connection is refused until the next gateway accepts them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/packet.h"
#include "base/slice.h"
#include "control/roles.h"
#include "control/supervisor_core.h"

#define GATEWAY_SLICE_NS (100 * UINT64_C(1000)) /* the shortest there is */

static int spawn(struct supervisor *s, int link, struct child *out, struct err *err)
{
    char uid[16], epoch[16], count[16];
    int fds[ROLE_GATEWAY_LISTENERS - CHILD_FD_FIRST + CONFIG_LISTEN_MAX + 1] = {
        link, s->handoff[0], s->stats, s->access_log, s->uptime};
    size_t fd_count = ROLE_GATEWAY_LISTENERS - CHILD_FD_FIRST;
    for (unsigned int i = 0; i < s->listener_count; i++)
        fds[fd_count++] = s->listeners[i];
    snprintf(uid, sizeof(uid), "%u", ROLE_GATEWAY_UID(s->config.uid_base));
    snprintf(epoch, sizeof(epoch), "%u", s->epoch);
    snprintf(count, sizeof(count), "%u", s->listener_count);
    char *argv[] = {(char[]){"skerryd"}, (char[]){ROLE_GATEWAY}, uid, epoch, count, NULL};
    return child_start(s->program, argv, fds, fd_count, out, err);
}

int gateway_start(struct supervisor *s, struct err *err)
{
    int ends[2];
    int rc = packet_pair(ends);
    if (rc < 0)
        return err_set(err, -rc, "make a link to the gateway:");
    fd_owner near = ends[0], far = ends[1];
    struct child child;
    s->epoch++;
    rc = spawn(s, far, &child, err);
    if (rc < 0)
        return rc;
    struct service *gateway = &s->gateway;
    slice_set(child.pid, GATEWAY_SLICE_NS); /* all requests wait for it */
    struct err shares = {0};
    if (jail_host_serve(s->host, child.pid, &shares) < 0) /* slower beside others, no less right */
        log_error("the gateway has no share of the CPUs of its own: %s", shares.text);
    gateway->child = child;
    gateway->link = fd_steal(&near);
    gateway->blocked = false;
    gateway->born_ns = s->now_ns;
    gateway->again_ns = 0;
    gateway->serial++;
    gateway->link_source.kind = SOURCE_GATEWAY_LINK;
    gateway->exit_source.kind = SOURCE_GATEWAY_EXIT;
    supervisor_watch(s, gateway->link, EPOLLIN, &gateway->link_source);
    supervisor_watch(s, child.pidfd, EPOLLIN, &gateway->exit_source);
    s->gateway_serves = false;
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        struct entry *entry = s->entries[i];
        if (entry == NULL)
            continue;
        entry->gateway_knows = false;
        entry->gateway_news = 0;
        if (entry->live != NULL)
            jail_template_set_epoch(entry->live->template, s->epoch);
        if (entry->stored && !entry->removed)
            entry_tell(s, entry, GATEWAY_PUT | GATEWAY_SLOTS | GATEWAY_FAILED, 0);
        pool_want(&s->pool, i, 0, s->now_ns);
    }
    return 0;
}

/* Nobody uses retired zygotes any more, and removed functions have nothing left to tell. */
static void forget_gateway(struct supervisor *s)
{
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        struct entry *entry = s->entries[i];
        if (entry == NULL)
            continue;
        while (entry->retired != NULL) {
            struct life *life = entry->retired;
            entry->retired = life->next;
            life_close(s, life);
        }
        entry->gateway_knows = false;
        entry->gateway_news = 0;
        /* what runs for it ends now, not when the next gateway is there */
        if (entry->live != NULL)
            jail_template_set_epoch(entry->live->template, s->epoch + 1);
        entry_release(s, entry);
    }
}

void gateway_ended(struct supervisor *s)
{
    struct service *gateway = &s->gateway;
    char how[48];
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, gateway->child.pidfd, NULL);
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, gateway->link, NULL);
    child_collect(&gateway->child, how, sizeof(how));
    fd_close(&gateway->link);
    forget_gateway(s);
    if (s->draining) {
        supervisor_end(s);
        return;
    }
    bool lived_well = s->now_ns - gateway->born_ns >= LIVED_WELL_NS;
    gateway->failures = lived_well ? 1 : gateway->failures + 1;
    log_error("the gateway ended (%s) and is started again", how);
    gateway->again_ns = s->now_ns + again_after_ns(gateway->failures, DEATH_PAUSE_NS);
    supervisor_due(s, gateway->again_ns);
}

static int send_message(struct supervisor *s, const struct link_message *message, const int *fds,
                        size_t fd_count)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
    return packet_send(s->gateway.link, &part, 1, fds, fd_count, MSG_DONTWAIT);
}

static int send_put(struct supervisor *s, const struct entry *entry, struct link_message *message)
{
    char label[160];
    struct link_function *function = &message->function;
    memcpy(function->name, entry->name, sizeof(function->name));
    memcpy(function->tenant, entry->tenant, sizeof(function->tenant));
    snprintf(function->script, sizeof(function->script), "%.63s", entry->name);
    function->flags = entry->flags;
    function->limits = entry->limits;
    entry_label(entry, label);
    fd_owner log = state_dir_log(&s->state, label, 1);
    if (log < 0) {
        log_error("open the log of %s: %s", label, strerror(-log));
        log = open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    if (entry->live == NULL)
        return send_message(s, message, &log, 1);
    int fds[] = {jail_template_start_socket(entry->live->template),
                 jail_template_report_socket(entry->live->template), log};
    message->value = entry->live->serial;
    return send_message(s, message, fds, 3);
}

/* Tells one thing of a function, the first that is due. 0 or -errno. */
static int tell_one(struct supervisor *s, struct entry *entry)
{
    struct link_message message = {.index = entry->index, .generation = entry->generation};
    unsigned int news = entry->gateway_news & (0u - entry->gateway_news); /* the lowest bit */
    int rc = 0;
    switch (news) {
    case GATEWAY_DOWN:
        message.kind = LINK_FUNCTION_DOWN;
        rc = entry->gateway_knows ? send_message(s, &message, NULL, 0) : 0;
        break;
    case GATEWAY_PUT:
        message.kind = LINK_FUNCTION_PUT;
        rc = send_put(s, entry, &message);
        break;
    case GATEWAY_SLOTS:
        message.kind = LINK_SLOTS;
        message.value = entry->live == NULL ? 0 : entry->live->slots;
        rc = entry->live == NULL ? 0 : send_message(s, &message, NULL, 0);
        break;
    case GATEWAY_FAILED:
        message.kind = LINK_FUNCTION_FAILED;
        rc = entry->status == CTL_FAILED ? send_message(s, &message, NULL, 0) : 0;
        break;
    default:
        message.kind = LINK_FUNCTION_DEL;
        rc = send_message(s, &message, NULL, 0);
    }
    if (rc < 0)
        return rc;
    entry->gateway_news &= ~news;
    if (news == GATEWAY_PUT)
        entry->gateway_knows = true;
    if (news == GATEWAY_DEL)
        entry->gateway_knows = false;
    return 0;
}

/* Everything is told; what comes after it is of the daemon as a whole. */
static int tell_rest(struct supervisor *s)
{
    struct link_message message = {.kind = LINK_SERVE};
    int rc = 0;
    if (!s->gateway_serves)
        rc = send_message(s, &message, NULL, 0);
    if (rc == 0)
        s->gateway_serves = true;
    message.kind = LINK_DRAIN;
    if (rc == 0 && s->draining && !s->drain_told) {
        rc = send_message(s, &message, NULL, 0);
        s->drain_told = rc == 0;
    }
    return rc;
}

void gateway_flush(struct supervisor *s)
{
    struct service *gateway = &s->gateway;
    uint32_t index;
    int rc = 0;
    while (gateway->link >= 0 && rc == 0 && queue_peek(&gateway->news, &index)) {
        struct entry *entry = s->entries[index];
        while (rc == 0 && entry->gateway_news != 0)
            rc = tell_one(s, entry);
        if (rc == 0) {
            queue_drop(&gateway->news);
            entry->in_gateway_queue = false;
            entry_release(s, entry);
        }
    }
    if (gateway->link >= 0 && rc == 0)
        rc = tell_rest(s);
    bool blocked = rc == -EAGAIN;
    if (gateway->link >= 0 && blocked != gateway->blocked) {
        gateway->blocked = blocked;
        supervisor_rewatch(s, gateway->link, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN,
                           &gateway->link_source);
    }
}

static void take_message(struct supervisor *s, const struct link_message *message)
{
    struct entry *entry = NULL;
    if (message->kind == LINK_READY) {
        supervisor_ready(s);
        return;
    }
    if (message->kind == LINK_DRAINED) {
        if (s->draining)
            supervisor_end(s);
        return;
    }
    if (message->index < FUNCTIONS_MAX)
        entry = s->entries[message->index];
    if (entry == NULL || entry->generation != message->generation)
        return; /* of a function that is gone */
    if (message->kind == LINK_WANT && !entry->removed) {
        pool_want(&s->pool, entry->index,
                  message->value < UINT32_MAX / 4 ? (uint32_t)message->value : UINT32_MAX / 4,
                  s->now_ns);
        life_hurry(s, entry);
    } else if (message->kind == LINK_RETIRED)
        life_retired(s, entry, message->value);
}

void gateway_link_event(struct supervisor *s, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
        return; /* room to write: gateway_flush follows every event */
    struct link_message message;
    ssize_t size =
        packet_recv(s->gateway.link, &message, sizeof(message), NULL, 0, NULL, MSG_DONTWAIT);
    if (size == sizeof(message)) {
        take_message(s, &message);
        return;
    }
    if (size == -EAGAIN)
        return;
    if (size != 0)
        log_error("the gateway sent what is no message: it is ended");
    /* at its end of the link it is about to exit, but must not take its time for that */
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->gateway.link, NULL);
    kill(s->gateway.child.pid, SIGKILL);
}

void pool_apply(struct supervisor *s)
{
    uint32_t index, granted;
    while (pool_next_change(&s->pool, &index, &granted)) {
        struct entry *entry = s->entries[index];
        struct err err;
        if (entry == NULL || entry->live == NULL)
            continue;
        if (jail_template_slots(entry->live->template, granted, &err) < 0)
            log_error("sandboxes of %s in %s: %s", entry->name, entry->tenant, err.text);
    }
}
