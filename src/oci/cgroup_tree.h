/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a container's groups; private to cgroup_*.c. */
#ifndef SKERRY_OCI_CGROUP_TREE_H
#define SKERRY_OCI_CGROUP_TREE_H

#include "oci/cgroup.h"

/* The tree that serves a controller ("memory"): a v1 hierarchy before v2. NULL: none. */
const struct oci_cgroup_tree *cgroup_tree_of(const struct oci_cgroup *cgroup,
                                             const char *controller);
/* The v2 tree or NULL. */
const struct oci_cgroup_tree *cgroup_tree_v2(const struct oci_cgroup *cgroup);

/* MOUNT + PATH [+ "/" + file] into out; false when it does not fit. */
#define CGROUP_FILE_MAX 1024
bool cgroup_tree_path(const struct oci_cgroup_tree *tree, const char *file,
                      char out[CGROUP_FILE_MAX]);

/* 0 or -errno. */
int cgroup_tree_write(const struct oci_cgroup_tree *tree, const char *file, const char *text);
/* The count of bytes or -errno; always terminated. */
ssize_t cgroup_tree_read(const struct oci_cgroup_tree *tree, const char *file, char *out,
                         size_t room);
bool cgroup_tree_has(const struct oci_cgroup_tree *tree, const char *file);

/* The number that a file holds, or behind `key ` on one of its lines; "max" is UINT64_MAX. 0 or
 * -errno. */
int cgroup_tree_number(const struct oci_cgroup_tree *tree, const char *file, const char *key,
                       uint64_t *out);

/* Devices: writes v1 files, or loads a program into the v2 tree (cgroup_devices.c). */
int cgroup_devices_apply(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                         struct err *err);

/* The systemd driver (cgroup_systemd.c): makes the scope around pid, sets its properties, stops it.
 */
int cgroup_systemd_start(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                         pid_t pid, struct err *err);
int cgroup_systemd_set(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                       struct err *err);
int cgroup_systemd_stop(const struct oci_cgroup *cgroup, struct err *err);

#endif
