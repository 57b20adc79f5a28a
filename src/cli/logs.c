/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `skerry logs`: what a function's sandboxes wrote on stderr, as a stream of JSON lines from the
 * daemon. Each is printed as a line for people, or with --json as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/admin.h"
#include "cli/text.h"
#include "cli/verbs.h"

#define LINE_MAX_BYTES (1024u * 1024u)

struct lines {
    bool json;
    char *held; /* an unfinished line */
    size_t size, room;
};

/* Functions write what they like; a terminal must not obey it. */
static void print_text(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if ((byte < ' ' && byte != '\t') || byte == 127)
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
    putchar('\n');
}

static void print_line(struct lines *lines)
{
    json_t *json = json_loadb(lines->held, lines->size, 0, NULL);
    const char *text = admin_text(json, "text");
    const char *when = admin_text(json, "timestamp");
    if (lines->json || text == NULL) {
        fwrite(lines->held, 1, lines->size, stdout);
        putchar('\n');
    } else {
        if (when != NULL)
            printf("%.23s%s ", when, strlen(when) > 23 ? "Z" : "");
        print_text(text);
    }
    json_decref(json);
    lines->size = 0;
    fflush(stdout); /* who follows wants to see it now */
}

static int hold(struct lines *lines, const char *data, size_t size, struct err *err)
{
    if (lines->size + size > LINE_MAX_BYTES)
        return err_set(err, EFBIG, "a line of the log is longer than %u bytes", LINE_MAX_BYTES);
    if (lines->size + size > lines->room) {
        size_t room = (lines->size + size) * 2;
        char *grown = realloc(lines->held, room);
        if (grown == NULL)
            return err_set(err, ENOMEM, "keep a line of the log:");
        lines->held = grown;
        lines->room = room;
    }
    memcpy(lines->held + lines->size, data, size);
    lines->size += size;
    return 0;
}

static int take(void *arg, const struct client_response *head, const void *data, size_t size,
                struct err *err)
{
    struct lines *lines = arg;
    const char *at = data, *end = at + size;
    bool success = head->status >= 200 && head->status <= 299;
    while (at < end) {
        const char *newline = success ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        const char *until = newline != NULL ? newline : end;
        int result = hold(lines, at, (size_t)(until - at), err);
        if (result < 0)
            return result;
        if (newline != NULL && lines->size > 0)
            print_line(lines);
        at = newline != NULL ? newline + 1 : end;
    }
    return 0;
}

static int run_logs(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    char state[STATE_PATH_MAX], target[512];
    struct err err = {0};
    /* the checks of the names; the request has them in its query */
    if (state_dir(settings, state, &err) < 0 ||
        admin_target("", settings->operands[0], settings, target, sizeof(target), &err) < 0) {
        say_error(&err);
        return CLI_FAILED;
    }
    int used =
        snprintf(target, sizeof(target), "/system/logs?name=%s&namespace=%s&follow=%s",
                 settings->operands[0], settings->tenant != NULL ? settings->tenant : "default",
                 settings->follow ? "true" : "false");
    if (settings->given[OPT_TAIL])
        snprintf(target + used, sizeof(target) - (size_t)used, "&tail=%u", settings->tail);
    const struct client_request request = {
        .state = state, .socket = CLIENT_ADMIN, .method = "GET", .target = target, .body_fd = -1};
    struct client_response response;
    struct lines lines = {.json = settings->json};
    int result = client_call(&request, &response, take, &lines, &err);
    if (result == 0 && (response.status < 200 || response.status > 299))
        result = client_refused(response.status, lines.held, lines.size, &err);
    else if (result == 0 && lines.size > 0)
        print_line(&lines);
    free(lines.held);
    if (result == 0)
        return CLI_OK;
    say_error(&err);
    return CLI_FAILED;
}

static const unsigned char logs_options[] = {
    OPT_FOLLOW, OPT_TAIL, OPT_TENANT, OPT_STATE, OPT_JSON, OPT_HELP, OPT_COUNT,
};

const struct verb verb_logs = {
    .name = "logs",
    .summary = "show what a function wrote on stderr",
    .operands = "NAME",
    .description =
        "Prints what the function's sandboxes wrote on stderr and how each call ended, oldest "
        "first. Control characters are shown as \\xNN.",
    .options = logs_options,
    .operands_min = 1,
    .operands_max = 1,
    .stop_after = -1,
    .complete = COMPLETE_FUNCTION,
    .usage_exit = CLI_USAGE,
    .run = run_logs,
};
