/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of a sandbox.
 *
 * Two filters stack; the zygote installs both and everything it starts inherits them, so that no
 * start pays for them. The *main* filter is a default-deny list, compiled by libseccomp as a tree,
 * once per policy and daemon. It lets through what furnishing a sandbox needs. The *closing* filter
 * is short and hand-assembled: it allows these calls only with the template's key, and checks
 * arguments of others.
 */
#ifndef SKERRY_JAIL_FILTER_H
#define SKERRY_JAIL_FILTER_H

#include <linux/filter.h>
#include <stdint.h>

#include "base/err.h"
#include "jail/handover.h"
#include "jail/plan.h"

struct filter_program {
    uint32_t length; /* instructions */
    struct sock_filter code[FILTER_LENGTH_MAX];
};

/* Compiles the main filter for a plan's net and flags (libseccomp; about 10 ms). 0 or -errno. */
int filter_compile(const struct jail_plan *plan, struct filter_program *out, struct err *err);

/* True when the main filter of the plan asks a notify handler. */
int filter_uses_notify(const struct jail_plan *plan);

/* The index of the plan's policy: plans with equal indices have equal main filters. */
#define FILTER_POLICIES 4
unsigned int filter_policy(const struct jail_plan *plan);

/* Calls op for each allowed system call: number and reason; for documentation and `skerry surface`.
 */
typedef void (*filter_each_fn)(void *arg, int number, const char *reason);
void filter_each(const struct jail_plan *plan, filter_each_fn each, void *arg);

/* Assembles the closing filter for a plan into out; key: what furnishing calls carry in their sixth
 * argument. Returns its length. */
#define CLOSING_LENGTH_MAX 160
uint32_t filter_closing(const struct jail_plan *plan, uint64_t key,
                        struct sock_filter out[CLOSING_LENGTH_MAX]);

#endif
