/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between a container's programs and the host. The command line, config.json, the
 * record, cgroups and hooks are the same for all tiers; how a program comes to life behind its wall
 * is the tier's. A container says by an annotation which one it wants; there is one so far.
 */
#ifndef SKERRY_OCI_TIER_H
#define SKERRY_OCI_TIER_H

#include "oci/container.h"

#define OCI_TIER_ANNOTATION "org.skerry.tier"

struct oci_tier_ops {
    const char *name; /* the annotation's value */
    /* Gives birth to the container's first process, which waits for SYNC_GO on init_sync; sets pid
     * and pidfd. See oci_spawn_init. */
    int (*spawn)(struct oci_container *container, int init_sync, struct err *err);
    /* Lets the program of a created container begin; returns when it has, or why it could not. */
    int (*start)(const struct oci_place *place, struct oci_state *state, struct err *err);
    /* Another program in a container that runs, as `exec` was called; its exit status, or -errno.
     */
    int (*exec)(struct oci_call *call, const struct oci_place *place, struct oci_state *state,
                struct err *err);
};

/* Namespaces, filters and cgroups on the host's kernel. */
extern const struct oci_tier_ops oci_tier_jail;

/* The tier that annotations (an object or NULL) ask for, by default the jail; NULL with err set:
 * there is none of that name. */
const struct oci_tier_ops *oci_tier_of(const struct json *annotations, struct err *err);

#endif
