/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of every verb, and their parser: `--name value`, `--name=value`, `-x value`,
 * `-xvalue`, clusters of short flags, and `--` for the end. Long names are not abbreviated, so that
 * a new option never changes what an old script means.
 */
#include "cli/verb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#define AT(field) offsetof(struct settings, field)

static const struct option options[OPT_COUNT] = {
    [OPT_ROOTFS] = {"rootfs", 0, "DIR", KIND_TEXT, GROUP_WHAT, COMPLETE_DIR, AT(rootfs), NULL,
                    "Use this directory of the machine as the root file system, read-only."},
    [OPT_IMAGE] = {"image", 'i', "REF", KIND_TEXT, GROUP_WHAT, COMPLETE_IMAGE, AT(image), NULL,
                   "Use this image of the local store as the root file system, read-only, with its "
                   "environment, user and directory. See skerry image import."},
    [OPT_EXEC] = {"exec", 0, "FILE", KIND_TEXT, GROUP_WHAT, COMPLETE_FILE, AT(exec), NULL,
                  "Make an image of this ELF program of the machine, its loader and its libraries, "
                  "and nothing else. The file is read, never executed, to find them."},
    [OPT_HOST_USR] = {"host-usr", 0, NULL, KIND_FLAG, GROUP_WHAT, COMPLETE_NONE, AT(host_usr), NULL,
                      "Show the machine's /usr, read-only, as the root file system. It serves "
                      "scripts and interpreters as well as ELF programs."},
    [OPT_CLOSURE] = {"closure", 0, NULL, KIND_FLAG, GROUP_WHAT, COMPLETE_NONE, AT(closure), NULL,
                     "Show the program, its loader and its libraries, and nothing else of the "
                     "machine. The program must be an ELF file."},
    [OPT_NAME] = {"name", 'n', "REF", KIND_TEXT, GROUP_WHAT, COMPLETE_NONE, AT(name), NULL,
                  "The name to give to the image instead of the one in the archive."},

    [OPT_MEM] = {"mem", 'm', "SIZE", KIND_SIZE, GROUP_LIMITS, COMPLETE_NONE, AT(mem), NULL,
                 "Memory of all its processes together, /tmp included (default 128M)."},
    [OPT_CPUS] = {"cpus", 0, "N", KIND_CPUS, GROUP_LIMITS, COMPLETE_NONE, AT(cpu_millis), NULL,
                  "Processor time per time: 0.5 is half of one CPU (default none: what its "
                  "tenant's share of the machine's allows)."},
    [OPT_PIDS] = {"pids", 0, "N", KIND_COUNT, GROUP_LIMITS, COMPLETE_NONE, AT(pids), NULL,
                  "Processes and threads at once (default 64)."},
    [OPT_TIMEOUT] =
        {"timeout", 't', "TIME", KIND_DURATION, GROUP_LIMITS, COMPLETE_NONE, AT(timeout_ns), NULL,
         "Kill everything in the sandbox after this time, such as 10s, 250ms or 1m30s."},
    [OPT_TMP] = {"tmp", 0, "SIZE", KIND_SIZE, GROUP_LIMITS, COMPLETE_NONE, AT(tmp), NULL,
                 "Size of the private /tmp (default: half of the memory, at most 64M)."},
    [OPT_FILES] = {"files", 0, "N", KIND_COUNT, GROUP_LIMITS, COMPLETE_NONE, AT(files), NULL,
                   "Open files of one process (default 1024)."},
    [OPT_MAX_BODY] = {"max-body", 0, "SIZE", KIND_SIZE, GROUP_LIMITS, COMPLETE_NONE, AT(max_body),
                      NULL, "Largest request body; a larger one is answered 413 (default 16M)."},
    [OPT_CONCURRENCY] =
        {"concurrency", 0, "N", KIND_COUNT, GROUP_LIMITS, COMPLETE_NONE, AT(concurrency), NULL,
         "Sandboxes that may run at once (default 64). While a function computes and the "
         "processors are busy, few more than there are processors do."},
    [OPT_QUEUE] = {"queue", 0, "N", KIND_COUNT, GROUP_LIMITS, COMPLETE_NONE, AT(queue), NULL,
                   "Requests beyond the concurrency that may wait; one more is answered 429 "
                   "(default 256)."},

    [OPT_TIER] = {"tier", 0, "TIER", KIND_WORD, GROUP_CONFINEMENT, COMPLETE_NONE, AT(tier),
                  "jail vm",
                  "The kind of boundary: jail, a Linux sandbox; or vm, a virtual machine of its "
                  "own with a small kernel that offers Linux's system calls (needs /dev/kvm)."},
    [OPT_NET] = {"net", 0, "none|own", KIND_WORD, GROUP_CONFINEMENT, COMPLETE_NONE, AT(net),
                 "none own",
                 "own: a network of its own with a loopback device, made at the first socket "
                 "(default). none: no sockets but Unix ones between its own processes."},
    [OPT_IPC] = {"ipc", 0, "none|own", KIND_WORD, GROUP_CONFINEMENT, COMPLETE_NONE, AT(ipc),
                 "none own",
                 "none: System V IPC and POSIX message queues are refused (default). own: a "
                 "namespace of its own for them."},
    [OPT_RENEW] = {"renew", 0, "touched|all", KIND_WORD, GROUP_CONFINEMENT, COMPLETE_NONE,
                   AT(renew), "touched all",
                   "What is made anew for the next request. touched: namespaces that a program "
                   "left without a trace are kept (default). all: none is kept."},
    [OPT_WARM] = {"warm", 0, "auto|yes|no", KIND_WORD, GROUP_CONFINEMENT, COMPLETE_NONE, AT(warm),
                  "auto yes no",
                  "yes: the program is started once, up to its first read of its input, and each "
                  "request goes on from there in a fresh sandbox or machine. no: the program is "
                  "started for each request. auto: yes in the vm tier unless --cgi is given, else "
                  "no (default). A program that cannot be saved is started for each request; "
                  "'skerry describe' says why."},
    [OPT_PROC] = {"proc", 0, "pids|full", KIND_WORD, GROUP_CONFINEMENT, COMPLETE_NONE, AT(proc),
                  "pids full",
                  "pids: /proc shows its own processes and nothing else (default). full: the whole "
                  "of /proc, with the usual paths masked."},
    [OPT_USER] = {"user", 'u', "UID[:GID]", KIND_TEXT, GROUP_CONFINEMENT, COMPLETE_NONE, AT(user),
                  NULL,
                  "The user and group that the program sees itself as; on the machine it is an "
                  "unprivileged one either way (default: the image's, else 1000:1000)."},
    [OPT_CWD] = {"cwd", 0, "DIR", KIND_TEXT, GROUP_CONFINEMENT, COMPLETE_NONE, AT(cwd), NULL,
                 "The directory it starts in (default: the image's, else /)."},
    [OPT_ENV] = {"env", 'e', "K=V", KIND_LIST, GROUP_CONFINEMENT, COMPLETE_NONE, AT(env), NULL,
                 "A variable of its environment, which holds nothing of yours otherwise. May be "
                 "given again."},
    [OPT_BIND] = {"bind", 'b', "SRC:DST[:ro]", KIND_LIST, GROUP_CONFINEMENT, COMPLETE_FILE,
                  AT(binds), NULL,
                  "Show a file or directory of the machine at a path of the sandbox; with :ro, "
                  "read-only. May be given again, up to 8 times."},
    [OPT_STRICT] = {"strict", 0, NULL, KIND_FLAG, GROUP_CONFINEMENT, COMPLETE_NONE, AT(strict),
                    NULL, "Refuse to start when a limit cannot be enforced on this machine."},

    [OPT_TENANT] = {"tenant", 0, "NAME", KIND_TEXT, GROUP_OTHER, COMPLETE_NONE, AT(tenant), NULL,
                    "The tenant that the function belongs to (default: default). Two tenants share "
                    "no process, no memory and no uid."},
    [OPT_CGI] = {"cgi", 0, NULL, KIND_FLAG, GROUP_HTTP, COMPLETE_NONE, AT(cgi), NULL,
                 "Its output begins with a CGI header block (RFC 3875): Status, Content-Type, ..."},
    [OPT_STREAM] = {"stream", 0, NULL, KIND_FLAG, GROUP_HTTP, COMPLETE_NONE, AT(stream), NULL,
                    "Send the response from its first byte of output on. A failure after that "
                    "breaks the connection instead of giving an error status."},
    [OPT_LABEL] = {"label", 'l', "K=V", KIND_LIST, GROUP_OTHER, COMPLETE_NONE, AT(labels), NULL,
                   "A label, kept and shown. May be given again."},
    [OPT_ANNOTATION] = {"annotation", 0, "K=V", KIND_LIST, GROUP_OTHER, COMPLETE_NONE,
                        AT(annotations), NULL,
                        "An annotation, kept and shown. May be given again."},
    [OPT_METHOD] = {"method", 'X', "METHOD", KIND_TEXT, GROUP_HTTP, COMPLETE_NONE, AT(method), NULL,
                    "The method of the request (default POST)."},
    [OPT_HEADER] = {"header", 'H', "K:V", KIND_LIST, GROUP_HTTP, COMPLETE_NONE, AT(headers), NULL,
                    "A header of the request. May be given again."},
    [OPT_PATH] = {"path", 0, "PATH", KIND_TEXT, GROUP_HTTP, COMPLETE_NONE, AT(path), NULL,
                  "The path after the function's name (PATH_INFO)."},
    [OPT_QUERY] = {"query", 0, "QUERY", KIND_TEXT, GROUP_HTTP, COMPLETE_NONE, AT(query), NULL,
                   "The query, without the question mark (QUERY_STRING)."},
    [OPT_FOLLOW] = {"follow", 'f', NULL, KIND_FLAG, GROUP_OTHER, COMPLETE_NONE, AT(follow), NULL,
                    "Go on printing new lines until interrupted."},
    [OPT_TAIL] = {"tail", 0, "N", KIND_COUNT, GROUP_OTHER, COMPLETE_NONE, AT(tail), NULL,
                  "Begin with the last N lines (default: all that are kept)."},
    [OPT_FORCE] = {"force", 0, NULL, KIND_FLAG, GROUP_OTHER, COMPLETE_NONE, AT(force), NULL,
                   "Remove it even if a function uses it."},
    [OPT_STATUS_FILE] = {"status-file", 0, "FILE", KIND_TEXT, GROUP_OTHER, COMPLETE_FILE,
                         AT(status_file), NULL, "Write the exact outcome into this file, as JSON."},
    [OPT_STAGES] = {"stages", 0, NULL, KIND_FLAG, GROUP_OTHER, COMPLETE_NONE, AT(stages), NULL,
                    "Print how long each stage of the start took, in microseconds, on stderr."},
    [OPT_TRACE] = {"trace", 0, NULL, KIND_FLAG, GROUP_OTHER, COMPLETE_NONE, AT(trace), NULL,
                   "Print the system calls of the program on stderr (vm tier)."},
    [OPT_STATE] = {"state", 0, "DIR", KIND_TEXT, GROUP_OTHER, COMPLETE_DIR, AT(state), NULL,
                   "The state directory of the daemon and the image store (default: $SKERRY_STATE, "
                   "else /var/lib/skerry for root and ~/.local/state/skerry for others)."},
    [OPT_JSON] = {"json", 0, NULL, KIND_FLAG, GROUP_OTHER, COMPLETE_NONE, AT(json), NULL,
                  "Print JSON."},
    [OPT_MDOC] = {"mdoc", 0, NULL, KIND_FLAG, GROUP_OTHER, COMPLETE_NONE, AT(mdoc), NULL,
                  "Print the verb's manual page in mdoc."},
    [OPT_HELP] = {"help", 'h', NULL, KIND_FLAG, GROUP_OTHER, COMPLETE_NONE, AT(help), NULL,
                  "Print this and exit."},
};

