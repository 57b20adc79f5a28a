/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-oci: the OCI runtime. From the command line to one verb, and from its result to the exit
 * status: 0, the status of the container's program (run, exec), or 1 with one line on stderr and
 * in --log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/report.h"
#include "oci/spec.h"
#include "oci/verb.h"

static int choose_root(struct oci_call *call, struct err *err)
{
    char here[sizeof(call->root) / 2];
    const char *given = call->set.root;
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
    int length;
    if (given != NULL && given[0] == '/')
        length = snprintf(call->root, sizeof(call->root), "%s", given);
    else if (given != NULL && getcwd(here, sizeof(here)) != NULL)
        length = snprintf(call->root, sizeof(call->root), "%s/%s", here, given);
    else if (given != NULL)
        return err_set(err, errno, "find the current directory, for --root:");
    else if (geteuid() != 0 && runtime_dir != NULL && runtime_dir[0] == '/')
        length = snprintf(call->root, sizeof(call->root), "%s/skerry-oci", runtime_dir);
    else
        length = snprintf(call->root, sizeof(call->root), "/run/skerry-oci");
    if (length < 0 || (size_t)length >= sizeof(call->root))
        return err_set(err, ENAMETOOLONG, "--root %s:", given != NULL ? given : "");
    return 0;
}

static int check_globals(const struct oci_settings *set, struct err *err)
{
    const char *format = set->log_format;
    if (format != NULL && strcmp(format, "json") != 0 && strcmp(format, "text") != 0)
        return err_set(err, EINVAL, "--log-format %s: it is text or json", format);
    const char *rootless = set->rootless;
    if (rootless != NULL && strcmp(rootless, "true") != 0 && strcmp(rootless, "false") != 0 &&
        strcmp(rootless, "auto") != 0)
        return err_set(err, EINVAL, "--rootless %s: it is true, false or auto", rootless);
    return 0;
}

static int run_verb(const struct oci_verb *verb, struct oci_call *call, int argc, char **argv,
                    struct err *err)
{
    int end = 0;
    int result = oci_options_parse(verb->options, argc, argv, &end, !verb->stops, &call->set, err);
    if (result < 0)
        return result;
    if (call->set.help) {
        oci_help(verb);
        return 0;
    }
    call->argv = verb->stops ? argv + end : argv;
    call->argc = verb->stops ? argc - end : end;
    if (call->argc < verb->operands_min || call->argc > verb->operands_max)
        return err_set(err, EINVAL, "usage: skerry-oci %s [OPTIONS] %s", verb->name,
                       verb->operands);
    result = choose_root(call, err);
    return result < 0 ? result : verb->run(call, err);
}

static int run_program(struct oci_call *call, int argc, char **argv, struct err *err)
{
    int at = 1;
    int result = oci_options_parse(oci_global_options, argc, argv, &at, false, &call->set, err);
    if (result == 0)
        result = check_globals(&call->set, err);
    if (result < 0)
        return result;
    if (call->set.version) {
        puts("skerry-oci version " SKERRY_VERSION "\nspec: " OCI_VERSION_SUPPORTED);
        return 0;
    }
    if (call->set.help || at == argc || strcmp(argv[at], "help") == 0) {
        oci_help(at + 1 < argc ? oci_verb_find(argv[at + 1]) : NULL);
        return at == argc && !call->set.help ? 1 : 0;
    }
    const struct oci_verb *verb = oci_verb_find(argv[at]);
    if (verb == NULL)
        return err_set(err, EINVAL, "unknown verb %s (skerry-oci --help lists them)", argv[at]);
    return run_verb(verb, call, argc - at - 1, argv + at + 1, err);
}

int main(int argc, char **argv)
{
    struct oci_call call = {0};
    struct err err = {0};
    int result = run_program(&call, argc, argv, &err);
    if (fflush(stdout) != 0 && result >= 0)
        result = err_set(&err, errno, "write to stdout:");
    if (result >= 0)
        return result;
    oci_report(&call.set, "error", err.text);
    return 1;
}
