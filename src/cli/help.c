/* SPDX-License-Identifier: Apache-2.0 */
/* `skerry help`, `skerry VERB --help`: printed from the tables of verbs and options. */
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "cli/verbs.h"

static const char *const group_titles[GROUP_COUNT] = {
    [GROUP_WHAT] = "What runs",          [GROUP_LIMITS] = "Limits",
    [GROUP_CONFINEMENT] = "Confinement", [GROUP_HTTP] = "HTTP",
    [GROUP_OTHER] = "Other options",
};

static void print_option(const struct option *option, int width)
{
    char head[64];
    int used = option->letter != 0
                   ? snprintf(head, sizeof(head), "  -%c, --%s", option->letter, option->name)
                   : snprintf(head, sizeof(head), "      --%s", option->name);
    if (option->value != NULL)
        snprintf(head + used, sizeof(head) - (size_t)used, " %s", option->value);
    int column = printf("%s", head);
    if (column > 28) {
        putchar('\n');
        column = 0;
    }
    text_wrap(stdout, option->help, column, 30, width);
}

static void print_group(const struct verb *verb, enum option_group group, int width)
{
    bool any = false;
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        const struct option *option = option_get((enum option_id) * at);
        if (option->group != group)
            continue;
        if (!any)
            printf("\n%s:\n", group_titles[group]);
        any = true;
        print_option(option, width);
    }
}

static void print_program(int width)
{
    printf("usage: skerry VERB [OPTION...] [ARGUMENT...]\n\n");
    text_wrap(stdout,
              "Runs programs that you do not trust: each in a sandbox of its own, from the command "
              "line or behind HTTP.",
              0, 0, width);
    printf("\nVerbs:\n");
    for (const struct verb *const *at = verbs; *at != NULL; at++) {
        if (!(*at)->hidden)
            printf("  %-14s  %s\n", (*at)->name, (*at)->summary);
    }
    printf("\nType 'skerry VERB --help' for one of them, 'skerry doctor' for what this machine "
           "offers.\n");
}

void help_print(const struct verb *verb)
{
    int width = text_width(stdout);
    if (verb == NULL) {
        print_program(width);
        return;
    }
    printf("usage: skerry %s [OPTION...]%s%s\n\n", verb->name, verb->operands[0] ? " " : "",
           verb->operands);
    text_wrap(stdout, verb->description, 0, 0, width);
    for (enum option_group group = 0; group < GROUP_COUNT; group++)
        print_group(verb, group, width);
    for (const struct verb_section *section = verb->sections;
         section != NULL && section->title != NULL; section++) {
        printf("\n%s:\n", section->title);
        text_wrap(stdout, section->text, 0, 2, width);
    }
}

static int run_help(const struct verb *verb, const struct settings *settings)
{
    const struct verb *about = NULL;
    if (settings->operand_count > 0) {
        struct err err = {0};
        int words = 0;
        about = verb_find(settings->operand_count, settings->operands, &words, &err);
        if (about == NULL || words < settings->operand_count) {
            if (about != NULL)
                say("help: '%s' has no verbs below it", about->name);
            else
                say_error(&err);
            return verb->usage_exit;
        }
    }
    if (settings->mdoc && about != NULL)
        manpage_print(about);
    else
        help_print(about);
    return CLI_OK;
}

static const unsigned char help_options[] = {OPT_MDOC, OPT_HELP, OPT_COUNT};

const struct verb verb_help = {
    .name = "help",
    .summary = "show the verbs, or one of them",
    .operands = "[VERB]",
    .description = "Shows what skerry can do, or what one verb does and its options.",
    .options = help_options,
    .operands_max = 2,
    .stop_after = -1,
    .complete = COMPLETE_VERB,
    .usage_exit = CLI_USAGE,
    .run = run_help,
};

static int run_version(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    if (settings->json)
        printf("{\"version\": \"%s\"}\n", SKERRY_VERSION);
    else
        printf("skerry %s\n", SKERRY_VERSION);
    return CLI_OK;
}

static const unsigned char version_options[] = {OPT_JSON, OPT_HELP, OPT_COUNT};

const struct verb verb_version = {
    .name = "version",
    .summary = "print the version",
    .operands = "",
    .description = "Prints the version of skerry.",
    .options = version_options,
    .stop_after = -1,
    .usage_exit = CLI_USAGE,
    .run = run_version,
};
