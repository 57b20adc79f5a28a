/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_INIT_H
#define SKERRY_OCI_INIT_H

#include "oci/container.h"

/*
 * The init process of a container, from its birth in new namespaces to its program. Never returns.
 * A failure is told to the runtime (or to the `start` that waits), then it exits.
 */
void oci_init_main(struct oci_container *container) __attribute__((noreturn));

/* Closes all descriptors from `first` on but those listed (-1 entries are ignored). */
void oci_close_others(unsigned int first, int *keep, unsigned int count);

/* In init: new root, mounts, devices, masks. See rootfs.c. */
int oci_rootfs_build(struct oci_container *container, struct err *err);
/* Enters it for good; nothing of the host's mounts stays. */
int oci_rootfs_enter(struct oci_container *container, struct err *err);

/* In the runtime, for a container in the host's mount namespace: its mounts are taken away again,
 * whatever of them there is. rootfs: absolute. 0 or -errno. */
int oci_rootfs_unmount(const struct oci_spec *spec, const char *rootfs, struct err *err);

#endif
