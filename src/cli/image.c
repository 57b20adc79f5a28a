/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `skerry image import|list|remove`: the local store, which this program reads and writes itself;
 * the daemon looks images up when a function is deployed. Whether a function uses an image is asked
 * of the daemon, if it runs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/admin.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "image/store.h"

static int open_store(const struct settings *settings, int writable, char state[STATE_PATH_MAX],
                      struct image_store **out, struct err *err)
{
    int result = state_dir(settings, state, err);
    if (result == 0 && writable)
        result = state_make(state, err);
    return result == 0 ? image_store_open(state, writable, out, err) : result;
}

static int fail(const struct err *err)
{
    say_error(err);
    return CLI_FAILED;
}

/* Imports with a bar; ref and meta are those of the image that it became. */
static int import(const struct settings *settings, char ref[IMAGE_REF_MAX], struct image_meta *meta,
                  struct err *err)
{
    char state[STATE_PATH_MAX], rootfs[STATE_PATH_MAX];
    struct image_store *store = NULL;
    struct progress progress;
    int result = open_store(settings, 1, state, &store, err);
    if (result < 0)
        return result;
    progress_begin(&progress);
    const struct image_import_options options = {
        .ref = settings->name, .progress = progress_show, .progress_arg = &progress};
    result = image_store_import(store, settings->operands[0], &options, ref, err);
    progress_end(&progress);
    if (result == 0)
        result = image_store_lookup(store, ref, meta, rootfs, sizeof(rootfs), err);
    image_store_close(store);
    return result;
}

static int run_import(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    static struct image_meta meta; /* 30 KiB */
    char ref[IMAGE_REF_MAX] = "", size[16];
    struct err err = {0};
    if (import(settings, ref, &meta, &err) < 0)
        return fail(&err);
    if (settings->json) {
        json_t *json = json_pack("{s:s, s:s, s:I}", "ref", ref, "digest", meta.digest, "size",
                                 (json_int_t)meta.size_bytes);
        admin_print_json(json);
        json_decref(json);
    } else {
        printf("%s  %.12s  %s\n", ref, meta.digest, text_size(meta.size_bytes, size, sizeof(size)));
    }
    return CLI_OK;
}

static json_t *args_json(const struct image_meta *meta)
{
    json_t *args = json_array();
    for (STRBLOCK_EACH(&meta->args, arg))
        json_array_append_new(args, json_string(arg));
    return args;
}

static int add_json(void *arg, const char *ref, const struct image_meta *meta)
{
    json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:o}", "ref", ref, "digest", meta->digest,
                             "size", (json_int_t)meta->size_bytes, "created",
                             (json_int_t)meta->created_unix_s, "args", args_json(meta));
    return json_array_append_new(arg, json) < 0 ? -ENOMEM : 0;
}

struct listing {
    struct table table;
    size_t cursor;
    uint64_t now_s;
};

static int add_row(void *arg, const char *ref, const struct image_meta *meta)
{
    struct listing *list = arg;
    char size[16], age[32];
    uint64_t seconds = list->now_s > meta->created_unix_s ? list->now_s - meta->created_unix_s : 0;
    table_cell(&list->table, &list->cursor, "%s", ref);
    table_cell(&list->table, &list->cursor, "%.12s", meta->digest);
    table_cell(&list->table, &list->cursor, "%s", text_size(meta->size_bytes, size, sizeof(size)));
    table_cell(&list->table, &list->cursor, "%s", text_age(seconds, age, sizeof(age)));
    table_cell(&list->table, &list->cursor, "%s", meta->args.count > 0 ? meta->args.data : "-");
    return 0;
}

static int run_list(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    char state[STATE_PATH_MAX];
    struct image_store *store = NULL;
    struct err err = {0};
    if (open_store(settings, 0, state, &store, &err) < 0)
        return fail(&err);
    int result;
    if (settings->json) {
        json_t *all = json_array();
        result = image_store_each(store, add_json, all, &err);
        if (result == 0)
            admin_print_json(all);
        json_decref(all);
    } else {
        static const char *const titles[] = {"IMAGE", "DIGEST", "SIZE", "AGE", "PROGRAM"};
        struct listing list = {.now_s = (uint64_t)time(NULL)};
        table_init(&list.table, 5);
        for (size_t i = 0; i < 5; i++)
            table_cell(&list.table, &list.cursor, "%s", titles[i]);
        result = image_store_each(store, add_row, &list, &err);
        if (result == 0)
            table_print(&list.table, stdout);
        table_free(&list.table);
    }
    image_store_close(store);
    return result < 0 ? fail(&err) : CLI_OK;
}

static int run_remove(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    char state[STATE_PATH_MAX];
    struct image_store *store = NULL;
    struct err err = {0};
    if (open_store(settings, 1, state, &store, &err) < 0)
        return fail(&err);
    int status = CLI_OK;
    for (int i = 0; i < settings->operand_count; i++) {
        const char *ref = settings->operands[i];
        if ((!settings->force && admin_image_in_use(state, ref, &err)) ||
            image_store_remove(store, ref, &err) < 0)
            status = fail(&err);
    }
    image_store_close(store);
    return status;
}

static const unsigned char import_options[] = {OPT_NAME, OPT_STATE, OPT_JSON, OPT_HELP, OPT_COUNT};
static const unsigned char list_options[] = {OPT_STATE, OPT_JSON, OPT_HELP, OPT_COUNT};
static const unsigned char remove_options[] = {OPT_FORCE, OPT_STATE, OPT_HELP, OPT_COUNT};

static const struct verb_section import_sections[] = {
    {"Examples", "From a registry, through skopeo:\n"
                 "  skopeo copy docker://docker.io/library/alpine:3 oci-archive:alpine.tar\n"
                 "  skerry image import alpine.tar --name alpine:3\n"
                 "From a container engine:\n"
                 "  podman save alpine | skerry image import /dev/stdin --name alpine\n"},
    {NULL, NULL},
};

const struct verb verb_image_import = {
    .name = "image import",
    .summary = "add an image to the store",
    .operands = "PATH",
    .description =
        "Unpacks an OCI image layout directory, an OCI archive or a docker archive into the "
        "store. Every digest is verified; the archive is read by a process that can reach "
        "nothing but the directory that it unpacks into.",
    .sections = import_sections,
    .options = import_options,
    .operands_min = 1,
    .operands_max = 1,
    .stop_after = -1,
    .complete = COMPLETE_FILE,
    .usage_exit = CLI_USAGE,
    .run = run_import,
};

const struct verb verb_image_list = {
    .name = "image list",
    .summary = "show the images of the store",
    .operands = "",
    .description = "Shows the images of the store: name, digest, size, age and program.",
    .options = list_options,
    .stop_after = -1,
    .usage_exit = CLI_USAGE,
    .run = run_list,
};

const struct verb verb_image_remove = {
    .name = "image remove",
    .summary = "remove images from the store",
    .operands = "REF...",
    .description =
        "Removes names of images, and each image whose last name is gone. An image that a "
        "deployed function uses is kept, unless forced.",
    .options = remove_options,
    .operands_min = 1,
    .operands_max = -1,
    .stop_after = -1,
    .complete = COMPLETE_IMAGE,
    .usage_exit = CLI_USAGE,
    .run = run_remove,
};
