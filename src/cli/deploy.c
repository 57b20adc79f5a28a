/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `skerry deploy`: describes a function, makes its image when it is one program, hands the
 * description to the daemon and waits until its first sandboxes can be made, so that a mistake is
 * said here and not to the first request.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/admin.h"
#include "cli/program.h"
#include "cli/spec.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "control/spec_json.h"
#include "control/tier.h"
#include "image/store.h"

#define READY_WAIT_NS (30 * NS_PER_SEC)
#define POLL_NS       ((long)(20 * NS_PER_MS))

/* A machine that shows no directory has nothing but what the image holds. */
static int check_exec(const struct settings *settings, const struct function_spec *spec,
                      struct err *err)
{
    const struct tier_ops *tier = tier_find(spec->tier);
    char real[PATH_MAX];
    if (tier == NULL || !tier->needs_disk || realpath(settings->exec, real) == NULL)
        return 0; /* what is not there is told by who opens it */
    return program_stands_alone(real, err);
}

/* --exec: the program and its libraries become an image of the daemon's store, named after the
 * function. */
static int make_image(const struct settings *settings, const char *state,
                      struct function_spec *spec, struct err *err)
{
    char wanted[IMAGE_REF_MAX], rootfs[STATE_PATH_MAX];
    static struct image_meta meta;
    struct image_store *store = NULL;
    admin_exec_ref(spec->tenant, spec->name, wanted, sizeof(wanted));
    int result = check_exec(settings, spec, err);
    if (result == 0)
        result = image_store_open(state, 1, &store, err);
    if (result == 0)
        result = image_store_add_exec(store, settings->exec, wanted, spec->image, err);
    if (result == 0)
        result = image_store_lookup(store, spec->image, &meta, rootfs, sizeof(rootfs), err);
    image_store_close(store);
    if (result < 0 || settings->operand_count < 2)
        return result;
    result = spec_add_arg(meta.args.data, spec, err);
    return result == 0 ? spec_add_operands(settings, 1, spec, err) : result;
}

static int check_source(const struct settings *settings, struct err *err)
{
    int ways = (settings->exec != NULL) + (settings->image != NULL) + settings->host_usr;
    if (ways == 0)
        return err_set(err, EINVAL,
                       "what is to run? Say one of --exec FILE, --image REF or "
                       "--host-usr PROGRAM");
    if (ways > 1)
        return err_set(err, EINVAL, "--exec, --image and --host-usr exclude each other");
    if (settings->host_usr && settings->operand_count < 2)
        return err_set(err, EINVAL, "--host-usr needs the PROGRAM after the function's name");
    return 0;
}

static int describe(const struct settings *settings, struct function_spec *spec, struct err *err)
{
    int result = check_source(settings, err);
    if (result == 0)
        result = spec_of_settings(settings, spec, err);
    if (result < 0)
        return result;
    if (!function_name_valid(settings->operands[0]) || !function_name_valid(spec->tenant))
        return err_set(
            err, EINVAL,
            "%s '%s' is not allowed: lower-case letters, digits and '-', at most %d, a letter or "
            "digit first and last",
            function_name_valid(spec->tenant) ? "the name" : "the tenant",
            function_name_valid(spec->tenant) ? settings->operands[0] : spec->tenant,
            FUNCTION_NAME_MAX - 1);
    strcpy(spec->name, settings->operands[0]);
    if (settings->exec != NULL) /* checked with its image in place, before that is made */
        strcpy(spec->image, "exec");
    else if (settings->host_usr)
        result = program_on_usr(settings->operands[1], spec, err);
    if (result == 0 && settings->exec == NULL)
        result = spec_add_operands(settings, settings->host_usr ? 2 : 1, spec, err);
    return result == 0 ? function_check(spec, err) : result;
}

/* Stores the description, new or over an older one; *out_revision is what it became. */
static int send_spec(const char *state, const struct function_spec *spec, uint64_t *out_revision,
                     struct err *err)
{
    json_t *answer = NULL, *json = spec_to_json(spec);
    if (json == NULL)
        return err_set(err, EILSEQ,
                       "an argument, variable or label is not UTF-8, which JSON needs");
    int result = client_json(state, "PUT", "/system/functions?upsert=1", json, &answer, NULL, err);
    *out_revision = admin_number(answer, "revision");
    json_decref(answer);
    json_decref(json);
    return result;
}

/* 1 when the function stands, 0 to ask again, or -errno with the daemon's reason. */
static int judge_status(const json_t *function, uint64_t revision, struct err *err)
{
    const char *status = admin_text(function, "status"), *why = admin_text(function, "error");
    if (status == NULL || admin_number(function, "revision") < revision)
        return 0;
    if (strcmp(status, "failed") == 0)
        return err_set(err, EIO, "function %s was stored, but cannot run: %s",
                       admin_text(function, "name"), why != NULL ? why : "no reason was given");
    return strcmp(status, "ready") == 0;
}

