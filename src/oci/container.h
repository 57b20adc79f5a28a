/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container while it is being made: shared by the runtime (container.c, before and beside the
 * init process) and the init process (init.c), which is its fork.
 *
 * Everything that needs the runtime's view of the host is opened before the fork: root file system,
 * sources of binds, /dev/null, /proc, namespaces to join. After it, init needs no path of the host.
 */
#ifndef SKERRY_OCI_CONTAINER_H
#define SKERRY_OCI_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/cgroup.h"
#include "oci/seccomp.h"
#include "oci/spec.h"
#include "oci/state.h"
#include "oci/verb.h"

struct oci_tier_ops;

struct oci_container {
    const struct oci_settings *set;
    const struct oci_tier_ops *tier;
    struct oci_place place;
    struct oci_state state;
    struct oci_spec spec;
    struct oci_filter filter;
    struct oci_cgroup_join join;
    bool immediate; /* run: init does not wait for start */
    bool rootless;  /* the runtime has no privilege in the host's user namespace */
    int bundle;     /* directory */
    int root;       /* the root file system as a detached tree (rootless: -1 until init opens it);
                     * with the host's mount namespace its directory */
    int *sources;   /* for each mount of the spec: a detached tree, or -1 */
    int proc;       /* O_PATH of the host's /proc, verified */
    int namespaces[OCI_NAMESPACES]; /* to join, or -1 */
    int sync;                       /* the runtime's end, in init its own */
    int start;                      /* start socket, of init */
    int console;                    /* connected console socket, or -1 */
    int console_near;      /* run in the foreground: where the terminal's near end arrives, or -1 */
    int pidfd;             /* of init */
    int listener;          /* connected seccomp listener socket, or -1 */
    uint32_t listen_fds;   /* of preserve_fds, those of LISTEN_FDS */
    uint32_t preserve_fds; /* from 3 on */
    pid_t pid;
};

/*
 * Makes a container up to the state "created" (or, immediate, "running") and returns with it
 * recorded and locked. A failure undoes all of it. 0 or -errno.
 */
int oci_container_create(struct oci_call *call, const char *id, bool immediate,
                         struct oci_container *out, struct err *err);
/* Closes what the runtime holds; the container stays. */
void oci_container_close(struct oci_container *container);

/* Kills what runs, removes cgroup, directory; runs the poststop hooks, whose failures are told. */
int oci_container_destroy(const struct oci_settings *set, struct oci_place *place,
                          struct oci_state *state, struct err *err);

/* True when the namespaces of that kind are new ones. */
static inline bool oci_namespace_new(const struct oci_spec *spec, enum oci_namespace_kind kind)
{
    return spec->linux_.namespaces[kind].listed && spec->linux_.namespaces[kind].path == NULL;
}

/* True when one that exists is entered, by its path. */
static inline bool oci_namespace_joined(const struct oci_spec *spec, enum oci_namespace_kind kind)
{
    return spec->linux_.namespaces[kind].listed && spec->linux_.namespaces[kind].path != NULL;
}

/* True when the runtime will map init's ids without privilege: until then init must be dumpable. */
static inline bool oci_maps_from_outside(const struct oci_container *container)
{
    return container->rootless && oci_namespace_new(&container->spec, OCI_NS_USER);
}

#endif
