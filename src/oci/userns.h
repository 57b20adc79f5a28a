/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_USERNS_H
#define SKERRY_OCI_USERNS_H

#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"

/*
 * Writes the id maps of a process in a new user namespace: into its /proc files, or where that is
 * not permitted (several ranges without root) by newuidmap and newgidmap. 0 or -errno.
 */
int oci_userns_map(pid_t pid, const struct oci_id_maps *uids, const struct oci_id_maps *gids,
                   struct err *err);

/* A descriptor of a user namespace with these maps and no process in it; or -errno. */
int oci_userns_with(const struct oci_id_maps *uids, const struct oci_id_maps *gids,
                    struct err *err);

#endif
