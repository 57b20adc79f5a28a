/* SPDX-License-Identifier: Apache-2.0 */
/* Writing limits; private to cgroup_limits*.c. */
#ifndef SKERRY_OCI_CGROUP_LIMITS_H
#define SKERRY_OCI_CGROUP_LIMITS_H

#include "oci/cgroup_tree.h"

struct limits {
    const struct oci_cgroup *cgroup;
    const struct oci_resources *resources;
    struct err *err;
};

/*
 * Writes a formatted value into a file of the tree that serves the controller. An error names the
 * property of config.json: no such controller, no such file, refused. 0 or -errno.
 */
int limit_put(const struct limits *limits, const char *property, const char *controller,
              const char *file, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same for an error found beforehand: "PROPERTY: text", -ENOTSUP. */
int limit_unsupported(const struct limits *limits, const char *property, const char *why);

/* True when the controller is served by v2. */
bool limit_is_v2(const struct limits *limits, const char *controller);

int limit_memory(const struct limits *limits);   /* cgroup_limits_memory.c */
int limit_block_io(const struct limits *limits); /* cgroup_limits_io.c */

/* Shares of v1 (2 to 262144) as a weight of v2 (1 to 10000); 0: none. */
uint64_t cgroup_weight_of_shares(uint64_t shares);
/* A block I/O weight of v1 (10 to 1000) as one of v2's io.weight (1 to 10000). */
uint64_t cgroup_io_weight_of(uint64_t weight);

#endif
