/* SPDX-License-Identifier: Apache-2.0 */
/* `skerry describe`: all of one function: what was deployed, how it fares, where a start's time
 * goes. */
#include <stdio.h>
#include <string.h>

#include "cli/admin.h"
#include "cli/text.h"
#include "cli/verbs.h"

static void row(struct table *table, size_t *cursor, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    table_cell(table, cursor, "%s", name);
    table_cell(table, cursor, "%s", value);
}

/* Any scalar as text, "yes" and "no" for booleans. */
static const char *scalar(const json_t *json, const char *key, char *buf, size_t room)
{
    const json_t *value = json_object_get(json, key);
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        snprintf(buf, room, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(buf, room, "%.3f", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(buf, room, "%s", json_is_true(value) ? "yes" : "no");
    else
        return NULL;
    return buf;
}

/* "convert - -resize 64x64 png:-", quoted where a shell would need it. */
static void command_row(struct table *table, size_t *cursor, const json_t *args)
{
    char line[1024] = "";
    size_t used = 0, i;
    json_t *arg;
    json_array_foreach(args, i, arg)
    {
        const char *text = json_string_value(arg);
        const char *quote = text != NULL && strpbrk(text, " \t\n'\"\\$*?[]{}()|&;<>#~") ? "'" : "";
        int more = snprintf(line + used, sizeof(line) - used, "%s%s%s%s", i > 0 ? " " : "", quote,
                            text != NULL ? text : "", quote);
        if (more < 0 || used + (size_t)more >= sizeof(line))
            break;
        used += (size_t)more;
    }
    row(table, cursor, "command", line);
}

static void pairs_rows(struct table *table, size_t *cursor, const char *name, json_t *pairs)
{
    const char *key;
    json_t *value;
    json_object_foreach(pairs, key, value)
    {
        char text[512];
        snprintf(text, sizeof(text), "%s=%s", key,
                 json_is_string(value) ? json_string_value(value) : "");
        row(table, cursor, name, text);
    }
}

static void binds_rows(struct table *table, size_t *cursor, const json_t *binds)
{
    size_t i;
    json_t *bind;
    json_array_foreach(binds, i, bind)
    {
        const char *source = admin_text(bind, "source"), *target = admin_text(bind, "target");
        char text[512];
        snprintf(text, sizeof(text), "%s on %s%s", source != NULL ? source : "?",
                 target != NULL ? target : "?",
                 json_is_true(json_object_get(bind, "ro")) ? ", read-only" : "");
        row(table, cursor, "bind", text);
    }
}

static void print_settings(const json_t *function)
{
    static const char *const keys[] = {"tier", "mem",   "cpus",     "pids",        "timeout",
                                       "tmp",  "files", "max_body", "concurrency", "queue",
                                       "net",  "ipc",   "renew",    "warm",        "proc",
                                       "user", "cwd",   "cgi",      "stream"};
    static const char *const state_keys[] = {"status", "error", "snapshot", "createdAt",
                                             "revision"};
    const json_t *own = json_object_get(function, "skerry");
    char buf[64];
    struct table table;
    size_t cursor = 0;
    table_init(&table, 2);
    row(&table, &cursor, "name", admin_text(function, "name"));
    row(&table, &cursor, "tenant", admin_text(function, "namespace"));
    row(&table, &cursor, "image", admin_text(function, "image"));
    if (json_is_true(json_object_get(own, "host_usr")))
        row(&table, &cursor, "image", "(the machine's /usr)");
    for (size_t i = 0; i < sizeof(state_keys) / sizeof(state_keys[0]); i++)
        row(&table, &cursor, state_keys[i], scalar(function, state_keys[i], buf, sizeof(buf)));
    command_row(&table, &cursor, json_object_get(own, "args"));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        row(&table, &cursor, keys[i], scalar(own, keys[i], buf, sizeof(buf)));
    pairs_rows(&table, &cursor, "env", json_object_get(function, "envVars"));
    pairs_rows(&table, &cursor, "label", json_object_get(function, "labels"));
    pairs_rows(&table, &cursor, "annotation", json_object_get(function, "annotations"));
    binds_rows(&table, &cursor, json_object_get(own, "binds"));
    table_print(&table, stdout);
    table_free(&table);
}

/* Every figure of an object, one a line. */
static void print_figures(const char *title, json_t *figures)
{
    const char *key;
    json_t *value;
    struct table table;
    size_t cursor = 0;
    char buf[64];
    if (json_object_size(figures) == 0)
        return;
    table_init(&table, 2);
    json_object_foreach(figures, key, value)
    {
        if (json_is_object(value) || json_is_array(value))
            continue;
        char name[64];
        snprintf(name, sizeof(name), "  %s", key);
        row(&table, &cursor, name, scalar(figures, key, buf, sizeof(buf)));
    }
    printf("\n%s\n", title);
    table_print(&table, stdout);
    table_free(&table);
}

static void figure_cell(struct table *table, size_t *cursor, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_number(value))
        table_cell(table, cursor, "%12.1f", json_number_value(value));
    else
        table_cell(table, cursor, "%12s", "-");
}

/* The last start: when each stage was reached after the request came, and how long it took. */
static void print_last_start(const json_t *stages, const char *kind)
{
    struct table table;
    size_t cursor = 0, i;
    json_t *stage;
    if (json_array_size(stages) == 0)
        return;
    table_init(&table, 3);
    table_cell(&table, &cursor, "  stage");
    table_cell(&table, &cursor, "%12s", "at");
    table_cell(&table, &cursor, "%12s", "took");
    json_array_foreach(stages, i, stage)
    {
        const char *name = admin_text(stage, "stage");
        table_cell(&table, &cursor, "  %s", name != NULL ? name : "?");
        figure_cell(&table, &cursor, stage, "at_us");
        figure_cell(&table, &cursor, stage, "span_us");
    }
    printf("\nthe last start%s%s%s, in microseconds\n", kind != NULL ? " (" : "",
           kind != NULL ? kind : "", kind != NULL ? ")" : "");
    table_print(&table, stdout);
    table_free(&table);
}

static void print_stages(json_t *stages)
{
    static const char *const keys[] = {"p50_us", "p90_us", "p99_us"};
    static const char *const titles[] = {"p50", "p90", "p99"};
    struct table table;
    size_t cursor = 0;
    const char *name;
    json_t *stage;
    if (json_object_size(stages) == 0)
        return;
    table_init(&table, 4);
    table_cell(&table, &cursor, "  stage");
    for (size_t k = 0; k < 3; k++)
        table_cell(&table, &cursor, "%12s", titles[k]);
    json_object_foreach(stages, name, stage)
    {
        table_cell(&table, &cursor, "  %s", name);
        for (size_t k = 0; k < 3; k++)
            figure_cell(&table, &cursor, stage, keys[k]);
    }
    printf("\nall starts, in microseconds\n");
    table_print(&table, stdout);
    table_free(&table);
}

static int describe_target(const struct settings *settings, char *target, size_t room,
                           struct err *err)
{
    const char *name = settings->operands[0], *tenant = settings->tenant;
    int result = admin_target("", name, settings, target, room, err); /* for its checks */
    if (result == 0)
        snprintf(target, room, "/system/skerry/describe?name=%s&namespace=%s", name,
                 tenant != NULL ? tenant : "default");
    return result;
}

static int run_describe(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    char state[STATE_PATH_MAX], target[256];
    struct err err = {0};
    json_t *function = NULL;
    if (state_dir(settings, state, &err) < 0 ||
        describe_target(settings, target, sizeof(target), &err) < 0 ||
        client_json(state, "GET", target, NULL, &function, NULL, &err) < 0) {
        say_error(&err);
        return CLI_FAILED;
    }
    if (settings->json) {
        admin_print_json(function);
    } else {
        print_settings(function);
        print_figures("calls since the daemon began", json_object_get(function, "counters"));
        print_last_start(json_object_get(function, "lastStart"),
                         admin_text(function, "lastStartKind"));
        print_stages(json_object_get(function, "stages"));
    }
    json_decref(function);
    return CLI_OK;
}

static const unsigned char describe_options[] = {OPT_TENANT, OPT_STATE, OPT_JSON, OPT_HELP,
                                                 OPT_COUNT};

const struct verb verb_describe = {
    .name = "describe",
    .summary = "show all of one function",
    .operands = "NAME",
    .description = "Shows what was deployed, how its calls ended, and how long each stage of a "
                   "start took: that of "
                   "the last call (cold: a sandbox was made while it waited; pooled: one was "
                   "waiting; restored: it went on from the function's snapshot), and the median "
                   "and 99th percentile of all. A sandbox is cloned "
                   "and furnished before "
                   "its call comes, so those two are no part of what a caller waits for.",
    .options = describe_options,
    .operands_min = 1,
    .operands_max = 1,
    .stop_after = -1,
    .complete = COMPLETE_FUNCTION,
    .usage_exit = CLI_USAGE,
    .run = run_describe,
};
