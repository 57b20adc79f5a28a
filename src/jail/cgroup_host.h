/* SPDX-License-Identifier: Apache-2.0 */
/* The hierarchies that hold our groups: what cgroup.c and cgroup_sweep.c share. */
#ifndef SKERRY_JAIL_CGROUP_HOST_H
#define SKERRY_JAIL_CGROUP_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "jail/cgroup.h"

#define HIERARCHIES_MAX 4

enum controller { MEMORY = 0, PIDS, CPU, CONTROLLERS };
struct hierarchy {
    int root; /* directory of the mount */
    int lock; /* PREFIX in it, locked */
    bool v2;
};

struct cgroup_host {
    enum cgroup_layout layout;
    char prefix[64];
    unsigned int count;
    struct hierarchy hierarchies[HIERARCHIES_MAX];
    int of[CONTROLLERS]; /* index of the hierarchy that serves it, or -1 */
    char missing[200];
};

/* Fills in layout, hierarchies (roots only; the caller closes them) and of[], which the caller has
 * set to -1. */
int cgroup_read_mounts(struct cgroup_host *host, struct err *err);

/* Kills every process of the group; returns how many there were. */
unsigned int cgroup_kill_members(int root, const char *path);

#endif
