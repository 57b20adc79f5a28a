/* SPDX-License-Identifier: Apache-2.0 */
/* What the templates of one process share; private to template.c, host.c and launch.c. */
#ifndef SKERRY_JAIL_HOST_H
#define SKERRY_JAIL_HOST_H

#include <stdint.h>

#include "base/err.h"
#include "jail/cgroup.h"
#include "jail/filter.h"
#include "jail/template.h"

struct jail_host {
    int rootless;
    int zygote;                                      /* executable of skerry-zygote */
    int warm;                                        /* jail_host_warm; -1: not yet */
    struct cgroup_host *cgroups;                     /* NULL: no limits by cgroup */
    uint32_t next_serial;                            /* tells templates of one name apart */
    struct filter_program *filters[FILTER_POLICIES]; /* compiled at first use */
    char missing[256];
};

/* The compiled main filter for a plan; owned by the host. NULL and err on failure. */
const struct filter_program *jail_host_filter(struct jail_host *host, const struct jail_plan *plan,
                                              struct err *err);

/*
 * The program skerry-warm as a sealed file in memory, so that /proc/self/exe of a program that it
 * starts names no path of the host. A new descriptor, the caller's; or -errno.
 */
int jail_host_warm(struct jail_host *host, struct err *err);

#endif
