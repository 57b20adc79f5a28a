/* SPDX-License-Identifier: Apache-2.0 */
/* Functions to JSON; see spec_json.h. Sizes and durations are written in the largest unit that is
 * exact. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control/spec_json.h"

struct unit {
    uint64_t size;
    const char *name;
};

static json_t *in_units(uint64_t value, const struct unit *units, const char *smallest)
{
    char text[32];
    while (units->name != NULL && (value == 0 || value % units->size != 0))
        units++;
    if (units->name != NULL)
        snprintf(text, sizeof(text), "%" PRIu64 "%s", value / units->size, units->name);
    else
        snprintf(text, sizeof(text), "%" PRIu64 "%s", value, smallest);
    return json_string(text);
}

static json_t *size_json(uint64_t bytes)
{
    static const struct unit units[] = {{UINT64_C(1) << 40, "T"},
                                        {UINT64_C(1) << 30, "G"},
                                        {UINT64_C(1) << 20, "M"},
                                        {UINT64_C(1) << 10, "K"},
                                        {0, NULL}};
    return in_units(bytes, units, "");
}

static json_t *duration_json(uint64_t ns)
{
    static const struct unit units[] = {{3600 * NS_PER_SEC, "h"}, {60 * NS_PER_SEC, "m"},
                                        {NS_PER_SEC, "s"},        {NS_PER_MS, "ms"},
                                        {NS_PER_US, "us"},        {0, NULL}};
    return in_units(ns, units, "ns");
}

static json_t *cpus_json(uint32_t millis)
{
    if (millis == 0)
        return json_string("none");
    static const struct unit units[] = {{1000, ""}, {0, NULL}};
    return in_units(millis, units, "m");
}

/* Checked "K=V" strings as an object. */
static json_t *pairs_json(uint32_t bytes, const char *data)
{
    json_t *object = json_object();
    for (const char *at = data; at < data + bytes; at = strblock_next(at)) {
        size_t key = strcspn(at, "=");
        if (json_object_setn_new(object, at, key, json_string(at + key + 1)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *args_json(const struct function_spec *spec)
{
    json_t *list = json_array();
    for (STRBLOCK_EACH(&spec->args, arg)) {
        if (json_array_append_new(list, json_string(arg)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *binds_json(const struct function_spec *spec)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < spec->bind_count; i++) {
        const struct function_bind *bind = &spec->binds[i];
        json_t *item = json_pack("{s:s, s:s, s:b}", "source", bind->source, "target", bind->target,
                                 "ro", (int)bind->read_only);
        if (json_array_append_new(list, item) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *process_json(const struct function_spec *spec)
{
    char text[sizeof(spec->args.data) + 1] = "";
    size_t used = 0;
    for (STRBLOCK_EACH(&spec->args, arg)) {
        size_t length = strlen(arg);
        if (used > 0)
            text[used++] = ' ';
        memcpy(text + used, arg, length);
        used += length;
    }
    text[used] = '\0';
    return json_string(text);
}

static json_t *own_json(const struct function_spec *spec)
{
    const struct function_limits *limits = &spec->limits;
    json_t *own = json_pack(
        "{s:o, s:s, s:o, s:o, s:i, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:o, "
        "s:i, s:i, s:i}",
        "args", args_json(spec), "tier", spec->tier, "mem", size_json(limits->mem_bytes), "cpus",
        cpus_json(limits->cpu_millis), "pids", (int)limits->pids_max, "timeout",
        duration_json(limits->timeout_ns), "tmp", size_json(limits->tmp_bytes), "net",
        spec->net == FUNCTION_NET_NONE ? "none" : "own", "ipc",
        spec->flags & FUNCTION_OWN_IPC ? "own" : "none", "renew",
        spec->flags & FUNCTION_RENEW_ALL ? "all" : "touched", "warm",
        spec->flags & FUNCTION_WARM       ? "yes"
        : spec->flags & FUNCTION_NOT_WARM ? "no"
                                          : "auto",
        "proc", spec->proc == FUNCTION_PROC_FULL ? "full" : "pids", "cgi",
        (spec->flags & FUNCTION_CGI) != 0, "stream", (spec->flags & FUNCTION_STREAM) != 0,
        "host_usr", (spec->flags & FUNCTION_HOST_USR) != 0, "max_body",
        size_json(limits->max_body_bytes), "concurrency", (int)limits->concurrency_max, "queue",
        (int)limits->queue_max, "files", (int)limits->files_max);
    int rc = own == NULL ? -1 : 0;
    if (rc == 0 && spec->user[0] != '\0')
        rc = json_object_set_new(own, "user", json_string(spec->user));
    if (rc == 0 && spec->cwd[0] != '\0')
        rc = json_object_set_new(own, "cwd", json_string(spec->cwd));
    if (rc == 0 && spec->bind_count > 0)
        rc = json_object_set_new(own, "binds", binds_json(spec));
    if (rc < 0) {
        json_decref(own);
        return NULL;
    }
    return own;
}

json_t *spec_to_json(const struct function_spec *spec)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:b, s:o}", "service",
                  spec->name, "namespace", spec->tenant, "image", spec->image, "envProcess",
                  process_json(spec), "envVars", pairs_json(spec->env.bytes, spec->env.data),
                  "labels", pairs_json(spec->labels.bytes, spec->labels.data), "annotations",
                  pairs_json(spec->annotations.bytes, spec->annotations.data), "limits", "memory",
                  size_json(spec->limits.mem_bytes), "cpu", cpus_json(spec->limits.cpu_millis),
                  "readOnlyRootFilesystem", 1, "skerry", own_json(spec));
    if (spec->limits.cpu_millis == 0)
        json_object_del(json_object_get(object, "limits"), "cpu");
    return object;
}
