/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_SPAWN_H
#define SKERRY_OCI_SPAWN_H

#include "oci/container.h"

/* Opens the namespaces that are to be joined by path into container->namespaces. 0 or -errno. */
int oci_spawn_open_namespaces(struct oci_container *container, struct err *err);

/*
 * Clones the init process into its namespaces; it runs oci_init_main with init_sync as its end of
 * the socket pair. pid and pidfd of the container are set. 0 or -errno.
 */
int oci_spawn_init(struct oci_container *container, int init_sync, struct err *err);

#endif