const struct option *option_get(enum option_id id)
{
    return &options[id];
}

bool verb_has(const struct verb *verb, enum option_id id)
{
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        if (*at == id)
            return true;
    }
    return false;
}

static enum option_id find_long(const struct verb *verb, const char *name, size_t length)
{
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        const char *candidate = options[*at].name;
        if (strlen(candidate) == length && memcmp(candidate, name, length) == 0)
            return (enum option_id) * at;
    }
    return OPT_COUNT;
}

static enum option_id find_letter(const struct verb *verb, char letter)
{
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        if (options[*at].letter == letter)
            return (enum option_id) * at;
    }
    return OPT_COUNT;
}

static int unknown_long(const struct verb *verb, const char *name, size_t length, struct err *err)
{
    char typed[64];
    snprintf(typed, sizeof(typed), "%.*s", (int)length, name);
    const char *meant = NULL;
    unsigned int best = 99;
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        if (suggest_better(typed, options[*at].name, &best))
            meant = options[*at].name;
    }
    if (meant != NULL)
        return err_set(err, EINVAL, "unknown option --%s (did you mean --%s?)", typed, meant);
    return err_set(err, EINVAL, "unknown option --%s", typed);
}

static bool word_allowed(const char *words, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = words; *at != '\0';) {
        size_t size = strcspn(at, " ");
        if (size == length && memcmp(at, value, size) == 0)
            return true;
        at += size + (at[size] == ' ');
    }
    return false;
}

