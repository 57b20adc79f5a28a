/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `skerry serve`: becomes skerryd. Every argument is the daemon's. $SKERRY_STATE, which all other
 * verbs heed, is handed on as --state unless they have one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/state.h"
#include "cli/text.h"
#include "cli/verbs.h"

static bool names_state(const struct settings *settings)
{
    for (int i = 0; i < settings->operand_count; i++) {
        const char *word = settings->operands[i];
        if (strncmp(word, "--state", 7) == 0 && (word[7] == '=' || word[7] == '\0'))
            return true;
    }
    return false;
}

static int run_serve(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    char path[STATE_PATH_MAX];
    struct err err = {0};
    if (state_program("skerryd", "control", path, &err) < 0) {
        say_error(&err);
        return CLI_FAILED;
    }
    char **argv = calloc((size_t)settings->operand_count + 4, sizeof(*argv));
    if (argv == NULL) {
        say("out of memory");
        return CLI_FAILED;
    }
    static char name[] = "skerryd", state_option[] = "--state";
    char *state = getenv("SKERRY_STATE");
    size_t count = 0;
    argv[count++] = name;
    if (state != NULL && state[0] != '\0' && !names_state(settings)) {
        argv[count++] = state_option;
        argv[count++] = state;
    }
    memcpy(argv + count, settings->operands, (size_t)settings->operand_count * sizeof(*argv));
    execv(path, argv);
    say("execute %s: %s", path, strerror(errno));
    free(argv);
    return CLI_FAILED;
}

static const unsigned char serve_options[] = {OPT_COUNT};

const struct verb verb_serve = {
    .name = "serve",
    .summary = "run the daemon in the foreground",
    .operands = "[ARG...]",
    .description =
        "Becomes skerryd, the daemon that serves functions over HTTP, with the arguments given. "
        "See skerryd(8) or skerry serve --help for them.\n"
        "\n"
        "  skerry serve --listen 127.0.0.1:8080\n",
    .options = serve_options,
    .operands_max = -1,
    .stop_after = 0,
    .usage_exit = CLI_USAGE,
    .run = run_serve,
};
