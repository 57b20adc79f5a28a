/* SPDX-License-Identifier: Apache-2.0 */
/* `skerry list` and `skerry remove`. */
#include <stdio.h>

#include "cli/admin.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "image/store.h"

static int fail(const struct err *err)
{
    say_error(err);
    return CLI_FAILED;
}

static const char *or_dash(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : "-";
}

static void print_table(const json_t *all)
{
    static const char *const titles[] = {"NAME", "TENANT", "STATUS", "CALLS", "IMAGE"};
    struct table table;
    size_t cursor = 0, i;
    json_t *function;
    table_init(&table, 5);
    for (size_t title = 0; title < 5; title++)
        table_cell(&table, &cursor, "%s", titles[title]);
    json_array_foreach(all, i, function)
    {
        const json_t *own = json_object_get(function, "skerry");
        const char *image = admin_text(function, "image");
        table_cell(&table, &cursor, "%s", or_dash(admin_text(function, "name")));
        table_cell(&table, &cursor, "%s", or_dash(admin_text(function, "namespace")));
        table_cell(&table, &cursor, "%s", or_dash(admin_text(function, "status")));
        table_cell(&table, &cursor, "%llu",
                   (unsigned long long)admin_number(function, "invocationCount"));
        table_cell(&table, &cursor, "%s",
                   or_dash(image != NULL && image[0] != '\0'                ? image
                           : json_is_true(json_object_get(own, "host_usr")) ? "(the machine's /usr)"
                                                                            : NULL));
    }
    table_print(&table, stdout);
    table_free(&table);
}

static int run_list(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    char state[STATE_PATH_MAX], target[256];
    struct err err = {0};
    json_t *all = NULL;
    if (state_dir(settings, state, &err) < 0 ||
        admin_target("/system/functions", NULL, settings, target, sizeof(target), &err) < 0 ||
        client_json(state, "GET", target, NULL, &all, NULL, &err) < 0)
        return fail(&err);
    if (settings->json)
        admin_print_json(all);
    else if (json_array_size(all) == 0)
        say("no function is deployed; 'skerry deploy --help' says how");
    else
        print_table(all);
    json_decref(all);
    return CLI_OK;
}

/* The image that deploy --exec made for the function goes with it, unless another one uses it. */
static void remove_exec_image(const struct settings *settings, const char *state, const char *name)
{
    char ref[IMAGE_REF_MAX];
    struct image_store *store = NULL;
    struct err ignored;
    admin_exec_ref(settings->tenant, name, ref, sizeof(ref));
    if (admin_image_in_use(state, ref, &ignored) ||
        image_store_open(state, 1, &store, &ignored) < 0)
        return;
    image_store_remove(store, ref, &ignored);
    image_store_close(store);
}

static int run_remove(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    char state[STATE_PATH_MAX], target[256];
    struct err err = {0};
    int status = CLI_OK;
    if (state_dir(settings, state, &err) < 0)
        return fail(&err);
    for (int i = 0; i < settings->operand_count; i++) {
        const char *name = settings->operands[i];
        /* the target is only made for its checks: the name goes into the body */
        int result = admin_target("", name, settings, target, sizeof(target), &err);
        json_t *body =
            json_pack("{s:s, s:s*}", "functionName", name, "namespace", settings->tenant);
        if (result == 0)
            result = client_json(state, "DELETE", "/system/functions", body, NULL, NULL, &err);
        json_decref(body);
        if (result < 0)
            status = fail(&err);
        else
            remove_exec_image(settings, state, name);
    }
    return status;
}

static const unsigned char list_options[] = {OPT_TENANT, OPT_STATE, OPT_JSON, OPT_HELP, OPT_COUNT};
static const unsigned char remove_options[] = {OPT_TENANT, OPT_STATE, OPT_HELP, OPT_COUNT};

const struct verb verb_list = {
    .name = "list",
    .summary = "show the functions that are deployed",
    .operands = "",
    .description =
        "Shows every function, or with --tenant those of one tenant: its state (starting, ready "
        "or failed), how often it was called since the daemon began, and what it runs from.",
    .options = list_options,
    .stop_after = -1,
    .usage_exit = CLI_USAGE,
    .run = run_list,
};

const struct verb verb_remove = {
    .name = "remove",
    .summary = "remove functions",
    .operands = "NAME...",
    .description =
        "Removes functions. Requests that they are serving are ended. What deploy --exec made goes "
        "with them, images that were imported stay in the store.",
    .options = remove_options,
    .operands_min = 1,
    .operands_max = -1,
    .stop_after = -1,
    .complete = COMPLETE_FUNCTION,
    .usage_exit = CLI_USAGE,
    .run = run_remove,
};
