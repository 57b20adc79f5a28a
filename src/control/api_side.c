/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API process as the supervisor sees it: started, told of every function, its requests taken
 * and answered. Replies go out after the functions, so that who is told that a deploy succeeded
 * also sees it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/packet.h"
#include "control/roles.h"
#include "control/supervisor_core.h"

int api_start(struct supervisor *s, struct err *err)
{
    char uid[16], admin[16];
    int ends[2];
    int rc = packet_pair(ends);
    if (rc < 0)
        return err_set(err, -rc, "make a link to the API process:");
    fd_owner near = ends[0], far = ends[1];
    fd_owner password = state_dir_password(&s->state, err);
    if (password < 0)
        return password;
    int fds[] = {far, s->admin_socket, s->handoff[1], s->stats_read, password};
    snprintf(uid, sizeof(uid), "%u", ROLE_API_UID(s->config.uid_base));
    snprintf(admin, sizeof(admin), "%u", geteuid());
    char *argv[] = {(char[]){"skerryd"}, (char[]){ROLE_API}, uid, admin, NULL};
    struct child child;
    rc = child_start(s->program, argv, fds, sizeof(fds) / sizeof(fds[0]), &child, err);
    if (rc < 0)
        return rc;
    struct service *api = &s->api;
    api->child = child;
    api->link = fd_steal(&near);
    api->blocked = false;
    api->born_ns = s->now_ns;
    api->again_ns = 0;
    api->serial++;
    api->link_source.kind = SOURCE_API_LINK;
    api->exit_source.kind = SOURCE_API_EXIT;
    supervisor_watch(s, api->link, EPOLLIN, &api->link_source);
    supervisor_watch(s, child.pidfd, EPOLLIN, &api->exit_source);
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        struct entry *entry = s->entries[i];
        if (entry != NULL && entry->stored && !entry->removed)
            entry_tell(s, entry, 0, API_PUT);
    }
    return 0;
}

static void drop_replies(struct supervisor *s)
{
    while (s->replies != NULL) {
        struct reply *reply = s->replies;
        s->replies = reply->next;
        free(reply);
    }
    s->replies_end = &s->replies;
}

void api_ended(struct supervisor *s)
{
    struct service *api = &s->api;
    char how[48];
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, api->child.pidfd, NULL);
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, api->link, NULL);
    child_collect(&api->child, how, sizeof(how));
    fd_close(&api->link);
    drop_replies(s);
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        struct entry *entry = s->entries[i];
        if (entry == NULL)
            continue;
        entry->api_knows = false;
        entry->api_news = 0;
        entry_release(s, entry);
    }
    if (s->draining)
        return;
    bool lived_well = s->now_ns - api->born_ns >= LIVED_WELL_NS;
    api->failures = lived_well ? 1 : api->failures + 1;
    log_error("the API process ended (%s) and is started again", how);
    api->again_ns = s->now_ns + again_after_ns(api->failures, DEATH_PAUSE_NS);
    supervisor_due(s, api->again_ns);
}

void api_reply_add(struct supervisor *s, uint64_t api_serial, uint64_t request_id,
                   const struct function_spec *spec, const struct err *why)
{
    if (api_serial != s->api.serial || s->api.link < 0)
        return;
    struct reply *reply = calloc(1, sizeof(*reply));
    if (reply == NULL)
        return; /* the client is told that no answer came in time */
    reply->message.kind = CTL_REPLY;
    reply->message.request_id = request_id;
    reply->message.why = *why;
    if (spec != NULL)
        reply->message.spec = *spec;
    *s->replies_end = reply;
    s->replies_end = &reply->next;
}

static int send_message(struct supervisor *s, const struct ctl_message *message, int fd)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
    return packet_send(s->api.link, &part, 1, &fd, fd >= 0 ? 1 : 0, MSG_DONTWAIT);
}

static int tell_function(struct supervisor *s, struct entry *entry)
{
    static struct ctl_message message;
    struct err err;
    char label[160];
    memset(&message, 0, sizeof(message));
    message.index = entry->index;
    message.generation = entry->generation;
    if (entry->api_news & API_DEL) {
        message.kind = CTL_FUNCTION_DEL;
        return send_message(s, &message, -1);
    }
    message.kind = CTL_FUNCTION;
    message.status = entry->status;
    message.why = entry->why;
    if (entry->live != NULL) {
        message.snapshot = entry->live->snapshot;
        memcpy(message.snapshot_why, entry->live->snapshot_why, sizeof(message.snapshot_why));
    }
    int rc = registry_get(s->registry, entry->tenant, entry->name, &message.spec, &err);
    if (rc < 0) {
        log_error("%s", err.text);
        return 0; /* the next change tells again */
    }
    entry_label(entry, label);
    fd_owner log = state_dir_log(&s->state, label, 0);
    return send_message(s, &message, log);
}

static int tell_functions(struct supervisor *s)
{
    uint32_t index;
    while (queue_peek(&s->api.news, &index)) {
        struct entry *entry = s->entries[index];
        if (entry->api_news != 0) {
            int rc = tell_function(s, entry);
            if (rc < 0)
                return rc;
            entry->api_knows = (entry->api_news & API_DEL) == 0;
            entry->api_news = 0;
        }
        queue_drop(&s->api.news);
        entry->in_api_queue = false;
        entry_release(s, entry);
    }
    return 0;
}

static int send_replies(struct supervisor *s)
{
    while (s->replies != NULL) {
        struct reply *reply = s->replies;
        int rc = send_message(s, &reply->message, -1);
        if (rc < 0)
            return rc;
        s->replies = reply->next;
        if (s->replies == NULL)
            s->replies_end = &s->replies;
        free(reply);
    }
    return 0;
}

void api_flush(struct supervisor *s)
{
    struct service *api = &s->api;
    if (api->link < 0)
        return;
    int rc = tell_functions(s);
    if (rc == 0)
        rc = send_replies(s);
    bool blocked = rc == -EAGAIN;
    if (blocked != api->blocked) {
        api->blocked = blocked;
        supervisor_rewatch(s, api->link, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, &api->link_source);
    }
}

void api_link_event(struct supervisor *s, uint32_t events)
{
    static struct ctl_message message;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
        return;
    ssize_t size = packet_recv(s->api.link, &message, sizeof(message), NULL, 0, NULL, MSG_DONTWAIT);
    if (size == -EAGAIN)
        return;
    if (size == sizeof(message) && message.kind >= CTL_DEPLOY && message.kind <= CTL_REMOVE) {
        deploy_request(s, &message);
        return;
    }
    if (size != 0)
        log_error("the API process sent what is no request: it is ended");
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->api.link, NULL);
    kill(s->api.child.pid, SIGKILL);
}
