/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Copies an option's text when it was given and fits. */
static int put_text(char *field, size_t room, const char *option, const char *text, struct err *err)
{
    if (text == NULL)
        return 0;
    if (strlen(text) >= room)
        return err_set(err, ENAMETOOLONG, "--%s is longer than %zu bytes", option, room - 1);
    strcpy(field, text);
    return 0;
}

static void put_limits(const struct settings *settings, struct function_limits *limits)
{
    *limits = (struct function_limits){
        .mem_bytes = settings->mem,
        .tmp_bytes = settings->tmp,
        .timeout_ns = settings->timeout_ns,
        .max_body_bytes = settings->max_body,
        .cpu_millis = settings->cpu_millis,
        .pids_max = settings->pids,
        .concurrency_max = settings->concurrency,
        .queue_max = settings->queue,
        .files_max = settings->files,
    };
    function_limits_fill(limits);
}

static bool is_word(const char *value, const char *word)
{
    return value != NULL && strcmp(value, word) == 0;
}

static void put_words(const struct settings *settings, struct function_spec *out)
{
    out->flags = (settings->cgi ? (uint32_t)FUNCTION_CGI : 0) |
                 (settings->stream ? (uint32_t)FUNCTION_STREAM : 0) |
                 (settings->host_usr ? (uint32_t)FUNCTION_HOST_USR : 0) |
                 (is_word(settings->ipc, "own") ? (uint32_t)FUNCTION_OWN_IPC : 0) |
                 (is_word(settings->renew, "all") ? (uint32_t)FUNCTION_RENEW_ALL : 0) |
                 (is_word(settings->warm, "yes") ? (uint32_t)FUNCTION_WARM : 0) |
                 (is_word(settings->warm, "no") ? (uint32_t)FUNCTION_NOT_WARM : 0);
    out->net = is_word(settings->net, "none") ? FUNCTION_NET_NONE : FUNCTION_NET_OWN;
    out->proc = is_word(settings->proc, "full") ? FUNCTION_PROC_FULL : FUNCTION_PROC_PIDS;
}

/* True when a "K=V" of list before `at` has the same K. */
static bool repeated(const struct text_list *list, unsigned int at)
{
    size_t key = strcspn(list->items[at], "=");
    for (unsigned int i = 0; i < at; i++) {
        if (strncmp(list->items[i], list->items[at], key) == 0 && list->items[i][key] == '=')
            return true;
    }
    return false;
}

static int check_pair(const struct text_list *list, unsigned int at, const char *option,
                      struct err *err)
{
    const char *pair = list->items[at];
    if (pair[0] == '=' || strchr(pair, '=') == NULL)
        return err_set(err, EINVAL, "--%s %.100s: NAME=VALUE is wanted", option, pair);
    if (repeated(list, at))
        return err_set(err, EINVAL, "--%s gives %.*s twice", option, (int)strcspn(pair, "="), pair);
    return 0;
}

/* The fields of a string block, whatever its room. */
struct block {
    uint32_t *count, *bytes;
    char *data;
    size_t room;
};
#define BLOCK(field)                                                                               \
    ((struct block){&(field).count, &(field).bytes, (field).data, sizeof((field).data)})

static int put_pairs(const struct text_list *list, const char *option, struct block block,
                     struct err *err)
{
    for (unsigned int i = 0; i < list->count; i++) {
        int result = check_pair(list, i, option, err);
        if (result < 0)
            return result;
        if (strblock_add(block.count, block.bytes, block.data, block.room, list->items[i]) < 0)
            return err_set(err, E2BIG, "all --%s together are larger than %zu bytes", option,
                           block.room);
    }
    return 0;
}

int spec_add_arg(const char *text, struct function_spec *out, struct err *err)
{
    if (STRBLOCK_ADD(&out->args, text) < 0)
        return err_set(err, E2BIG, "the arguments are larger than %zu bytes",
                       sizeof(out->args.data));
    return 0;
}

int spec_add_operands(const struct settings *settings, int first, struct function_spec *out,
                      struct err *err)
{
    for (int i = first; i < settings->operand_count; i++) {
        int result = spec_add_arg(settings->operands[i], out, err);
        if (result < 0)
            return result;
    }
    return 0;
}

int spec_of_settings(const struct settings *settings, struct function_spec *out, struct err *err)
{
    function_init(out);
    put_limits(settings, &out->limits);
    put_words(settings, out);
    int result = put_text(out->tier, sizeof(out->tier), "tier", settings->tier, err);
    if (result == 0)
        result = put_text(out->tenant, sizeof(out->tenant), "tenant", settings->tenant, err);
    if (result == 0)
        result = put_text(out->user, sizeof(out->user), "user", settings->user, err);
    if (result == 0)
        result = put_text(out->cwd, sizeof(out->cwd), "cwd", settings->cwd, err);
    if (result == 0)
        result = put_text(out->image, sizeof(out->image), "image", settings->image, err);
    if (result == 0)
        result = binds_parse(&settings->binds, out->binds, &out->bind_count, err);
    if (result == 0)
        result = put_pairs(&settings->env, "env", BLOCK(out->env), err);
    if (result == 0)
        result = put_pairs(&settings->labels, "label", BLOCK(out->labels), err);
    if (result == 0)
        result = put_pairs(&settings->annotations, "annotation", BLOCK(out->annotations), err);
    return result;
}