static int bad_value(const struct option *option, const char *value, int code, const char *allowed,
                     struct err *err)
{
    return err_set(err, EINVAL, "--%s %s: %s; %s", option->name, value,
                   code == -ERANGE ? "out of range" : "not understood", allowed);
}

static int count_parse(const char *value, uint32_t *out)
{
    if (*value == '\0' || strspn(value, "0123456789") != strlen(value))
        return -EINVAL;
    errno = 0;
    unsigned long number = strtoul(value, NULL, 10);
    if (errno != 0 || number > UINT32_MAX)
        return -ERANGE;
    *out = (uint32_t)number;
    return 0;
}

/* Numbers of 0 are refused: in the specification 0 stands for "the default". */
static int set_number(const struct option *option, const char *value, void *field, struct err *err)
{
    int result = 0;
    uint64_t wide = 1;
    uint32_t narrow = 1;
    const char *allowed = "a number like 64 is wanted";
    if (option->kind == KIND_SIZE) {
        allowed = "a size like 128M or 1.5G is wanted";
        result = size_parse(value, &wide);
    } else if (option->kind == KIND_DURATION) {
        allowed = "a time like 10s, 250ms or 1m30s is wanted";
        result = duration_parse(value, &wide);
    } else if (option->kind == KIND_CPUS) {
        allowed = "a number of CPUs like 0.5 or 2, or none, is wanted";
        result = cpus_parse(value, &narrow);
    } else {
        result = count_parse(value, &narrow);
    }
    if (result == 0 && (wide == 0 || (narrow == 0 && option->kind != KIND_CPUS)))
        result = -ERANGE;
    if (result < 0)
        return bad_value(option, value, result, allowed, err);
    if (option->kind == KIND_SIZE || option->kind == KIND_DURATION)
        *(uint64_t *)field = wide;
    else
        *(uint32_t *)field = narrow;
    return 0;
}

