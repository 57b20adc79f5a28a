/* SPDX-License-Identifier: Apache-2.0 */
/* The API process's view of functions; see api_table.h. */
#include "control/api_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "control/spec_json.h"
#include "gateway/civil.h"
#include "jail/plan.h"

static void function_free(struct api_function *function)
{
    if (function == NULL)
        return;
    json_decref(function->spec);
    fd_close(&function->log);
    free(function);
}

/* What became of the function's snapshot, for people. */
static void snapshot_text(const struct ctl_message *message, char *out, size_t room)
{
    static const char *const states[] = {[JAIL_SNAPSHOT_NONE] = "",
                                         [JAIL_SNAPSHOT_MAKING] = "is being made",
                                         [JAIL_SNAPSHOT_MADE] = "made",
                                         [JAIL_SNAPSHOT_REFUSED] = "none, since "};
    uint32_t state = message->snapshot <= JAIL_SNAPSHOT_REFUSED ? message->snapshot : 0;
    snprintf(out, room, "%s%.*s", states[state],
             state == JAIL_SNAPSHOT_REFUSED ? (int)WARM_REASON_MAX - 1 : 0, message->snapshot_why);
}

static int function_set(struct api_table *table, const struct ctl_message *message, int log)
{
    fd_owner owned = log;
    struct api_function *function = calloc(1, sizeof(*function));
    json_t *spec = spec_to_json(&message->spec);
    if (function == NULL || spec == NULL) {
        free(function);
        json_decref(spec);
        return -ENOMEM;
    }
    memcpy(function->name, message->spec.name, sizeof(function->name));
    memcpy(function->tenant, message->spec.tenant, sizeof(function->tenant));
    memcpy(function->why, message->why.text, sizeof(function->why));
    snapshot_text(message, function->snapshot, sizeof(function->snapshot));
    function->index = message->index;
    function->generation = message->generation;
    function->status = message->status;
    function->revision = message->spec.revision;
    function->created_unix_s = message->spec.created_unix_s;
    function->timeout_ns = message->spec.limits.timeout_ns;
    function->spec = spec;
    struct api_function *old = table->functions[message->index];
    if (owned < 0 && old != NULL && old->generation == function->generation)
        function->log = fd_steal(&old->log);
    else
        function->log = fd_steal(&owned);
    function_free(old);
    table->functions[message->index] = function;
    return 0;
}

int api_table_update(struct api_table *table, const struct ctl_message *message, int log)
{
    if (message->index >= FUNCTIONS_MAX) {
        fd_close(&log);
        return -EINVAL;
    }
    if (message->kind == CTL_FUNCTION)
        return function_set(table, message, log);
    fd_close(&log);
    function_free(table->functions[message->index]);
    table->functions[message->index] = NULL;
    return 0;
}

void api_table_free(struct api_table *table)
{
    for (size_t i = 0; i < FUNCTIONS_MAX; i++)
        function_free(table->functions[i]);
}

const struct api_function *api_table_find(const struct api_table *table, const char *tenant,
                                          const char *name)
{
    for (size_t i = 0; i < FUNCTIONS_MAX; i++) {
        const struct api_function *function = table->functions[i];
        if (function != NULL && strcmp(function->name, name) == 0 &&
            strcmp(function->tenant, tenant) == 0)
            return function;
    }
    return NULL;
}

void api_time_text(uint64_t unix_s, char out[32])
{
    struct civil at = civil_of(unix_s); /* gmtime_r would read the time zone's file first */
    snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02uZ", at.year % 10000, at.month % 100,
             at.day % 100, at.hour % 100, at.minute % 100, at.second % 100);
}

static uint64_t load(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

/* The function's figures; NULL when the gateway has not written any for it yet. */
static const struct function_stats *stats_of(const struct api_table *table,
                                             const struct api_function *function)
{
    if (table->stats == NULL)
        return NULL;
    const struct function_stats *stats = &table->stats->function[function->index];
    return load(&stats->generation) == function->generation ? stats : NULL;
}

static const char *status_text(uint32_t status)
{
    return status == CTL_READY ? "ready" : status == CTL_FAILED ? "failed" : "starting";
}

json_t *api_function_json(const struct api_table *table, const struct api_function *function)
{
    const struct function_stats *stats = stats_of(table, function);
    char created[32];
    api_time_text(function->created_unix_s, created);
    uint64_t slots = stats == NULL ? 0 : load(&stats->slots);
    uint64_t replicas = slots > 0 ? slots : 1;
    json_t *object = json_copy(function->spec);
    json_t *status = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:s, s:I}", "name", function->name, "createdAt", created,
        "invocationCount", (json_int_t)(stats == NULL ? 0 : load(&stats->invocations)), "replicas",
        (json_int_t)replicas, "availableReplicas",
        (json_int_t)(function->status == CTL_READY ? replicas : 0), "status",
        status_text(function->status), "revision", (json_int_t)function->revision);
    if (object == NULL || status == NULL || json_object_update(object, status) < 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(status);
    if (object != NULL && function->why[0] != '\0')
        json_object_set_new(object, "error", json_string(function->why));
    if (object != NULL && function->snapshot[0] != '\0')
        json_object_set_new(object, "snapshot", json_string(function->snapshot));
    return object;
}

