/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A template of jails: the zygote process of one function and its pool of furnished sandboxes, seen
 * from the process that owns it (the supervisor, or `skerry run`).
 *
 * Opening one forks and executes skerry-zygote in new namespaces and hands the plan over; nothing
 * blocks: readiness and failures arrive as events on a descriptor. Closing kills all and waits
 * until nothing is left (processes, cgroups).
 *
 *   opened --READY--> ready --slots(n)--> SLOT_READY xN ... GONE
 *   opened --FAILED(text)--> (close it)
 */
#ifndef SKERRY_JAIL_TEMPLATE_H
#define SKERRY_JAIL_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "jail/plan.h"

struct jail_host;     /* what all templates of a process share: filters, /dev, cgroups, probes */
struct jail_template; /* one zygote */

struct jail_host_options {
    const char *zygote_path; /* NULL: beside this program, then LIBEXECDIR */
    const char
        *cgroup_prefix; /* a name for our cgroup directory, e.g. "skerry-PID"; [a-zA-Z0-9-] */
    int rootless;       /* 1: unprivileged; no cgroups, one uid */
};

/* Probes the machine and prepares what templates share. 0 or -errno. */
int jail_host_open(const struct jail_host_options *options, struct jail_host **out,
                   struct err *err);
void jail_host_close(struct jail_host *host);

/*
 * Path of another program of ours: beside this one, in src/ROOM of a build directory, or where it
 * is installed. out has size bytes. 0, or -ENOENT with a sentence.
 */
int jail_program_path(const char *name, const char *room, char *out, size_t size, struct err *err);

/* A sentence on what cannot be limited here (no cgroups, ...); empty when all can. */
const char *jail_host_limits_missing(const struct jail_host *host);
/* A process that serves all templates gets a larger share of the CPUs than each of their tenants.
 */
int jail_host_serve(struct jail_host *host, pid_t pid, struct err *err);

enum jail_event_kind {
    JAIL_EVENT_NONE = 0, /* nothing to tell (again) */
    JAIL_EVENT_READY,    /* the zygote stands; ask for slots */
    JAIL_EVENT_FAILED,   /* it could not be built: text says why */
    JAIL_EVENT_SLOTS,    /* slots: how many sandboxes may now run at once */
    JAIL_EVENT_SNAPSHOT, /* what became of the snapshot: snapshot, and why.text if there is none */
    JAIL_EVENT_GONE,     /* the zygote died: close it */
};

struct jail_event {
    enum jail_event_kind kind;
    uint32_t slots;
    uint32_t snapshot;       /* enum jail_snapshot */
    uint64_t snapshot_bytes; /* of memory that it holds */
    struct err why;
};

/*
 * Starts building the template. The start and report sockets exist at once. Of the caller's
 * threads, the one that opens must live on (parent-death signal).
 */
int jail_template_open(struct jail_host *host, const struct jail_plan *plan,
                       struct jail_template **out, struct err *err);

/* The descriptor to poll for POLLIN; then call jail_template_next until it gives NONE. */
int jail_template_fd(const struct jail_template *template);
int jail_template_next(struct jail_template *template, struct jail_event *out, struct err *err);

/* Near ends for whoever starts this function; dup or send them, they stay the template's. */
int jail_template_start_socket(const struct jail_template *template);
int jail_template_report_socket(const struct jail_template *template);

/*
 * The most memory that one of its sandboxes has needed, in bytes, of a few that are looked at in
 * turn; 0: not known (there is none yet, or no cgroup that counts).
 */
uint64_t jail_template_peak(struct jail_template *template);

/* Asks for `want` slots (sandboxes at once), at most limits.concurrency_max; grows and shrinks. */
int jail_template_slots(struct jail_template *template, uint32_t want, struct err *err);

/* Kills what runs for earlier epochs and sets the one from which starts are accepted. */
int jail_template_set_epoch(struct jail_template *template, uint32_t epoch);

/* Waits at most timeout_ms for the next event that is not NONE (for `skerry run` and tests). */
int jail_template_wait(struct jail_template *template, int timeout_ms, struct jail_event *out,
                       struct err *err);

pid_t jail_template_pid(const struct jail_template *template);

/* Kills everything, waits for it and removes the cgroups. NULL is fine. */
void jail_template_close(struct jail_template *template);

/*
 * Removes what a dead owner left behind: cgroups whose prefix matches "skerry-*" and whose owner
 * (the PID in the name) is gone, with the processes in them. Returns how many cgroups went, or
 * -errno.
 */
int jail_sweep(struct err *err);

#endif