static void set_flag(enum option_id id, struct settings *out)
{
    out->given[id] = true;
    *(bool *)((char *)out + options[id].offset) = true;
}

static int set_value(enum option_id id, const char *value, struct settings *out, struct err *err)
{
    const struct option *option = &options[id];
    void *field = (char *)out + option->offset;
    bool again = out->given[id];
    out->given[id] = true;
    switch (option->kind) {
    case KIND_LIST: {
        struct text_list *list = field;
        if (list->count == TEXT_LIST_MAX)
            return err_set(err, EINVAL, "--%s was given more than %d times", option->name,
                           TEXT_LIST_MAX);
        list->items[list->count++] = value;
        return 0;
    }
    case KIND_TEXT:
    case KIND_WORD:
        if (again)
            return err_set(err, EINVAL, "--%s was given twice", option->name);
        if (option->kind == KIND_WORD && !word_allowed(option->words, value)) {
            char allowed[64];
            snprintf(allowed, sizeof(allowed), "allowed: %s", option->words);
            return bad_value(option, value, -EINVAL, allowed, err);
        }
        if (*value == '\0')
            return err_set(err, EINVAL, "--%s: its value is empty", option->name);
        *(const char **)field = value;
        return 0;
    default:
        if (again)
            return err_set(err, EINVAL, "--%s was given twice", option->name);
        return set_number(option, value, field, err);
    }
}

