/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deploy, update, remove. The request is a struct from the API process, which parses bytes of the
 * network: our copy of it is checked before anything of it is used.
 *
 * A change is stored when its zygote stands, and answered when it is stored. Until then the earlier
 * revision serves, and after a failure nothing has changed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "control/supervisor_core.h"

__attribute__((format(printf, 4, 5))) static void
refuse(struct supervisor *s, const struct ctl_message *message, int code, const char *format, ...)
{
    struct err why;
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    err_set(&why, code, "%s", text);
    api_reply_add(s, s->api.serial, message->request_id, &message->spec, &why);
}

static void begin_change(struct supervisor *s, struct entry *entry,
                         const struct ctl_message *message)
{
    struct change *change = malloc(sizeof(*change));
    if (change == NULL) {
        refuse(s, message, ENOMEM, "no memory to deploy %s", message->spec.name);
        return;
    }
    change->request_id = message->request_id;
    change->api_serial = s->api.serial;
    change->spec = message->spec;
    entry->change = change;
    s->change_count++;
    if (entry->building != NULL) { /* of the stored revision, which is about to be replaced */
        s->building_count--;
        life_close(s, entry->building);
        entry->building = NULL;
    }
    life_want_build(s, entry);
    life_hurry(s, entry);
}

static void deploy(struct supervisor *s, const struct ctl_message *message)
{
    const char *name = message->spec.name, *tenant = message->spec.tenant;
    struct entry *entry = entry_find(s, tenant, name);
    struct err err;
    if (function_check(&message->spec, &err) < 0) {
        api_reply_add(s, s->api.serial, message->request_id, &message->spec, &err);
        return;
    }
    if (message->kind == CTL_DEPLOY && entry != NULL)
        refuse(s, message, EEXIST, "the function %s exists in %s; update it or remove it first",
               name, tenant);
    else if (message->kind == CTL_UPDATE && entry == NULL)
        refuse(s, message, ENOENT, "there is no function %s in %s to update; deploy it", name,
               tenant);
    else if (entry != NULL && entry->change != NULL)
        refuse(s, message, EBUSY, "the function %s in %s is being deployed at this moment", name,
               tenant);
    else if (s->change_count >= CHANGES_MAX)
        refuse(s, message, EAGAIN, "%u functions are being deployed; try again", s->change_count);
    else {
        if (entry == NULL)
            entry = entry_new(s, &message->spec, &err);
        if (entry == NULL)
            api_reply_add(s, s->api.serial, message->request_id, &message->spec, &err);
        else
            begin_change(s, entry, message);
    }
}

static void remove_function(struct supervisor *s, const struct ctl_message *message)
{
    const char *name = message->spec.name, *tenant = message->spec.tenant;
    struct entry *entry = entry_find(s, tenant, name);
    struct err err = {0};
    char label[160];
    if (entry != NULL && entry->change != NULL) {
        refuse(s, message, EBUSY, "the function %s in %s is being deployed at this moment", name,
               tenant);
        return;
    }
    if (entry == NULL || !entry->stored) {
        refuse(s, message, ENOENT, "there is no function %s in %s", name, tenant);
        return;
    }
    int rc = registry_remove(s->registry, entry->tenant, entry->name, &err);
    api_reply_add(s, s->api.serial, message->request_id, &message->spec, &err);
    if (rc < 0)
        return;
    entry->removed = true;
    entry->again_ns = 0;
    if (entry->building != NULL) {
        s->building_count--;
        life_close(s, entry->building);
        entry->building = NULL;
    }
    if (entry->live != NULL) {
        struct life *life = entry->live;
        entry->live = NULL;
        life_retire(s, entry, life);
    }
    memory_besides(s); /* what it holds, before it is given away */
    pool_remove(&s->pool, entry->index);
    entry_label(entry, label);
    state_dir_log_remove(&s->state, label);
    entry_tell(s, entry, GATEWAY_DEL, API_DEL);
    log_info("removed %s of %s", entry->name, entry->tenant);
    entry_release(s, entry);
}

void deploy_request(struct supervisor *s, const struct ctl_message *message)
{
    const struct function_spec *spec = &message->spec;
    if (!function_name_valid(spec->name) || !function_name_valid(spec->tenant)) {
        struct err err;
        err_set(&err, EINVAL, "the name of the function or of its namespace is not valid");
        api_reply_add(s, s->api.serial, message->request_id, NULL, &err);
    } else if (s->draining) {
        refuse(s, message, ESHUTDOWN, "the daemon is ending; %s stays as it is", spec->name);
    } else if (message->kind == CTL_REMOVE) {
        remove_function(s, message);
    } else {
        deploy(s, message);
    }
}

static void end_change(struct supervisor *s, struct entry *entry, const struct err *why)
{
    struct change *change = entry->change;
    api_reply_add(s, change->api_serial, change->request_id, &change->spec, why);
    entry->change = NULL;
    s->change_count--;
    free(change);
}

bool deploy_ready(struct supervisor *s, struct entry *entry)
{
    struct function_spec *spec = &entry->change->spec;
    static struct function_spec before;
    struct err err = {0};
    spec->created_unix_s = (uint64_t)time(NULL);
    if (entry->stored && registry_get(s->registry, entry->tenant, entry->name, &before, &err) == 0)
        spec->created_unix_s = before.created_unix_s;
    err = (struct err){0};
    if (registry_put(s->registry, spec, &err) < 0) {
        struct life *life = entry->building;
        entry->building = NULL;
        s->building_count--;
        life_close(s, life);
        deploy_failed(s, entry, &err);
        return false;
    }
    entry_set_spec(entry, spec);
    entry->failures = 0;
    log_info("deployed %s of %s, revision %llu", entry->name, entry->tenant,
             (unsigned long long)spec->revision);
    end_change(s, entry, &err);
    return true;
}

void deploy_failed(struct supervisor *s, struct entry *entry, const struct err *why)
{
    struct err told = *why;
    if (told.code ==
        ENOENT) /* an image or a program is missing: the request was wrong, not the path */
        told.code = EINVAL;
    end_change(s, entry, &told);
    if (!entry->stored) {
        entry->removed = true;
        entry_release(s, entry);
    } else if (entry->live == NULL) {
        life_want_build(s, entry); /* the stored revision, which made room for this one */
    }
}
