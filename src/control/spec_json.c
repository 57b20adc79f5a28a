/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions from JSON; see spec_json.h. A table says which key is read by which function; each
 * of these gets the value, never NULL and never JSON null.
 */
#include "control/spec_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

typedef int (*field_fn)(const json_t *value, const char *key, struct function_spec *out,
                        struct err *err);

struct field {
    const char *key;
    field_fn read;
};

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
    return names[json_typeof(value)];
}

static int wrong_type(const json_t *value, const char *key, const char *expected, struct err *err)
{
    return err_set(err, EINVAL, "%s is %s; %s is expected", key, type_name(value), expected);
}

/* The depth is bounded by scanning: jansson's own bound is 2,048 levels of recursion. */
static bool too_deep(const char *text, size_t size)
{
    unsigned int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > SPEC_JSON_DEPTH)
            return true;
    }
    return false;
}

json_t *json_parse_strict(const char *text, size_t size, struct err *err)
{
    json_error_t why;
    if (size > SPEC_JSON_MAX) {
        err_set(err, EFBIG, "the JSON document is larger than %u bytes", SPEC_JSON_MAX);
        return NULL;
    }
    if (too_deep(text, size)) {
        err_set(err, EINVAL, "the JSON document is nested deeper than %d levels", SPEC_JSON_DEPTH);
        return NULL;
    }
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL)
        err_set(err, EINVAL, "not valid JSON at line %d, column %d: %.200s", why.line, why.column,
                why.text);
    return json;
}

static int read_text(const json_t *value, const char *key, char *out, size_t room, struct err *err)
{
    if (!json_is_string(value))
        return wrong_type(value, key, "a string", err);
    size_t length = json_string_length(value);
    if (length >= room)
        return err_set(err, EINVAL, "%s has %zu bytes; at most %zu are allowed", key, length,
                       room - 1);
    memcpy(out, json_string_value(value), length);
    memset(out + length, 0, room - length);
    return 0;
}

#define TEXT_FIELD(function, field)                                                                \
    static int function(const json_t *value, const char *key, struct function_spec *out,           \
                        struct err *err)                                                           \
    {                                                                                              \
        return read_text(value, key, out->field, sizeof(out->field), err);                         \
    }
TEXT_FIELD(read_name, name)
TEXT_FIELD(read_tenant, tenant)
TEXT_FIELD(read_image, image)
TEXT_FIELD(read_tier, tier)
TEXT_FIELD(read_user, user)
TEXT_FIELD(read_cwd, cwd)

static int read_flag(const json_t *value, const char *key, uint32_t flag, struct function_spec *out,
                     struct err *err)
{
    if (!json_is_boolean(value))
        return wrong_type(value, key, "true or false", err);
    if (json_is_true(value))
        out->flags |= flag;
    else
        out->flags &= ~flag;
    return 0;
}

#define FLAG_FIELD(function, flag)                                                                 \
    static int function(const json_t *value, const char *key, struct function_spec *out,           \
                        struct err *err)                                                           \
    {                                                                                              \
        return read_flag(value, key, flag, out, err);                                              \
    }
FLAG_FIELD(read_cgi, FUNCTION_CGI)
FLAG_FIELD(read_stream, FUNCTION_STREAM)
FLAG_FIELD(read_host_usr, FUNCTION_HOST_USR)

/* Sets one limit; the same limit under another key must not differ. 0 would mean the default. */
static int set_limit(uint64_t value, const char *key, uint64_t most, uint64_t *out, struct err *err)
{
    if (value == 0)
        return err_set(err, EINVAL, "%s is 0; leave it out for the default", key);
    if (value > most)
        return err_set(err, EINVAL, "%s is too large", key);
    if (*out != 0 && *out != value)
        return err_set(err, EINVAL, "%s contradicts the same limit under another key", key);
    *out = value;
    return 0;
}

static int set_limit32(uint64_t value, const char *key, uint32_t *out, struct err *err)
{
    uint64_t wide = *out;
    int rc = set_limit(value, key, UINT32_MAX, &wide, err);
    if (rc == 0)
        *out = (uint32_t)wide;
    return rc;
}

static int read_size(const json_t *value, const char *key, uint64_t *out, struct err *err)
{
    uint64_t bytes = 0;
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        bytes = (uint64_t)json_integer_value(value);
    else if (!json_is_string(value))
        return wrong_type(value, key, "a size such as \"128M\"", err);
    else if (size_parse(json_string_value(value), &bytes) < 0)
        return err_set(err, EINVAL, "%s is '%.60s', not a size such as \"128M\"", key,
                       json_string_value(value));
    return set_limit(bytes, key, UINT64_MAX, out, err);
}

