/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups of slots, in whatever the machine mounts: v2, v1, or v1 controllers beside an empty v2
 * ("hybrid"). A slot has one group in each hierarchy that matters; its spawner is attached once and
 * everything it clones is born there.
 *
 * Groups are named PREFIX/TENANT/TEMPLATE/sN. For the scheduler a tenant is one group, so that it
 * shares the CPUs out between tenants, whatever each of them runs; only slots with a limit of CPU
 * time are groups below it (docs/decisions/0024). PREFIX names the owner by pid and start
 * time, and its owner holds a lock on it: so a later one can tell whose groups are left over.
 */
#ifndef SKERRY_JAIL_CGROUP_H
#define SKERRY_JAIL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "sandbox/function.h"

#define CGROUP_NAME_MAX 512

struct cgroup_host;

enum cgroup_layout { CGROUP_NONE = 0, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };

/*
 * Probes the mounts and makes PREFIX in each hierarchy, locked for as long as the host is open (a
 * child that is forked meanwhile must execute or end). -EPERM and the like when it may not.
 */
int cgroup_host_open(const char *prefix, struct cgroup_host **out, struct err *err);
/* Removes PREFIX; groups below must be gone. NULL is fine. */
void cgroup_host_close(struct cgroup_host *host);

enum cgroup_layout cgroup_host_layout(const struct cgroup_host *host);
const char *cgroup_layout_name(enum cgroup_layout layout);

/*
 * Puts a process that serves all tenants beside their groups, with four times the share of CPU time
 * of one.
 */
int cgroup_service_attach(struct cgroup_host *host, pid_t pid, struct err *err);

/* A sentence on limits that cannot be set here; empty when all can. */
const char *cgroup_host_missing(const struct cgroup_host *host);

/*
 * The directory that holds a template's slots. The name is TEMPLATE or TENANT/TEMPLATE; the
 * tenant's directory comes with the first of its templates and goes with the last. has_cpu_limit:
 * whether slots with such a limit are to be made in it.
 */
int cgroup_template_make(struct cgroup_host *host, const char *name, bool has_cpu_limit,
                         struct err *err);
void cgroup_template_remove(struct cgroup_host *host, const char *name);

/* Puts the template's zygote into a group of its own beside the slots: its work is the tenant's. */
int cgroup_zygote_attach(struct cgroup_host *host, const char *template_name, pid_t pid,
                         struct err *err);

/*
 * Makes a slot's group with its limits. *out_events: a file with a line "oom_kill N", or -1 where
 * the kernel has none. The caller owns it.
 */
int cgroup_slot_make(struct cgroup_host *host, const char *template_name, uint32_t slot,
                     const struct function_limits *limits, int *out_events, struct err *err);
int cgroup_slot_attach(struct cgroup_host *host, const char *template_name, uint32_t slot,
                       pid_t pid, bool has_cpu_limit, struct err *err);
/* The most memory that the slot's group has held at once, in bytes; 0: not known here. */
uint64_t cgroup_slot_peak(const struct cgroup_host *host, const char *template_name, uint32_t slot);
/* Kills what is in it and removes it. 0, or -EBUSY: something has not ended yet, try again. */
int cgroup_slot_remove(struct cgroup_host *host, const char *template_name, uint32_t slot);

/* Writes "BASE-PID-START" to out: the prefix of a process's cgroups; no other process ever has it.
 */
void cgroup_prefix_of(const char *base, pid_t pid, char *out, size_t room);

/*
 * Removes prefixes whose owner is gone, with the processes in them: how many groups, or -errno. The
 * owner lives while it holds its lock, in whatever pid namespace it is.
 */
int cgroup_sweep(struct err *err);

#endif
