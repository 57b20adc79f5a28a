/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups: which layout, which controllers, and whether we may use them. */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/doctor.h"

enum controller { MEMORY, PIDS, CPU, CONTROLLERS };
static const char *const controller_names[CONTROLLERS] = {"memory", "pids", "cpu"};

struct layout {
    bool v1, v2;           /* hierarchies that are mounted */
    bool has[CONTROLLERS]; /* can be used */
    bool on_v1[CONTROLLERS];
    char path[CONTROLLERS][256]; /* directory of the hierarchy */
    bool fast_attach;            /* favordynmods: an attach waits for no grace period */
};

static bool word_in(const char *words, const char *word, char divider)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == words || at[-1] == divider;
        bool ends = at[length] == '\0' || at[length] == divider || at[length] == '\n';
        if (begins && ends)
            return true;
    }
    return false;
}

/* One line of mountinfo: "36 35 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu". */
static void read_mount(char *line, struct layout *layout)
{
    char *divider = strstr(line, " - ");
    char point[256], type[32], options[256] = "";
    if (divider == NULL || sscanf(divider + 3, "%31s %*s %255s", type, options) < 1 ||
        sscanf(line, "%*s %*s %*s %*s %255s", point) != 1)
        return;
    bool v1 = strcmp(type, "cgroup") == 0;
    if (!v1 && strcmp(type, "cgroup2") != 0)
        return;
    layout->fast_attach = layout->fast_attach || word_in(options, "favordynmods", ',');
    char offered[512] = "", path[300];
    if (v1) {
        layout->v1 = true;
        snprintf(offered, sizeof(offered), "%s", options);
        for (char *at = offered; (at = strchr(at, ',')) != NULL;)
            *at = ' ';
    } else {
        layout->v2 = true;
        snprintf(path, sizeof(path), "%s/cgroup.controllers", point);
        probe_read(path, offered, sizeof(offered));
    }
    for (size_t i = 0; i < CONTROLLERS; i++) {
        if (!word_in(offered, controller_names[i], ' '))
            continue;
        layout->has[i] = true;
        layout->on_v1[i] = v1;
        snprintf(layout->path[i], sizeof(layout->path[i]), "%s", point);
    }
}

static void read_layout(struct layout *layout)
{
    memset(layout, 0, sizeof(*layout));
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t room = 0;
    while (file != NULL && getline(&line, &room, file) > 0)
        read_mount(line, layout);
    free(line);
    if (file != NULL)
        fclose(file);
}

/* The control group of this process in a hierarchy, where ours would be made; v2 has an empty name.
 */
static bool may_make(const struct layout *layout, enum controller controller)
{
    char line[512], path[1024];
    FILE *file = fopen("/proc/self/cgroup", "re");
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        char *names = strchr(line, ':');
        char *where = names != NULL ? strchr(names + 1, ':') : NULL;
        if (where == NULL)
            continue;
        *where++ = '\0';
        where[strcspn(where, "\n")] = '\0';
        names++;
        found = layout->on_v1[controller] ? word_in(names, controller_names[controller], ',')
                                          : names[0] == '\0';
        if (found)
            snprintf(path, sizeof(path), "%s%s", layout->path[controller], where);
    }
    if (file != NULL)
        fclose(file);
    if (!found)
        return false;
    struct stat status; /* in a container the path may lie outside of what is mounted */
    if (stat(path, &status) < 0)
        snprintf(path, sizeof(path), "%s", layout->path[controller]);
    return access(path, W_OK) == 0;
}

static void look_layout(const struct settings *settings, struct finding *out)
{
    (void)settings;
    struct layout layout;
    read_layout(&layout);
    const char *kind = layout.v1 && layout.v2 ? "hybrid (v1 controllers beside v2)"
                       : layout.v2            ? "v2"
                       : layout.v1            ? "v1"
                                              : "none is mounted";
    finding_found(out, "%s", kind);
    if (!layout.v1 && !layout.v2)
        finding_set(out, FINDING_LIMITED, "Nothing limits a sandbox as a whole.",
                    "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
}

static void look_controller(enum controller controller, const char *loss, struct finding *out)
{
    struct layout layout;
    read_layout(&layout);
    const char *name = controller_names[controller];
    if (!layout.has[controller]) {
        finding_found(out, "no hierarchy has the %s controller", name);
        finding_set(out, FINDING_LIMITED, loss,
                    controller == MEMORY ? "Boot without cgroup_disable=memory." : "");
        return;
    }
    finding_found(out, "%s, in %s", layout.on_v1[controller] ? "v1" : "v2",
                  layout.path[controller]);
    if (may_make(&layout, controller))
        return;
    finding_found(out, "%s, in %s, but this user may not make control groups there",
                  layout.on_v1[controller] ? "v1" : "v2", layout.path[controller]);
    finding_set(out, FINDING_LIMITED, loss, "Run as root.");
}

static void look_memory(const struct settings *settings, struct finding *out)
{
    (void)settings;
    look_controller(MEMORY, "--mem holds for each process, not for all of a sandbox together.",
                    out);
}

static void look_pids(const struct settings *settings, struct finding *out)
{
    (void)settings;
    look_controller(PIDS, "--pids is counted with the other processes of this user.", out);
}

static void look_cpu(const struct settings *settings, struct finding *out)
{
    (void)settings;
    look_controller(CPU, "--cpus has no effect.", out);
}

static void look_attach(const struct settings *settings, struct finding *out)
{
    (void)settings;
    struct layout layout;
    read_layout(&layout);
    if (layout.fast_attach) {
        finding_found(out, "favordynmods: a process joins a control group at once");
        return;
    }
    finding_found(out, "a process joins a control group after a grace period of some ms");
    finding_set(out, FINDING_OK,
                "Only making a new slot waits for it: sandboxes are born in their control group.",
                "");
}

const struct probe probes_cgroup[] = {
    {"cgroup", "control groups", look_layout},
    {"cgroup-memory", "memory limit", look_memory},
    {"cgroup-pids", "process limit", look_pids},
    {"cgroup-cpu", "CPU limit", look_cpu},
    {"cgroup-attach", "joining a group", look_attach},
    {NULL, NULL, NULL},
};