/* argv[*at] begins with "--" and a letter. */
static int parse_long(const struct verb *verb, int argc, char **argv, int *at, struct settings *out,
                      struct err *err)
{
    const char *name = argv[*at] + 2;
    size_t length = strcspn(name, "=");
    enum option_id id = find_long(verb, name, length);
    if (id == OPT_COUNT)
        return unknown_long(verb, name, length, err);
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (options[id].kind == KIND_FLAG) {
        if (value != NULL)
            return err_set(err, EINVAL, "--%s takes no value", options[id].name);
        set_flag(id, out);
        return 0;
    }
    if (value == NULL) {
        if (*at + 1 >= argc)
            return err_set(err, EINVAL, "--%s needs a value: %s", options[id].name,
                           options[id].value);
        value = argv[++*at];
    }
    return set_value(id, value, out, err);
}

/* argv[*at] begins with one dash: flags in a row, the last may take a value. */
static int parse_short(const struct verb *verb, int argc, char **argv, int *at,
                       struct settings *out, struct err *err)
{
    for (const char *letter = argv[*at] + 1; *letter != '\0'; letter++) {
        enum option_id id = find_letter(verb, *letter);
        if (id == OPT_COUNT)
            return err_set(err, EINVAL, "unknown option -%c", *letter);
        if (options[id].kind == KIND_FLAG) {
            set_flag(id, out);
            continue;
        }
        const char *value = letter + 1;
        if (*value == '\0') {
            if (*at + 1 >= argc)
                return err_set(err, EINVAL, "-%c needs a value: %s", *letter, options[id].value);
            value = argv[++*at];
        }
        return set_value(id, value, out, err);
    }
    return 0;
}

static int check_operands(const struct verb *verb, const struct settings *out, struct err *err)
{
    if (out->help)
        return 0;
    if (out->operand_count < verb->operands_min)
        return err_set(err, EINVAL, "something is missing: %s", verb->operands);
    if (verb->operands_max >= 0 && out->operand_count > verb->operands_max)
        return err_set(err, EINVAL, "'%s' is too much%s%s", out->operands[verb->operands_max],
                       verb->operands_max > 0 ? "; wanted: " : "", verb->operands);
    return 0;
}

int options_parse(const struct verb *verb, int argc, char **argv, struct settings *out,
                  struct err *err)
{
    memset(out, 0, sizeof(*out));
    out->operands = argv;
    out->rest_at = -1;
    for (int at = 0; at < argc; at++) {
        char *word = argv[at];
        bool ended =
            out->rest_at >= 0 || (verb->stop_after >= 0 && out->operand_count >= verb->stop_after);
        if (!ended && strcmp(word, "--") == 0) {
            out->rest_at = out->operand_count;
            continue;
        }
        if (ended || word[0] != '-' || word[1] == '\0') {
            argv[out->operand_count++] = word;
            continue;
        }
        int result = word[1] == '-' ? parse_long(verb, argc, argv, &at, out, err)
                                    : parse_short(verb, argc, argv, &at, out, err);
        if (result < 0)
            return result;
    }
    if (out->rest_at < 0)
        out->rest_at = out->operand_count;
    argv[out->operand_count] = NULL;
    return check_operands(verb, out, err);
}