static int read_duration(const json_t *value, const char *key, uint64_t *out, struct err *err)
{
    uint64_t ns = 0;
    if (!json_is_string(value))
        return wrong_type(value, key, "a duration such as \"10s\"", err);
    if (duration_parse(json_string_value(value), &ns) < 0)
        return err_set(err, EINVAL, "%s is '%.60s', not a duration such as \"10s\"", key,
                       json_string_value(value));
    return set_limit(ns, key, UINT64_MAX, out, err);
}

static int read_cpu_count(const json_t *value, const char *key, uint32_t *out, struct err *err)
{
    char number[32];
    uint32_t millis = 0;
    const char *text = json_string_value(value);
    if (json_is_number(value)) {
        double count = json_number_value(value);
        if (!(count >= 0 && count < 1e6))
            return err_set(err, EINVAL, "%s is out of range", key);
        snprintf(number, sizeof(number), "%.3f", count);
        text = number;
    }
    if (text == NULL)
        return wrong_type(value, key, "a count of CPUs such as \"0.5\" or \"500m\"", err);
    if (cpus_parse(text, &millis) < 0)
        return err_set(err, EINVAL,
                       "%s is '%.60s', not a count of CPUs such as \"0.5\" or \"500m\"", key, text);
    if (millis == 0) {
        *out = 0; /* "none" is the default */
        return 0;
    }
    return set_limit32(millis, key, out, err);
}

static int read_count(const json_t *value, const char *key, uint32_t *out, struct err *err)
{
    if (!json_is_integer(value))
        return wrong_type(value, key, "a whole number", err);
    if (json_integer_value(value) < 0)
        return err_set(err, EINVAL, "%s is negative", key);
    return set_limit32((uint64_t)json_integer_value(value), key, out, err);
}

#define LIMIT_FIELD(function, reader, field)                                                       \
    static int function(const json_t *value, const char *key, struct function_spec *out,           \
                        struct err *err)                                                           \
    {                                                                                              \
        return reader(value, key, &out->limits.field, err);                                        \
    }
LIMIT_FIELD(read_mem, read_size, mem_bytes)
LIMIT_FIELD(read_tmp, read_size, tmp_bytes)
LIMIT_FIELD(read_max_body, read_size, max_body_bytes)
LIMIT_FIELD(read_timeout, read_duration, timeout_ns)
LIMIT_FIELD(read_cpus, read_cpu_count, cpu_millis)
LIMIT_FIELD(read_pids, read_count, pids_max)
LIMIT_FIELD(read_concurrency, read_count, concurrency_max)
LIMIT_FIELD(read_queue, read_count, queue_max)
LIMIT_FIELD(read_files, read_count, files_max)

/* One of two words; *out is true for the second. */
static int read_choice(const json_t *value, const char *key, const char *first, const char *second,
                       bool *out, struct err *err)
{
    const char *text = json_string_value(value);
    if (text == NULL)
        return wrong_type(value, key, "a string", err);
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
        return err_set(err, EINVAL, "%s is '%.60s'; '%s' and '%s' are offered", key, text, first,
                       second);
    *out = strcmp(text, second) == 0;
    return 0;
}

static int read_net(const json_t *value, const char *key, struct function_spec *out,
                    struct err *err)
{
    bool none = false;
    int rc = read_choice(value, key, "own", "none", &none, err);
    out->net = none ? FUNCTION_NET_NONE : FUNCTION_NET_OWN;
    return rc;
}

static int read_proc(const json_t *value, const char *key, struct function_spec *out,
                     struct err *err)
{
    bool full = false;
    int rc = read_choice(value, key, "pids", "full", &full, err);
    out->proc = full ? FUNCTION_PROC_FULL : FUNCTION_PROC_PIDS;
    return rc;
}

static int read_ipc(const json_t *value, const char *key, struct function_spec *out,
                    struct err *err)
{
    bool own = false;
    int rc = read_choice(value, key, "none", "own", &own, err);
    if (own)
        out->flags |= FUNCTION_OWN_IPC;
    return rc;
}

static int read_renew(const json_t *value, const char *key, struct function_spec *out,
                      struct err *err)
{
    bool all = false;
    int rc = read_choice(value, key, "touched", "all", &all, err);
    if (all)
        out->flags |= FUNCTION_RENEW_ALL;
    return rc;
}

