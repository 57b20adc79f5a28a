/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `skerry invoke`: one request to a function over the daemon's Unix socket. stdin is the body,
 * stdout gets the answer's; what is no success goes to stderr and into the exit status.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/client.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "sandbox/function.h"

#define EXIT_CLIENT 4 /* the answer was 4xx */
#define EXIT_SERVER 5 /* the answer was 5xx */

struct output {
    bool failed_answer; /* the body is an explanation */
    char last;          /* last byte of it */
};

static int print_body(void *arg, const struct client_response *head, const void *data, size_t size,
                      struct err *err)
{
    struct output *output = arg;
    output->failed_answer = head->status < 200 || head->status > 299;
    output->last = ((const char *)data)[size - 1];
    int fd = output->failed_answer ? STDERR_FILENO : STDOUT_FILENO;
    int result = fd_write_all(fd, data, size);
    return result < 0 ? err_set(err, -result, "write the answer:") : 0;
}

/* A method is a token of capital letters, as the daemon's parser knows them. */
static bool method_valid(const char *method)
{
    return method[0] != '\0' && strlen(method) < 24 &&
           strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == strlen(method);
}

/* "/function/NAME.TENANT/PATH?QUERY"; "default" needs no suffix. */
static int make_target(const struct settings *settings, char *target, size_t room, struct err *err)
{
    const char *name = settings->operands[0];
    if (!function_name_valid(name))
        return err_set(err, EINVAL, "'%s' cannot be the name of a function", name);
    snprintf(target, room, "/function/%s", name);
    bool fits = true;
    if (settings->tenant != NULL && strcmp(settings->tenant, "default") != 0) {
        if (!function_name_valid(settings->tenant))
            return err_set(err, EINVAL, "'%s' cannot be the name of a tenant", settings->tenant);
        fits = client_escape(target, room, ".", "") &&
               client_escape(target, room, settings->tenant, "");
    }
    if (settings->path != NULL) {
        if (settings->path[0] != '/')
            fits = fits && client_escape(target, room, "/", "/");
        fits = fits && client_escape(target, room, settings->path, "/!$&'()*+,;=:@%");
    }
    if (settings->query != NULL) {
        size_t used = strlen(target);
        fits = fits && used + 1 < room;
        if (fits)
            memcpy(target + used, "?", 2);
        fits = fits && client_escape(target, room, settings->query, "/?!$&'()*+,;=:@%");
    }
    return fits ? 0 : err_set(err, E2BIG, "the path and the query are longer than %zu bytes", room);
}

static int make_request(const struct settings *settings, struct client_request *request,
                        char *target, size_t room, struct err *err)
{
    request->method = settings->method != NULL ? settings->method : "POST";
    if (!method_valid(request->method))
        return err_set(err, EINVAL, "--method %s: a method like GET or POST is wanted",
                       request->method);
    for (unsigned int i = 0; i < settings->headers.count; i++) {
        if (!client_header_valid(settings->headers.items[i]))
            return err_set(err, EINVAL, "--header %s: NAME:VALUE is wanted",
                           settings->headers.items[i]);
    }
    request->headers = &settings->headers;
    request->body_fd = STDIN_FILENO;
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
        request->body_fd = -1;
    return make_target(settings, target, room, err);
}

/* The answer's own text has been printed; this says what it was. */
static int judge(const struct settings *settings, const struct client_response *response,
                 const struct output *output)
{
    if (response->status >= 200 && response->status <= 299)
        return CLI_OK;
    if (output->failed_answer && output->last != '\n')
        fputc('\n', stderr);
    char call[96] = "";
    if (response->call_id[0] != '\0')
        snprintf(call, sizeof(call), " (call %s)", response->call_id);
    say("function %s answered %d%s", settings->operands[0], response->status, call);
    if (response->status == 404)
        say("'skerry list' shows the functions that are deployed");
    if (response->retry_after[0] != '\0')
        say("try again after %s s", response->retry_after);
    if (response->status >= 500)
        return EXIT_SERVER;
    return response->status >= 400 ? EXIT_CLIENT : CLI_FAILED;
}

static int run_invoke(const struct verb *verb, const struct settings *settings)
{
    char state[STATE_PATH_MAX], target[8192];
    struct err err = {0};
    struct client_request request = {.state = state, .socket = CLIENT_HTTP, .target = target};
    if (make_request(settings, &request, target, sizeof(target), &err) < 0) {
        say("%s: %s", verb->name, err.text);
        return CLI_USAGE;
    }
    if (state_dir(settings, state, &err) < 0) {
        say_error(&err);
        return CLI_FAILED;
    }
    if (request.body_fd >= 0 && isatty(request.body_fd))
        say("reading the body from the terminal; end it with Ctrl-D");
    struct client_response response;
    struct output output = {0};
    if (client_call(&request, &response, print_body, &output, &err) < 0) {
        say_error(&err);
        return CLI_FAILED;
    }
    return judge(settings, &response, &output);
}

static const unsigned char invoke_options[] = {
    OPT_METHOD, OPT_HEADER, OPT_PATH, OPT_QUERY, OPT_TENANT, OPT_STATE, OPT_HELP, OPT_COUNT,
};

static const struct verb_section invoke_sections[] = {
    {"Exit status", "0 for an answer of 2xx, 4 for 4xx, 5 for 5xx, 1 for any other answer and when "
                    "the daemon could "
                    "not be reached, 2 for a wrong command line."},
    {"Examples", "  echo 'some *text*' | skerry invoke markdown\n"
                 "  skerry invoke thumbnail < photo.png > thumbnail.png\n"
                 "  skerry invoke api -X GET --path /users/7 --query full=1 < /dev/null\n"},
    {NULL, NULL},
};

const struct verb verb_invoke = {
    .name = "invoke",
    .summary = "send a function a request",
    .operands = "NAME",
    .description =
        "Sends stdin to the function as the body of a request and prints the body of the "
        "answer, both as streams. What is no success is printed on stderr.",
    .sections = invoke_sections,
    .options = invoke_options,
    .operands_min = 1,
    .operands_max = 1,
    .stop_after = -1,
    .complete = COMPLETE_FUNCTION,
    .usage_exit = CLI_USAGE,
    .run = run_invoke,
};
