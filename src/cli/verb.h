/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a verb of `skerry` is: its name, what it says of itself, and the options that it takes.
 *
 * There is one table of options (options.c) and one of verbs (verbs.c). Parsing, --help, the shell
 * completions and the manual pages all come from these two, so none can say what another denies.
 * An option means the same thing in every verb that has it.
 */
#ifndef SKERRY_CLI_VERB_H
#define SKERRY_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Exit statuses of every verb but `run` (run.h) and `invoke`, which adds 4 and 5. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1, /* the work failed; stderr says why */
    CLI_USAGE = 2,  /* the command line was wrong; nothing was done */
};

#define TEXT_LIST_MAX 128
struct text_list {
    unsigned int count;
    const char *items[TEXT_LIST_MAX];
};

/* One row of the option table; the order is that of --help. */
enum option_id {
    OPT_ROOTFS,
    OPT_IMAGE,
    OPT_EXEC,
    OPT_HOST_USR,
    OPT_CLOSURE,
    OPT_NAME,
    OPT_MEM,
    OPT_CPUS,
    OPT_PIDS,
    OPT_TIMEOUT,
    OPT_TMP,
    OPT_FILES,
    OPT_MAX_BODY,
    OPT_CONCURRENCY,
    OPT_QUEUE,
    OPT_TIER,
    OPT_NET,
    OPT_IPC,
    OPT_RENEW,
    OPT_WARM,
    OPT_PROC,
    OPT_USER,
    OPT_CWD,
    OPT_ENV,
    OPT_BIND,
    OPT_STRICT,
    OPT_TENANT,
    OPT_CGI,
    OPT_STREAM,
    OPT_LABEL,
    OPT_ANNOTATION,
    OPT_METHOD,
    OPT_HEADER,
    OPT_PATH,
    OPT_QUERY,
    OPT_FOLLOW,
    OPT_TAIL,
    OPT_FORCE,
    OPT_STATUS_FILE,
    OPT_STAGES,
    OPT_TRACE,
    OPT_STATE,
    OPT_JSON,
    OPT_MDOC,
    OPT_HELP,
    OPT_COUNT,
};

/* What the command line said. Texts point into argv. What was not said is 0, false or NULL. */
struct settings {
    bool given[OPT_COUNT];
    bool help, json, mdoc;
    bool host_usr, closure, strict, cgi, stream, follow, force, stages, trace;
    const char *rootfs, *image, *exec, *name;
    const char *tier, *net, *ipc, *renew, *warm, *proc, *user, *cwd;
    const char *tenant, *method, *path, *query;
    const char *status_file, *state;
    uint64_t mem, tmp, max_body, timeout_ns;
    uint32_t cpu_millis, pids, files, concurrency, queue, tail;
    struct text_list env, binds, labels, annotations, headers;
    int operand_count; /* what is no option */
    char **operands;   /* NULL-terminated */
    int rest_at; /* index of the first operand after "--"; operand_count when there was none */
};

enum option_kind {
    KIND_FLAG,     /* bool */
    KIND_TEXT,     /* const char * */
    KIND_WORD,     /* const char *, one of `words` */
    KIND_SIZE,     /* uint64_t, bytes */
    KIND_DURATION, /* uint64_t, ns */
    KIND_CPUS,     /* uint32_t, thousandths */
    KIND_COUNT,    /* uint32_t */
    KIND_LIST,     /* struct text_list, may be given again */
};

/* What may stand in a value's or operand's place, for the completions. */
enum complete_kind {
    COMPLETE_NONE = 0,
    COMPLETE_FILE,
    COMPLETE_DIR,
    COMPLETE_COMMAND,
    COMPLETE_FUNCTION,
    COMPLETE_IMAGE,
    COMPLETE_VERB,
    COMPLETE_SHELL,
};

enum option_group {
    GROUP_WHAT,
    GROUP_LIMITS,
    GROUP_CONFINEMENT,
    GROUP_HTTP,
    GROUP_OTHER,
    GROUP_COUNT,
};

struct option {
    const char *name;  /* without the dashes */
    char letter;       /* short form, or 0 */
    const char *value; /* how --help names its value; NULL for a flag */
    enum option_kind kind;
    enum option_group group;
    enum complete_kind complete;
    size_t offset;     /* of its field in struct settings */
    const char *words; /* KIND_WORD: the allowed ones, divided by spaces */
    const char *help;  /* sentences */
};

struct verb_section { /* a chapter of the manual page, after the options */
    const char *title;
    const char *text; /* paragraphs divided by an empty line; lines that begin with two spaces are
                         literal */
};

struct verb {
    const char *name;     /* "run", "image import" */
    const char *summary;  /* what it does, in a few words, without a full stop */
    const char *operands; /* "PROGRAM [ARG...]"; empty when there are none */
    const char *description;
    const struct verb_section *sections; /* ends with a NULL title; may be NULL */
    const unsigned char *options;        /* enum option_id, ends with OPT_COUNT */
    int operands_min;
    int operands_max; /* -1: any number */
    int stop_after; /* this many operands end the options: what follows is a program's; -1: none */
    enum complete_kind complete; /* of its operands */
    bool hidden;
    int usage_exit; /* status for a wrong command line */
    /* Runs it. Returns the exit status of the process; messages are already printed. */
    int (*run)(const struct verb *verb, const struct settings *settings);
};

/* The table, ending with NULL; its order is that of `skerry help`. */
extern const struct verb *const verbs[];

/* The option's row; id < OPT_COUNT. */
const struct option *option_get(enum option_id id);

/*
 * Parses argv[0..argc) (without the program's and the verb's words) by the verb's options. Operands
 * are moved to the front of argv, which out->operands then names; out is overwritten whole. 0, or
 * -EINVAL with a sentence.
 */
int options_parse(const struct verb *verb, int argc, char **argv, struct settings *out,
                  struct err *err);

/*
 * Finds the verb that argv begins with; *out_words is how many words its name took (1 or 2). NULL
 * and a sentence with a suggestion when there is none.
 */
const struct verb *verb_find(int argc, char *const *argv, int *out_words, struct err *err);

/* True when the verb takes the option. */
bool verb_has(const struct verb *verb, enum option_id id);

/* The edit distance (insert, delete, replace, swap of neighbours) of two short texts; 99 when long.
 */
unsigned int suggest_distance(const char *a, const char *b);

/* True when `candidate` is near enough to `text` to be what was meant, and nearer than *best. */
bool suggest_better(const char *text, const char *candidate, unsigned int *best);

#endif