static int read_warm(const json_t *value, const char *key, struct function_spec *out,
                     struct err *err)
{
    const char *text = json_string_value(value);
    if (text == NULL)
        return wrong_type(value, key, "a string", err);
    out->flags &= ~(uint32_t)(FUNCTION_WARM | FUNCTION_NOT_WARM);
    if (strcmp(text, "yes") == 0)
        out->flags |= FUNCTION_WARM;
    else if (strcmp(text, "no") == 0)
        out->flags |= FUNCTION_NOT_WARM;
    else if (strcmp(text, "auto") != 0)
        return err_set(err, EINVAL, "%s is '%.60s'; 'auto', 'yes' and 'no' are offered", key, text);
    return 0;
}

static int read_args(const json_t *value, const char *key, struct function_spec *out,
                     struct err *err)
{
    if (!json_is_array(value))
        return wrong_type(value, key, "a list of strings", err);
    out->args.count = out->args.bytes = 0; /* they win over envProcess */
    memset(out->args.data, 0, sizeof(out->args.data));
    size_t i;
    const json_t *item;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return wrong_type(item, "an entry of args", "a string", err);
        if (STRBLOCK_ADD(&out->args, json_string_value(item)) < 0)
            return err_set(err, EINVAL, "args is larger than %zu bytes", sizeof(out->args.data));
    }
    return 0;
}

static int read_bind(const json_t *value, struct function_bind *out, struct err *err)
{
    if (!json_is_object(value))
        return wrong_type(value, "an entry of binds", "an object {\"source\", \"target\", \"ro\"}",
                          err);
    const char *key;
    json_t *part;
    int rc = 0;
    json_object_foreach((json_t *)(uintptr_t)value, key, part)
    {
        if (strcmp(key, "source") == 0)
            rc = read_text(part, "binds.source", out->source, sizeof(out->source), err);
        else if (strcmp(key, "target") == 0)
            rc = read_text(part, "binds.target", out->target, sizeof(out->target), err);
        else if (strcmp(key, "ro") != 0)
            rc = err_set(err, EINVAL, "unknown key '%.60s' in an entry of binds", key);
        else if (!json_is_boolean(part))
            rc = wrong_type(part, "binds.ro", "true or false", err);
        else
            out->read_only = json_is_true(part);
        if (rc < 0)
            return rc;
    }
    if (out->source[0] == '\0' || out->target[0] == '\0')
        return err_set(err, EINVAL, "an entry of binds lacks its source or its target");
    return 0;
}

static int read_binds(const json_t *value, const char *key, struct function_spec *out,
                      struct err *err)
{
    if (!json_is_array(value))
        return wrong_type(value, key, "a list of objects", err);
    if (json_array_size(value) > FUNCTION_BINDS_MAX)
        return err_set(err, EINVAL, "binds has %zu entries; at most %d are allowed",
                       json_array_size(value), FUNCTION_BINDS_MAX);
    size_t i;
    const json_t *item;
    json_array_foreach(value, i, item)
    {
        int rc = read_bind(item, &out->binds[i], err);
        if (rc < 0)
            return rc;
        out->bind_count++;
    }
    return 0;
}

/* An object of strings into a block of "K=V". */
static int read_pairs(const json_t *value, const char *key, uint32_t *count, uint32_t *bytes,
                      char *data, size_t room, struct err *err)
{
    if (!json_is_object(value))
        return wrong_type(value, key, "an object of strings", err);
    const char *name;
    json_t *text;
    json_object_foreach((json_t *)(uintptr_t)value, name, text)
    {
        char pair[SPEC_JSON_MAX / 32];
        if (!json_is_string(text))
            return err_set(err, EINVAL, "%s: the value of '%.60s' is %s; a string is expected", key,
                           name, type_name(text));
        if (name[0] == '\0' || strchr(name, '=') != NULL)
            return err_set(err, EINVAL, "%s: '%.60s' cannot be a name: it is empty or has a '='",
                           key, name);
        int length = snprintf(pair, sizeof(pair), "%s=%s", name, json_string_value(text));
        if (length < 0 || (size_t)length >= sizeof(pair) ||
            strblock_add(count, bytes, data, room, pair) < 0)
            return err_set(err, EINVAL, "%s is larger than %zu bytes", key, room);
    }
    return 0;
}

#define PAIRS_FIELD(function, field)                                                               \
    static int function(const json_t *value, const char *key, struct function_spec *out,           \
                        struct err *err)                                                           \
    {                                                                                              \
        return read_pairs(value, key, &out->field.count, &out->field.bytes, out->field.data,       \
                          sizeof(out->field.data), err);                                           \
    }
PAIRS_FIELD(read_env, env)
PAIRS_FIELD(read_labels, labels)
PAIRS_FIELD(read_annotations, annotations)

