/* SPDX-License-Identifier: Apache-2.0 */
/* `skerry run`: what its files share. */
#ifndef SKERRY_CLI_RUN_H
#define SKERRY_CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cli/state.h"
#include "cli/verb.h"
#include "jail/plan.h"
#include "jail/start.h"

/* Our own failures. A program may end with these numbers too: then no line "skerry: ..." is
 * printed. */
enum run_exit {
    RUN_USAGE = 123,
    RUN_TIMEOUT = 124,
    RUN_SETUP = 125,
    RUN_NOT_EXECUTABLE = 126,
    RUN_NOT_FOUND = 127,
};

enum run_outcome {
    RUN_EXITED,      /* the program ended by itself: exit_code is its status */
    RUN_SIGNALLED,   /* a signal ended it */
    RUN_OOM,         /* its memory limit ended it */
    RUN_TIMED_OUT,   /* --timeout passed */
    RUN_INTERRUPTED, /* we were told to stop (Ctrl-C, SIGTERM) */
    RUN_FAILED,      /* it never ran: exit_code says which of our own failures */
};

struct run_result {
    enum run_outcome outcome;
    int exit_code; /* what `skerry run` ends with */
    int signal;    /* RUN_SIGNALLED, RUN_INTERRUPTED */
    bool report_valid;
    struct exit_report report;
    uint64_t begun_ns; /* the command began */
    uint64_t ready_ns; /* the template stood */
    uint64_t sent_ns;  /* the start message was sent */
    struct err why;    /* what stderr is told; empty when there is nothing to tell */
};

/*
 * Makes the plan that the options ask for. temp_store receives the path of a private store that was
 * made for --closure and that the caller removes, or ""; *out_held a descriptor that keeps the
 * image while it is open, or -1: both also after a failure. 0, or -errno with a sentence; *out_code
 * is then one of our own failures.
 */
int run_plan(const struct settings *settings, bool rootless, struct jail_plan *out,
             char temp_store[STATE_PATH_MAX], int *out_held, int *out_code, struct err *err);

/* Removes the temporary stores of this user's runs that were killed. */
void run_sweep_stores(void);

/* Turns the report of a program that ran, or could not be started, into outcome, exit code and
 * words. */
void run_judge(struct run_result *result, const struct jail_plan *plan);

/* --stages on stderr. */
void run_print_stages(const struct run_result *result);

/* --status-file: one JSON object and a newline. 0 or -errno. */
int run_write_status(int fd, const struct run_result *result, const struct jail_plan *plan,
                     struct err *err);

#endif
