/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `skerry run`: one program, one sandbox, no daemon.
 *
 * The same template and start message as behind the daemon, with one slot. stdin, stdout and stderr
 * go to the program as they are; nothing is copied. This process then waits for one of four things:
 * the exit report, the death of the zygote, the deadline, a signal to stop. Whatever it is, closing
 * the template kills what is left and removes its cgroups before we exit.
 */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "control/tier.h"
#include "jail/template.h"

#define CALL_ID 1u
#define EPOCH   1u
#define KILL_WAIT_NS                                                                               \
    (5 * NS_PER_SEC) /* for the report of what was killed; closing kills anyway                    \
                      */
#define BUILD_WAIT_NS (30 * NS_PER_SEC)

struct run {
    const struct settings *settings;
    struct jail_host *host;
    struct jail_template *template;
    struct jail_plan *plan;
    struct run_result result;
    int signal_pipe; /* end to read: the numbers of the signals that came */
    int status_fd;   /* --status-file, or -1 */
    int held;        /* keeps the image in the store, or -1 */
    char temp_store[STATE_PATH_MAX];
};

static int signal_write_end = -1;

static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    ssize_t ignored = write(signal_write_end, &byte, 1);
    (void)ignored;
    errno = saved;
}

static void on_broken_pipe(int number)
{
    (void)number;
}

/*
 * Handlers and not ignored or blocked signals: those two would be inherited through exec by the
 * program. A signal that we were started with as ignored (nohup) stays so.
 */
static int catch_signals(int *out_read_end, struct err *err)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_set(err, errno, "make a pipe for signals:");
    *out_read_end = ends[0];
    signal_write_end = ends[1];
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            continue;
        memset(&action, 0, sizeof(action));
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        sigaction(numbers[i], &action, NULL);
    }
    struct sigaction broken = {.sa_handler = on_broken_pipe, .sa_flags = SA_RESTART};
    return sigaction(SIGPIPE, &broken, NULL) < 0 ? err_set(err, errno, "catch SIGPIPE:") : 0;
}

/*
 * What the program gets as 0, 1 and 2. A closed one becomes /dev/null. A directory or an O_PATH
 * descriptor is refused: it would be a way around the root file system.
 */
static int check_stdio(struct err *err)
{
    for (int fd = 0; fd < 3; fd++) {
        struct stat status;
        if (fcntl(fd, F_GETFD) < 0) {
            int null = open("/dev/null", O_RDWR);
            if (null != fd) /* the lowest free number is ours */
                return err_set(err, errno, "open /dev/null as descriptor %d:", fd);
            continue;
        }
        int flags = fcntl(fd, F_GETFL);
        if (fstat(fd, &status) < 0)
            return err_set(err, errno, "look at descriptor %d:", fd);
        if (S_ISDIR(status.st_mode) || (flags & O_PATH) != 0)
            return err_set(err, EISDIR,
                           "descriptor %d is a directory: it would show the machine's files to the "
                           "program; redirect it from a file or a pipe",
                           fd);
    }
    return 0;
}

static bool interrupted(struct run *run)
{
    unsigned char number;
    if (read(run->signal_pipe, &number, 1) != 1)
        return false;
    run->result.outcome = RUN_INTERRUPTED;
    run->result.signal = number;
    run->result.exit_code = 128 + number;
    return true;
}

/* Libraries use their struct err as scratch: only the one that goes with a failure is kept. */
static int failed(struct run *run, int exit_code, const struct err *why)
{
    run->result.outcome = RUN_FAILED;
    run->result.exit_code = exit_code;
    run->result.why = *why;
    return -1;
}

/* The zygote looks the program up when it builds the template, and begins that message with the
 * word. */
static bool program_missing(const struct jail_event *event)
{
    return event->kind == JAIL_EVENT_FAILED && event->why.code == ENOENT &&
           strncmp(event->why.text, "program ", 8) == 0;
}

/* Handles the template's events. *ready tells whether it stands. 0, or -1 with the result filled.
 */