static json_t *microseconds(uint64_t ns)
{
    return json_real((double)ns / 1000);
}

static json_t *quantiles_json(const struct stats_histogram *histogram)
{
    return json_pack("{s:I, s:o, s:o, s:o}", "count", (json_int_t)load(&histogram->count), "p50_us",
                     microseconds(stats_quantile_ns(histogram, 0.5)), "p90_us",
                     microseconds(stats_quantile_ns(histogram, 0.9)), "p99_us",
                     microseconds(stats_quantile_ns(histogram, 0.99)));
}

/* Each stage of the last start: when, from the acceptance on, and how long it took to be reached.
 */
static json_t *last_start_json(const struct function_stats *stats)
{
    struct stage_clock clock = {0};
    for (int i = 0; i < STAGE_COUNT; i++)
        clock.at_ns[i] = load(&stats->last_stage[i]);
    clock.clone_ns = load(&stats->last_clone);
    json_t *list = json_array();
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (clock.at_ns[i] == 0)
            continue;
        double at = ((double)clock.at_ns[i] - (double)clock.at_ns[STAGE_ACCEPTED]) / 1000;
        json_array_append_new(list, json_pack("{s:s, s:f, s:o}", "stage", stage_name((enum stage)i),
                                              "at_us", at, "span_us",
                                              microseconds(stage_span_ns(&clock, (enum stage)i))));
    }
    return list;
}

static json_t *stages_json(const struct function_stats *stats)
{
    json_t *object = json_object();
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (load(&stats->stage[i].count) > 0)
            json_object_set_new(object, stage_name((enum stage)i),
                                quantiles_json(&stats->stage[i]));
    }
    json_object_set_new(object, "total", quantiles_json(&stats->total));
    return object;
}

static json_t *counters_json(const struct function_stats *stats)
{
    static const char *const names[STATS_RESULTS] = {
        [STATS_OK] = "ok",           [STATS_FAILED] = "failed",   [STATS_SIGNALLED] = "signalled",
        [STATS_OOM] = "oom",         [STATS_TIMEOUT] = "timeout", [STATS_REFUSED] = "refused",
        [STATS_ABORTED] = "aborted",
    };
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I}", "invocations", (json_int_t)load(&stats->invocations),
        "restored", (json_int_t)load(&stats->starts[STATS_RESTORED]), "pooled",
        (json_int_t)load(&stats->starts[STATS_POOLED]), "cold",
        (json_int_t)load(&stats->starts[STATS_COLD]), "cpu_us", (json_int_t)load(&stats->cpu_us),
        "maxrss_kib", (json_int_t)load(&stats->maxrss_kib));
    for (int i = 0; i < STATS_RESULTS; i++)
        json_object_set_new(object, names[i], json_integer((json_int_t)load(&stats->result[i])));
    return object;
}

json_t *api_describe_json(const struct api_table *table, const struct api_function *function)
{
    const struct function_stats *stats = stats_of(table, function);
    json_t *object = api_function_json(table, function);
    if (object == NULL || stats == NULL)
        return object;
    json_object_set_new(object, "inFlight", json_integer((json_int_t)load(&stats->in_flight)));
    json_object_set_new(object, "queued", json_integer((json_int_t)load(&stats->queued)));
    json_object_set_new(object, "slots", json_integer((json_int_t)load(&stats->slots)));
    json_object_set_new(object, "counters", counters_json(stats));
    json_object_set_new(object, "lastStart", last_start_json(stats));
    if (load(&stats->invocations) > 0)
        json_object_set_new(
            object, "lastStartKind",
            json_string(stats_start_name((enum stats_start)load(&stats->last_start))));
    json_object_set_new(object, "stages", stages_json(stats));
    return object;
}

json_t *api_table_list(const struct api_table *table, const char *tenant)
{
    json_t *list = json_array();
    for (size_t i = 0; i < FUNCTIONS_MAX; i++) {
        const struct api_function *function = table->functions[i];
        if (function == NULL || (tenant != NULL && strcmp(function->tenant, tenant) != 0))
            continue;
        json_array_append_new(list, api_function_json(table, function));
    }
    return list;
}

json_t *api_table_tenants(const struct api_table *table)
{
    json_t *list = json_array();
    json_t *seen = json_object();
    json_object_set_new(seen, "default", json_true());
    for (size_t i = 0; i < FUNCTIONS_MAX; i++) {
        if (table->functions[i] != NULL)
            json_object_set_new(seen, table->functions[i]->tenant, json_true());
    }
    const char *name;
    json_t *value;
    json_object_foreach(seen, name, value) json_array_append_new(list, json_string(name));
    json_decref(seen);
    return list;
}
