/* SPDX-License-Identifier: Apache-2.0 */
/* `skerry`: finds the verb, parses its options, runs it. */
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "cli/verbs.h"

static int wrong_usage(const struct verb *verb, const struct err *err)
{
    if (verb == NULL) {
        say("%s\nType 'skerry help' for the verbs.", err->text);
        return CLI_USAGE;
    }
    say("%s: %s\nType 'skerry %s --help' for its options.", verb->name, err->text, verb->name);
    return verb->usage_exit;
}

/* Output that could not be written (a full disk) is a failure, not a success with less output. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    say("cannot write to stdout: what was printed is not complete");
    return status == CLI_OK ? CLI_FAILED : status;
}

int main(int argc, char **argv)
{
    static struct settings settings; /* too large for comfort on a stack */
    static char version_word[] = "version", help_word[] = "help";
    static char *version[] = {version_word, NULL}, *help[] = {help_word, NULL};
    if (argc > 0) {
        argc--;
        argv++;
    }
    if (argc > 0 && strcmp(argv[0], "--version") == 0)
        argv = version;
    if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        argv = help;
        argc = 1;
    }
    struct err err = {0};
    int words = 0;
    const struct verb *verb = verb_find(argc, argv, &words, &err);
    if (verb == NULL)
        return wrong_usage(NULL, &err);
    if (options_parse(verb, argc - words, argv + words, &settings, &err) < 0)
        return wrong_usage(verb, &err);
    if (settings.help) {
        help_print(verb);
        return finish(CLI_OK);
    }
    return finish(verb->run(verb, &settings));
}