static int drain_events(struct run *run, bool *ready)
{
    for (;;) {
        struct jail_event event = {0};
        struct err err;
        if (jail_template_next(run->template, &event, &err) < 0)
            return failed(run, RUN_SETUP, &err);
        if (event.kind == JAIL_EVENT_NONE)
            return 0;
        if (event.kind == JAIL_EVENT_READY)
            *ready = true;
        if (event.kind == JAIL_EVENT_FAILED || event.kind == JAIL_EVENT_GONE) {
            if (event.why.text[0] == '\0')
                err_set(&event.why, ECHILD, "the sandbox's zygote died");
            return failed(run, program_missing(&event) ? RUN_NOT_FOUND : RUN_SETUP, &event.why);
        }
    }
}

/* Waits for what `wanted` and for the signals. Returns poll's result; 0 when until_ns has come. */
static int wait_for(struct run *run, struct pollfd *polls, nfds_t count, uint64_t until_ns)
{
    polls[0] = (struct pollfd){.fd = run->signal_pipe, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = jail_template_fd(run->template), .events = POLLIN};
    int timeout_ms = -1;
    if (until_ns != 0) {
        uint64_t now = clock_now_ns();
        uint64_t left = until_ns > now ? until_ns - now : 0;
        uint64_t left_ms = (left + NS_PER_MS - 1) / NS_PER_MS;
        timeout_ms = left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
    }
    int result = poll(polls, count, timeout_ms);
    return result < 0 && errno == EINTR ? 1 : result;
}

/* Says, or with --strict refuses, what cannot be limited here. */
static int check_limits(struct run *run)
{
    const char *missing = jail_host_limits_missing(run->host);
    struct err err;
    if (missing[0] == '\0')
        return 0;
    if (run->settings->strict) {
        err_set(&err, ENOTSUP, "%s; refused because of --strict", missing);
        return failed(run, RUN_SETUP, &err);
    }
    say("%s", missing);
    return 0;
}

static int await_ready(struct run *run)
{
    bool ready = false;
    uint64_t until = clock_now_ns() + BUILD_WAIT_NS;
    while (!ready) {
        struct pollfd polls[2];
        int result = wait_for(run, polls, 2, until);
        if (interrupted(run))
            return -1;
        if (result == 0) {
            struct err err;
            err_set(&err, ETIMEDOUT, "the sandbox was not ready after 30 s");
            return failed(run, RUN_SETUP, &err);
        }
        if (drain_events(run, &ready) < 0)
            return -1;
    }
    run->result.ready_ns = clock_now_ns();
    return 0;
}

static int build(struct run *run)
{
    char zygote[STATE_PATH_MAX];
    struct err err;
    const struct jail_host_options options = {
        .zygote_path = zygote,
        .rootless = (int)run->plan->rootless,
    };
    if (state_program("skerry-zygote", "jail", zygote, &err) < 0 ||
        jail_host_open(&options, &run->host, &err) < 0)
        return failed(run, RUN_SETUP, &err);
    if (check_limits(run) < 0)
        return -1;
    if (jail_template_open(run->host, run->plan, &run->template, &err) < 0)
        return failed(run, RUN_SETUP, &err);
    return await_ready(run);
}

/* The start message waits in the socket until the first sandbox is furnished. */
static int start(struct run *run)
{
    static const int stdio[3] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    struct err err;
    struct start_header header;
    if (jail_template_set_epoch(run->template, EPOCH) < 0) {
        err_set(&err, ECHILD, "the sandbox's zygote died");
        return failed(run, RUN_SETUP, &err);
    }
    if (jail_template_slots(run->template, 1, &err) < 0)
        return failed(run, RUN_SETUP, &err);
    start_header_init(&header, CALL_ID, EPOCH, 0, 0);
    run->result.sent_ns = header.sent_ns;
    int result = start_send(jail_template_start_socket(run->template), &header, "", stdio);
    if (result == 0)
        return 0;
    err_set(&err, -result, "start the program:");
    return failed(run, RUN_SETUP, &err);
}

/* 1 when the report of our call is there. */
static int take_report(struct run *run)
{
    struct run_result *result = &run->result;
    int got = report_recv(jail_template_report_socket(run->template), &result->report);
    if (got == -EAGAIN || got == -EINTR)
        return 0;
    if (got <= 0) {
        struct err err;
        err_set(&err, EPROTO, "the sandbox's report was lost");
        return failed(run, RUN_SETUP, &err);
    }
    result->report_valid = true;
    run_judge(result, run->plan);
    return 1;
}

