/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Isolation primitives one by one, and the sandbox that applies all of them between fork and exec:
 * what is done without templates and pools. Only for comparison: nothing here is hardened.
 *
 * Each step ends the calling process when it fails.
 */
#ifndef SKERRY_BENCH_INLINE_H
#define SKERRY_BENCH_INLINE_H

#include <sys/types.h>

#define INLINE_STAGE                                                                               \
    "/mnt" /* where the new root is put together, in a mount namespace of its own */

/* Once, in the parent: compiles the filter, finds the cgroup hierarchies. */
void inline_prepare(void);
void inline_finish(void);
/* In the parent, after each child: removes what it left outside of its namespaces (cgroups). */
void inline_clean(void);

void inline_unshare(int flag);
void inline_mount(const char *source, const char *target, const char *type, unsigned long flags,
                  const char *data);
void inline_mounts_new(void);   /* mount namespace, private propagation */
void inline_stage(void);        /* a tmpfs on INLINE_STAGE with the directories of a root */
void inline_root(void);         /* six read-only binds of the host below it */
void inline_dev(void);          /* a /dev in it */
void inline_pivot(void);        /* pivot_root to it, drop the old root */
void inline_user(void);         /* user namespace, maps */
void inline_net_lo(void);       /* network namespace, lo up */
void inline_net_veth(void);     /* the same, and a veth pair with its other end on the host */
void inline_cgroup_make(void);  /* in the memory, pids and cpu controllers */
void inline_cgroup_join(void);  /* the same, limits, and the caller in it */
void inline_capabilities(void); /* empty bounding set, empty sets */
void inline_no_new_privs(void);
void inline_seccomp(void);

/* Forks; the child applies all of it and executes program with out as output. Returns its pid. */
pid_t inline_sandbox(const char *program, int out, int with_veth);

#endif
