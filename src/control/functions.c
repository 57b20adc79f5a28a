/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of functions. An entry keeps its index until the gateway and the API process know that
 * the function is gone and its last zygote is closed; then the index is free for another one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/supervisor_core.h"

struct entry *entry_find(struct supervisor *s, const char *tenant, const char *name)
{
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        struct entry *entry = s->entries[i];
        if (entry != NULL && !entry->removed && strcmp(entry->name, name) == 0 &&
            strcmp(entry->tenant, tenant) == 0)
            return entry;
    }
    return NULL;
}

/* The number of a tenant that has functions, else the least that no other has. */
static uint32_t tenant_id(const struct supervisor *s, const char *tenant)
{
    static bool taken[FUNCTIONS_MAX];
    memset(taken, 0, sizeof(taken));
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        if (s->entries[i] == NULL)
            continue;
        if (strcmp(s->entries[i]->tenant, tenant) == 0)
            return s->entries[i]->tenant_id;
        taken[s->entries[i]->tenant_id] = true;
    }
    uint32_t id = 0;
    while (id < FUNCTIONS_MAX - 1 && taken[id])
        id++;
    return id;
}

struct entry *entry_new(struct supervisor *s, const struct function_spec *spec, struct err *err)
{
    uint32_t index = 0;
    while (index < FUNCTIONS_MAX && s->entries[index] != NULL)
        index++;
    if (index == FUNCTIONS_MAX) {
        err_set(err, ENOSPC, "%d functions are deployed, which is as many as one daemon serves",
                FUNCTIONS_MAX);
        return NULL;
    }
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        err_set(err, ENOMEM, "deploy %s:", spec->name);
        return NULL;
    }
    entry->index = index;
    entry->generation = ++s->last_generation;
    entry->tenant_id = tenant_id(s, spec->tenant);
    memcpy(entry->name, spec->name, sizeof(entry->name));
    memcpy(entry->tenant, spec->tenant, sizeof(entry->tenant));
    s->entries[index] = entry;
    return entry;
}

void entry_set_spec(struct entry *entry, const struct function_spec *spec)
{
    entry->stored = true;
    entry->flags = spec->flags;
    entry->limits = spec->limits;
    entry->cost = memory_guess(spec);
    entry->measured = entry->was_wanted = false;
}

void entry_label(const struct entry *entry, char out[160])
{
    snprintf(out, 160, "%s.%s", entry->tenant, entry->name);
}

void entry_tell(struct supervisor *s, struct entry *entry, unsigned int gateway_news,
                unsigned int api_news)
{
    if (gateway_news & GATEWAY_DEL)
        entry->gateway_news = entry->gateway_knows ? GATEWAY_DEL : 0;
    else if (gateway_news & GATEWAY_PUT) /* what was to be said of the sockets before is void */
        entry->gateway_news = (entry->gateway_news & GATEWAY_DOWN) | gateway_news;
    else
        entry->gateway_news |= gateway_news;
    if (api_news & API_DEL)
        entry->api_news = entry->api_knows ? API_DEL : 0;
    else
        entry->api_news |= api_news;
    if (entry->gateway_news != 0 && !entry->in_gateway_queue) {
        entry->in_gateway_queue = true;
        queue_push(&s->gateway.news, entry->index);
    }
    if (entry->api_news != 0 && !entry->in_api_queue) {
        entry->in_api_queue = true;
        queue_push(&s->api.news, entry->index);
    }
}

void entry_release(struct supervisor *s, struct entry *entry)
{
    if (!entry->removed || entry->gateway_news != 0 || entry->api_news != 0 ||
        entry->in_gateway_queue || entry->in_api_queue || entry->in_builds || entry->in_urgent ||
        entry->live != NULL || entry->building != NULL || entry->retired != NULL)
        return;
    s->entries[entry->index] = NULL;
    free(entry);
}

static int load_one(void *arg, const struct function_spec *spec, const struct err *damaged)
{
    struct supervisor *s = arg;
    struct err err;
    if (damaged != NULL) {
        log_error("%s; the function is not served", damaged->text);
        return 0;
    }
    struct entry *entry = entry_new(s, spec, &err);
    if (entry == NULL) {
        log_error("%s", err.text);
        return 0;
    }
    entry_set_spec(entry, spec);
    pool_add(&s->pool, entry->index, entry->limits.concurrency_max, entry->tenant_id, entry->cost,
             s->now_ns);
    entry_tell(s, entry, GATEWAY_PUT, API_PUT);
    life_want_build(s, entry);
    return 0;
}

int functions_load(struct supervisor *s, struct err *err)
{
    return registry_each(s->registry, load_one, s, err);
}

void functions_free(struct supervisor *s)
{
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        if (s->entries[i] != NULL)
            free(s->entries[i]->change);
        free(s->entries[i]);
        s->entries[i] = NULL;
    }
}