/* Kills everything in the sandbox and waits for its report, for the figures in it. */
static void kill_and_collect(struct run *run)
{
    int report_fd = jail_template_report_socket(run->template);
    uint64_t until = clock_now_ns() + KILL_WAIT_NS;
    struct err ignored;
    if (kill_send(report_fd, CALL_ID, EPOCH) < 0)
        return;
    for (;;) {
        struct pollfd polls[2] = {{.fd = report_fd, .events = POLLIN},
                                  {.fd = jail_template_fd(run->template), .events = POLLIN}};
        uint64_t now = clock_now_ns();
        if (now >= until || poll(polls, 2, (int)((until - now) / NS_PER_MS) + 1) == 0)
            return;
        struct jail_event event = {0};
        if (polls[1].revents != 0 && (jail_template_next(run->template, &event, &ignored) < 0 ||
                                      event.kind == JAIL_EVENT_GONE))
            return;
        struct exit_report report;
        if (polls[0].revents == 0)
            continue;
        int got = report_recv(report_fd, &report);
        if (got == -EAGAIN || got == -EINTR)
            continue;
        if (got == 1) {
            run->result.report = report;
            run->result.report_valid = true;
        }
        return;
    }
}

static void time_out(struct run *run)
{
    char text[32];
    run->result.outcome = RUN_TIMED_OUT;
    run->result.exit_code = RUN_TIMEOUT;
    err_set(&run->result.why, ETIME, "%s was killed: it had not ended after %s (--timeout)",
            tier_program(run->plan), text_duration(run->settings->timeout_ns, text, sizeof(text)));
    kill_and_collect(run);
}

static void wait_for_end(struct run *run)
{
    uint64_t until =
        run->settings->timeout_ns != 0 ? clock_now_ns() + run->settings->timeout_ns : 0;
    for (;;) {
        struct pollfd polls[3];
        polls[2] =
            (struct pollfd){.fd = jail_template_report_socket(run->template), .events = POLLIN};
        int result = wait_for(run, polls, 3, until);
        if (interrupted(run)) {
            kill_and_collect(run);
            return;
        }
        if (result == 0) {
            time_out(run);
            return;
        }
        /* the report first: a zygote that goes after it took nothing with it */
        if (polls[2].revents != 0 && take_report(run) != 0)
            return;
        bool ready;
        if (polls[1].revents != 0 && drain_events(run, &ready) < 0)
            return;
    }
}

static int open_status_file(struct run *run)
{
    const char *path = run->settings->status_file;
    if (path == NULL)
        return 0;
    run->status_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (run->status_fd >= 0)
        return 0;
    struct err err;
    err_set(&err, errno, "write --status-file %s:", path);
    return failed(run, RUN_SETUP, &err);
}

static int plan(struct run *run)
{
    int code = RUN_SETUP;
    bool rootless = geteuid() != 0;
    struct err err;
    if (run_plan(run->settings, rootless, run->plan, run->temp_store, &run->held, &code, &err) < 0)
        return failed(run, code, &err);
    return 0;
}

/* Also what earlier runs could not remove, because they were killed; the program does not wait for
 * it. */
static void clean(struct run *run)
{
    struct err ignored;
    jail_template_close(run->template);
    jail_host_close(run->host);
    fd_close(&run->held);
    if (run->temp_store[0] != '\0')
        state_remove_tree(run->temp_store);
    if (geteuid() == 0)
        jail_sweep(&ignored);
    run_sweep_stores();
}

/* As the shell expects of a program that Ctrl-C ended: dead of that signal, not an exit status. */
static void die_of(int number)
{
    signal(number, SIG_DFL);
    fflush(stdout);
    raise(number);
}