/* Asks until the function is ready or has failed. 0, or -errno; *out is the daemon's object. */
static int wait_ready(const struct settings *settings, const char *state, uint64_t revision,
                      json_t **out, struct err *err)
{
    char target[256];
    uint64_t until = clock_now_ns() + READY_WAIT_NS;
    int result = admin_target("/system/function", settings->operands[0], settings, target,
                              sizeof(target), err);
    while (result == 0) {
        json_t *function = NULL;
        result = client_json(state, "GET", target, NULL, &function, NULL, err);
        if (result == 0)
            result = judge_status(function, revision, err);
        if (result == 1) {
            *out = function;
            return 0;
        }
        json_decref(function);
        if (result == 0 && clock_now_ns() >= until)
            result = err_set(err, ETIMEDOUT, "function %s was stored, but is not ready after 30 s",
                             settings->operands[0]);
        if (result == 0)
            nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
    return result;
}

static int deploy(const struct settings *settings, const char *state, struct function_spec *spec,
                  struct err *err)
{
    uint64_t revision = 0;
    json_t *function = NULL;
    int result = client_probe(state, err); /* before an image is made for nothing */
    if (result == 0 && settings->exec != NULL)
        result = make_image(settings, state, spec, err);
    if (result == 0)
        result = send_spec(state, spec, &revision, err);
    if (result == 0)
        result = wait_ready(settings, state, revision, &function, err);
    if (result < 0)
        return result;
    bool plain = strcmp(spec->tenant, "default") == 0;
    if (settings->json)
        admin_print_json(function);
    else
        printf("%s is ready (revision %llu): POST /function/%s%s%s\n", spec->name,
               (unsigned long long)revision, spec->name, plain ? "" : ".",
               plain ? "" : spec->tenant);
    json_decref(function);
    return 0;
}

static int run_deploy(const struct verb *verb, const struct settings *settings)
{
    static struct function_spec spec; /* 50 KiB */
    char state[STATE_PATH_MAX];
    struct err err = {0};
    if (describe(settings, &spec, &err) < 0) {
        say("%s: %s", verb->name, err.text);
        return CLI_USAGE;
    }
    if (state_dir(settings, state, &err) < 0 || deploy(settings, state, &spec, &err) < 0) {
        say_error(&err);
        return CLI_FAILED;
    }
    return CLI_OK;
}

static const unsigned char deploy_options[] = {
    OPT_EXEC, OPT_IMAGE, OPT_HOST_USR, OPT_MEM,         OPT_CPUS,  OPT_PIDS,       OPT_TIMEOUT,
    OPT_TMP,  OPT_FILES, OPT_MAX_BODY, OPT_CONCURRENCY, OPT_QUEUE, OPT_TIER,       OPT_NET,
    OPT_IPC,  OPT_RENEW, OPT_WARM,     OPT_PROC,        OPT_USER,  OPT_CWD,        OPT_ENV,
    OPT_BIND, OPT_CGI,   OPT_STREAM,   OPT_TENANT,      OPT_LABEL, OPT_ANNOTATION, OPT_STATE,
    OPT_JSON, OPT_HELP,  OPT_COUNT,
};

static const struct verb_section deploy_sections[] = {
    {"Examples",
     "One program of the machine, with its libraries and nothing else:\n"
     "  skerry deploy markdown --exec /usr/bin/cmark\n"
     "The same with arguments:\n"
     "  skerry deploy names --exec /usr/bin/jq -- -r '.[].name'\n"
     "A script, of yours or in the command:\n"
     "  skerry deploy report --host-usr ./report.py\n"
     "  skerry deploy rows --host-usr python3 -c 'import sys; print(len(list(sys.stdin)))'\n"
     "An image of the store:\n"
     "  skerry deploy api --image api:2 --mem 256M --timeout 30s\n"},
    {NULL, NULL},
};

const struct verb verb_deploy = {
    .name = "deploy",
    .summary = "make a program a function behind HTTP",
    .operands = "NAME [PROGRAM] [ARG...]",
    .description = "Deploys NAME: from now on a request to /function/NAME runs the program in a "
                   "fresh sandbox, with "
                   "the body of the request on its stdin and its stdout as the body of the answer. "
                   "A function that "
                   "has the name already is replaced; requests that it is serving end first.\n"
                   "\n"
                   "What runs is said by one of three options. With --exec, arguments after the "
                   "name follow the "
                   "program's. With --image, they replace the image's own command. With "
                   "--host-usr, they begin with "
                   "the PROGRAM, and one that lies outside of /usr is shown alone in /app. Put -- "
                   "before arguments that begin with a dash.",
    .sections = deploy_sections,
    .options = deploy_options,
    .operands_min = 1,
    .operands_max = -1,
    .stop_after = 2,
    .complete = COMPLETE_COMMAND,
    .usage_exit = CLI_USAGE,
    .run = run_deploy,
};