/* "prog arg arg": split at blanks as OpenFaaS's watchdog does; skerry.args can say more. */
static int read_process(const json_t *value, const char *key, struct function_spec *out,
                        struct err *err)
{
    if (!json_is_string(value))
        return wrong_type(value, key, "a string", err);
    const char *at = json_string_value(value);
    for (;;) {
        char word[sizeof(out->args.data)];
        at += strspn(at, " \t\n");
        size_t length = strcspn(at, " \t\n");
        if (length == 0)
            return 0;
        if (length >= sizeof(word))
            return err_set(err, EINVAL, "%s is too long", key);
        memcpy(word, at, length);
        word[length] = '\0';
        if (STRBLOCK_ADD(&out->args, word) < 0)
            return err_set(err, EINVAL, "%s is too long", key);
        at += length;
    }
}

static int read_bool_only(const json_t *value, const char *key, struct function_spec *out,
                          struct err *err)
{
    (void)out; /* the root is always read-only */
    return json_is_boolean(value) ? 0 : wrong_type(value, key, "true or false", err);
}

static int refuse_unless_empty(const json_t *value, const char *key, struct function_spec *out,
                               struct err *err)
{
    (void)out;
    if (!json_is_array(value))
        return wrong_type(value, key, "a list", err);
    if (json_array_size(value) > 0)
        return err_set(err, EINVAL, "%s are not offered; leave them out", key);
    return 0;
}

static int read_fields(const json_t *object, const struct field *fields, size_t count, bool strict,
                       const char *where, struct function_spec *out, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(object, fields[i].key);
        if (value == NULL || json_is_null(value))
            continue;
        int rc = fields[i].read(value, fields[i].key, out, err);
        if (rc < 0)
            return where == NULL ? rc : err_prefix(err, "%s", where);
    }
    if (!strict)
        return 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(fields[i].key, key) != 0)
            i++;
        if (i == count)
            return err_set(err, EINVAL, "%s has an unknown key '%.60s'", where, key);
    }
    return 0;
}

static int read_limits(const json_t *value, const char *key, struct function_spec *out,
                       struct err *err)
{
    static const struct field fields[] = {{"memory", read_mem}, {"cpu", read_cpus}};
    if (!json_is_object(value))
        return wrong_type(value, key, "an object {\"memory\", \"cpu\"}", err);
    return read_fields(value, fields, sizeof(fields) / sizeof(fields[0]), true, "limits", out, err);
}

static int read_own(const json_t *value, const char *key, struct function_spec *out,
                    struct err *err)
{
    static const struct field fields[] = {
        {"args", read_args},         {"tier", read_tier},         {"mem", read_mem},
        {"cpus", read_cpus},         {"pids", read_pids},         {"timeout", read_timeout},
        {"tmp", read_tmp},           {"net", read_net},           {"ipc", read_ipc},
        {"proc", read_proc},         {"cgi", read_cgi},           {"stream", read_stream},
        {"host_usr", read_host_usr}, {"max_body", read_max_body}, {"concurrency", read_concurrency},
        {"queue", read_queue},       {"files", read_files},       {"user", read_user},
        {"cwd", read_cwd},           {"binds", read_binds},       {"renew", read_renew},
        {"warm", read_warm},
    };
    if (!json_is_object(value))
        return wrong_type(value, key, "an object", err);
    return read_fields(value, fields, sizeof(fields) / sizeof(fields[0]), true, "skerry", out, err);
}

int spec_from_json(const json_t *object, struct function_spec *out, struct err *err)
{
    static const struct field fields[] = {
        {"service", read_name},
        {"namespace", read_tenant},
        {"image", read_image},
        {"envProcess", read_process},
        {"envVars", read_env},
        {"labels", read_labels},
        {"annotations", read_annotations},
        {"limits", read_limits},
        {"readOnlyRootFilesystem", read_bool_only},
        {"secrets", refuse_unless_empty},
        {"constraints", refuse_unless_empty},
        {"skerry", read_own},
    };
    if (!json_is_object(object))
        return wrong_type(object, "the document", "an object", err);
    if (!json_is_string(json_object_get(object, "service")))
        return err_set(err, EINVAL, "service, the name of the function, is missing");
    function_init(out);
    memset(&out->limits, 0, sizeof(out->limits)); /* so that a second value for one is seen */
    int rc = read_fields(object, fields, sizeof(fields) / sizeof(fields[0]), false, NULL, out, err);
    if (rc < 0)
        return rc;
    if (out->tenant[0] == '\0') /* OpenFaaS's clients send an empty one for the default */
        memcpy(out->tenant, "default", sizeof("default"));
    function_fill_defaults(out);
    return function_check(out, err);
}