static int run_run(const struct verb *verb, const struct settings *settings)
{
    static struct jail_plan room; /* 50 KiB */
    struct run run = {
        .settings = settings, .plan = &room, .signal_pipe = -1, .status_fd = -1, .held = -1};
    struct run_result *result = &run.result;
    result->begun_ns = clock_now_ns();
    bool started = false;
    struct err err;
    if (check_stdio(&err) < 0 || catch_signals(&run.signal_pipe, &err) < 0)
        failed(&run, RUN_SETUP, &err);
    else if (open_status_file(&run) == 0 && plan(&run) == 0 && build(&run) == 0 && start(&run) == 0)
        started = true;
    if (started)
        wait_for_end(&run);
    clean(&run);
    if (result->outcome == RUN_FAILED && result->exit_code == RUN_USAGE)
        say("%s: %s\nType 'skerry %s --help' for its options.", verb->name, result->why.text,
            verb->name);
    else if (result->why.text[0] != '\0')
        say_error(&result->why);
    if (settings->stages)
        run_print_stages(result);
    if (run.status_fd >= 0 && run_write_status(run.status_fd, result, run.plan, &err) < 0)
        say_error(&err);
    fd_close(&run.status_fd);
    if (result->outcome == RUN_INTERRUPTED)
        die_of(result->signal);
    return result->exit_code;
}

static const unsigned char run_options[] = {
    OPT_ROOTFS,  OPT_IMAGE, OPT_HOST_USR, OPT_CLOSURE, OPT_MEM,    OPT_CPUS,        OPT_PIDS,
    OPT_TIMEOUT, OPT_TMP,   OPT_FILES,    OPT_TIER,    OPT_NET,    OPT_IPC,         OPT_PROC,
    OPT_USER,    OPT_CWD,   OPT_ENV,      OPT_BIND,    OPT_STRICT, OPT_STATUS_FILE, OPT_STAGES,
    OPT_TRACE,   OPT_STATE, OPT_HELP,     OPT_COUNT,
};

static const struct verb_section run_sections[] = {
    {"Exit status",
     "The program's own, or 128+n when signal n ended it. Our own failures are 123 for a wrong "
     "command line, 124 when --timeout passed, 125 when the sandbox could not be set up, 126 when "
     "the program was found but cannot be executed and 127 when it was not found. A program may "
     "end with these numbers too; for each failure of ours stderr gets a line that begins with "
     "\"skerry: \", and --status-file says exactly what happened."},
    {"Examples", "Count words in a sandbox that has no network:\n"
                 "  skerry run --net none wc -w < book.txt\n"
                 "Give a script half a CPU, 64 MiB and ten seconds:\n"
                 "  skerry run --cpus 0.5 --mem 64M --timeout 10s python3 -c 'print(6*7)'\n"
                 "Show a program of your own nothing but its libraries:\n"
                 "  skerry run --closure ./parser < untrusted.bin\n"
                 "Let it write its result into a directory:\n"
                 "  skerry run --bind ./out:/out ./build.sh\n"},
    {NULL, NULL},
};

const struct verb verb_run = {
    .name = "run",
    .summary = "run one program in a fresh sandbox",
    .operands = "PROGRAM [ARG...]",
    .description =
        "Runs PROGRAM in a sandbox made for it: namespaces of its own, a read-only root file "
        "system, a "
        "private /tmp, no network but its own loopback device, an unprivileged user, a short list "
        "of system calls, and limits. stdin, stdout and stderr are passed through.\n"
        "\n"
        "Unless told otherwise the root file system shows the machine's /usr and little else "
        "(--host-usr): that serves programs and scripts alike. A PROGRAM with a slash that lies "
        "elsewhere, such as ./hello, is shown alone in the sandbox's /app. With --closure only the "
        "program and its libraries are shown, with --image an image of the store, whose own "
        "program "
        "runs if none is named, with --rootfs a directory. A virtual machine (--tier vm) sees no "
        "directory of this one: without --image and --rootfs it is as with --closure, so that "
        "Python and Perl, whose modules are files, need one of these two.\n"
        "\n"
        "It needs neither root nor the daemon. Without root, what cannot be limited is said once "
        "on "
        "stderr, or refused with --strict. Options end at PROGRAM: what follows is its own.",
    .sections = run_sections,
    .options = run_options,
    .operands_min = 0,
    .operands_max = -1,
    .stop_after = 1,
    .complete = COMPLETE_COMMAND,
    .usage_exit = RUN_USAGE,
    .run = run_run,
};
