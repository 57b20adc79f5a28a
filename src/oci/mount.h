/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of config.json. All by the mount API of descriptors; see mount.c. */
#ifndef SKERRY_OCI_MOUNT_H
#define SKERRY_OCI_MOUNT_H

#include "oci/container.h"

/*
 * In the runtime, before the fork: opens the source of a bind as a detached tree, with its ids
 * mapped. *out: -1 when the runtime has not the right to (rootless): init opens it then. 0, -errno.
 */
int oci_mount_open_source(const struct oci_container *container, const struct oci_mount *mount,
                          int *out, struct err *err);

/* In init: mounts all of the spec below container->root, in their order. 0 or -errno. */
int oci_mount_all(struct oci_container *container, struct err *err);

/* A new file system as a detached mount, named for messages. A descriptor or -errno. */
int oci_mount_new(const char *type, const struct oci_mount *mount, struct err *err);

/* Mounts of type "cgroup" on v1 and hybrid machines, "cgroup2" elsewhere. */
int oci_mount_cgroup(struct oci_container *container, const struct oci_mount *mount,
                     struct err *err);

/* The propagation of what the runtime hands to the container: what rootfsPropagation says, slave
 * by default. */
uint64_t oci_mount_propagation(const struct oci_spec *spec);

#endif
