/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a run: as an exit status, in words, as stages, as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "cli/run.h"
#include "cli/text.h"
#include "control/tier.h"

static const char *const outcome_names[] = {
    [RUN_EXITED] = "exited",     [RUN_SIGNALLED] = "signalled",     [RUN_OOM] = "out-of-memory",
    [RUN_TIMED_OUT] = "timeout", [RUN_INTERRUPTED] = "interrupted", [RUN_FAILED] = "failed",
};

static void judge_exec(struct run_result *result, const struct jail_plan *plan)
{
    int code = result->report.exec_errno;
    const char *program = tier_program(plan);
    result->outcome = RUN_FAILED;
    if (result->report.call_id == 0) { /* it never came as far as the program */
        result->exit_code = RUN_SETUP;
        err_set(&result->why, code, "furnish the sandbox:");
    } else if (code == ENOENT || code == ENOTDIR) {
        result->exit_code = RUN_NOT_FOUND;
        err_set(&result->why, code, "%s was not found in the sandbox%s", program,
                plan->host_usr ? "; it sees the machine's /usr, not its other directories: show it "
                                 "more with --bind"
                               : " (or the interpreter that it names is not there)");
    } else {
        result->exit_code = RUN_NOT_EXECUTABLE;
        err_set(&result->why, code, "%s cannot be executed: %s%s", program, strerror(code),
                code == EACCES ? "; the sandbox's user must be allowed to read and execute it"
                               : "");
    }
}

static void judge_exit(struct run_result *result, const struct jail_plan *plan)
{
    int status = result->report.wait_status;
    char text[32];
    if (WIFEXITED(status)) {
        result->outcome = RUN_EXITED;
        result->exit_code = WEXITSTATUS(status);
    } else {
        result->outcome = RUN_SIGNALLED;
        result->signal = WTERMSIG(status);
        result->exit_code = 128 + result->signal;
    }
    /* A program whose child was killed for memory and that went on to end well has succeeded. */
    if ((result->report.flags & REPORT_OOM) == 0 || result->exit_code == 0) {
        if (result->outcome == RUN_SIGNALLED && result->signal != SIGPIPE)
            err_set(&result->why, EINTR, "%s was ended by signal %d (%s)", tier_program(plan),
                    result->signal, strsignal(result->signal));
        return;
    }
    result->outcome = RUN_OOM;
    err_set(&result->why, ENOMEM,
            "%s ran out of memory: the kernel killed for the limit of %s; raise it with --mem",
            tier_program(plan), text_size(plan->limits.mem_bytes, text, sizeof(text)));
}

void run_judge(struct run_result *result, const struct jail_plan *plan)
{
    switch (result->report.kind) {
    case REPORT_EXIT:
        judge_exit(result, plan);
        break;
    case REPORT_EXEC_FAILED:
        judge_exec(result, plan);
        break;
    default:
        result->outcome = RUN_FAILED;
        result->exit_code = RUN_SETUP;
        err_set(&result->why, EPROTO, "the sandbox was lost before the program ran");
    }
}

struct span {
    const char *name;
    uint64_t from_ns, to_ns;
    const char *means;
};

/* The steps in the order in which they happen; without a pool all of them lie before the program.
 */
static size_t spans_of(const struct run_result *result, struct span spans[8])
{
    const struct exit_report *report = &result->report;
    size_t count = 0;
    spans[count++] = (struct span){"template", result->begun_ns, result->ready_ns,
                                   "root file system, filter, zygote"};
    if (!result->report_valid || report->exec_ns == 0)
        return result->ready_ns != 0 ? count : 0;
    spans[count++] =
        (struct span){"cloned", report->clone_ns, report->cloned_ns, "the sandbox's first process"};
    spans[count++] =
        (struct span){"furnished", report->cloned_ns, report->furnished_ns, "/proc, user, filter"};
    uint64_t waited =
        result->sent_ns > report->furnished_ns ? result->sent_ns : report->furnished_ns;
    spans[count++] = (struct span){"taken", waited, report->taken_ns, "start message received"};
    spans[count++] = (struct span){"exec", report->taken_ns, report->exec_ns, "up to execve"};
    spans[count++] = (struct span){"exit", report->exec_ns, report->exit_ns, "the program itself"};
    return count;
}

static double span_us(const struct span *span)
{
    return span->to_ns > span->from_ns ? (double)(span->to_ns - span->from_ns) / 1e3 : 0;
}

void run_print_stages(const struct run_result *result)
{
    struct span spans[8];
    size_t count = spans_of(result, spans);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%-10s %10.1f us  %s\n", spans[i].name, span_us(&spans[i]), spans[i].means);
}

static json_t *report_json(const struct exit_report *report)
{
    return json_pack("{s:I, s:I, s:I, s:b}", "user_us", (json_int_t)report->user_us, "system_us",
                     (json_int_t)report->system_us, "maxrss_kib", (json_int_t)report->maxrss_kib,
                     "network_used", (report->flags & REPORT_NET) != 0);
}

/* "SEGV", or the number for a real-time signal. */
static json_t *signal_json(int number)
{
    const char *name = sigabbrev_np(number);
    return name != NULL ? json_string(name) : json_sprintf("%d", number);
}

int run_write_status(int fd, const struct run_result *result, const struct jail_plan *plan,
                     struct err *err)
{
    json_t *json = json_pack("{s:s, s:i}", "outcome", outcome_names[result->outcome], "exit_code",
                             result->exit_code);
    if (plan->args.count > 0)
        json_object_set_new(json, "program", json_string(tier_program(plan)));
    if (result->outcome == RUN_EXITED)
        json_object_set_new(json, "status", json_integer(result->exit_code));
    if (result->signal != 0)
        json_object_set_new(json, "signal", signal_json(result->signal));
    if (result->why.text[0] != '\0')
        json_object_set_new(json, "message", json_string(result->why.text));
    if (result->report_valid)
        json_object_set_new(json, "usage", report_json(&result->report));
    struct span spans[8];
    size_t count = spans_of(result, spans);
    json_t *stages = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(stages, spans[i].name, json_real(span_us(&spans[i])));
    json_object_set_new(json, "stages_us", stages);
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(json);
    if (text == NULL)
        return err_set(err, ENOMEM, "write the status as JSON:");
    int written = fd_write_all(fd, text, strlen(text));
    if (written == 0)
        written = fd_write_all(fd, "\n", 1);
    free(text);
    return written < 0 ? err_set(err, -written, "write the --status-file:") : 0;
}
