/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine offers, probed by trying. A probe that changes the process (a namespace, a
 * filter) runs in a child of its own; none leaves anything behind.
 */
#ifndef SKERRY_CLI_DOCTOR_H
#define SKERRY_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/verb.h"

enum finding_state {
    FINDING_OK,      /* all that skerry uses is there */
    FINDING_LIMITED, /* skerry does without, with the loss that `means` names */
    FINDING_MISSING, /* `run` cannot work */
    FINDING_ABSENT,  /* for what a later tier uses: nothing is lost today */
};

struct finding {
    enum finding_state state;
    char found[160]; /* what is here */
    char means[240]; /* what that means for skerry */
    char todo[240];  /* what to do about it; empty: nothing */
};

struct probe {
    const char *id;    /* stable, for --json */
    const char *title; /* for people */
    void (*look)(const struct settings *settings, struct finding *out);
};

/* The probes of each file, ending with a NULL id. */
extern const struct probe probes_kernel[]; /* version, processor, namespaces, mounts */
extern const struct probe probes_cgroup[];
extern const struct probe probes_confine[]; /* seccomp, landlock, pidfds, capabilities */
extern const struct probe probes_machine[]; /* KVM, protection keys, bounds, our own programs */

/* Fills a finding; the texts are formats without arguments. */
void finding_set(struct finding *out, enum finding_state state, const char *means,
                 const char *todo);
void finding_found(struct finding *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Runs attempt(arg) in a child process and returns what it returned (0..200), or -errno when there
 * was no child, or -ECHILD when it died of a signal.
 */
int probe_in_child(int (*attempt)(void *arg), void *arg);

/* Reads the first line of a file of the kernel into buf; false when it is not there. */
bool probe_read(const char *path, char *buf, size_t room);

#endif
