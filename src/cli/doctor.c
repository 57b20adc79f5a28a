/* SPDX-License-Identifier: Apache-2.0 */
/* `skerry doctor`: runs every probe and says what each finding means and what to do about it. */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/admin.h"
#include "cli/text.h"
#include "cli/verbs.h"

static const struct probe *const groups[] = {probes_kernel, probes_cgroup, probes_confine,
                                             probes_machine};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static const char *const state_names[] = {
    [FINDING_OK] = "ok",
    [FINDING_LIMITED] = "limited",
    [FINDING_MISSING] = "missing",
    [FINDING_ABSENT] = "absent",
};

void finding_set(struct finding *out, enum finding_state state, const char *means, const char *todo)
{
    out->state = state;
    snprintf(out->means, sizeof(out->means), "%s", means);
    snprintf(out->todo, sizeof(out->todo), "%s", todo);
}

void finding_found(struct finding *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out->found, sizeof(out->found), format, args);
    va_end(args);
}

int probe_in_child(int (*attempt)(void *arg), void *arg)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        _exit(attempt(arg));
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

bool probe_read(const char *path, char *buf, size_t room)
{
    fd_owner fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, buf, room - 1);
    if (got < 0)
        return false;
    buf[got] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    return true;
}

static json_t *finding_json(const struct probe *probe, const struct finding *finding)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", probe->id, "title", probe->title,
                     "state", state_names[finding->state], "found", finding->found, "means",
                     finding->means, "todo", finding->todo);
}

static void print_finding(const struct probe *probe, const struct finding *finding, int width)
{
    int column = printf("%-8s %-22s ", state_names[finding->state], probe->title);
    text_wrap(stdout, finding->found, column, 32, width);
    if (finding->means[0] != '\0')
        text_wrap(stdout, finding->means, 0, 32, width);
    if (finding->todo[0] == '\0')
        return;
    column = printf("%30s", "->");
    text_wrap(stdout, finding->todo, column, 32, width);
}

static const char *verdict(const unsigned int counts[4])
{
    if (counts[FINDING_MISSING] > 0)
        return "skerry run cannot work here: see what is missing above.";
    if (counts[FINDING_LIMITED] > 0)
        return "skerry run works here, with the limits named above.";
    return "skerry run works here.";
}

static int run_doctor(const struct verb *verb, const struct settings *settings)
{
    (void)verb;
    unsigned int counts[4] = {0};
    int width = text_width(stdout);
    json_t *rows = json_array();
    for (size_t i = 0; i < GROUPS; i++) {
        for (const struct probe *probe = groups[i]; probe->id != NULL; probe++) {
            struct finding finding = {.state = FINDING_OK};
            probe->look(settings, &finding);
            counts[finding.state]++;
            json_array_append_new(rows, finding_json(probe, &finding));
            if (!settings->json)
                print_finding(probe, &finding, width);
        }
    }
    if (settings->json) {
        json_t *all = json_pack("{s:b, s:s, s:O}", "works", counts[FINDING_MISSING] == 0, "verdict",
                                verdict(counts), "findings", rows);
        admin_print_json(all);
        json_decref(all);
    } else {
        printf("\n%s\n", verdict(counts));
    }
    json_decref(rows);
    return counts[FINDING_MISSING] == 0 ? CLI_OK : CLI_FAILED;
}

static const unsigned char doctor_options[] = {OPT_STATE, OPT_JSON, OPT_HELP, OPT_COUNT};

static const struct verb_section doctor_sections[] = {
    {"Exit status",
     "0 if skerry run can work on this machine as this user, with or without limits, 1 if not."},
    {NULL, NULL},
};

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "say what this machine offers and what to do",
    .operands = "",
    .description =
        "Tries what skerry uses of the kernel and of the machine, as the user that asks. Each line "
        "says how it stands (ok; limited: skerry does without; missing: skerry run cannot work; "
        "absent: what only a later tier would use), what was found, what it means and what to do.",
    .sections = doctor_sections,
    .options = doctor_options,
    .stop_after = -1,
    .usage_exit = CLI_USAGE,
    .run = run_doctor,
};
