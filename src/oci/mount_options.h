/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options of config.json (runtime-spec, config.md, "Linux mount options"). */
#ifndef SKERRY_OCI_MOUNT_OPTIONS_H
#define SKERRY_OCI_MOUNT_OPTIONS_H

#include <stdbool.h>

#include "oci/spec.h"

/*
 * Sorts one option into the mount. False: it is none of the table; the file system shall see it
 * (the caller adds it to data). Later options win over earlier ones.
 */
bool oci_mount_option(struct oci_mount *mount, const char *option);

/* MS_* with MS_REC of a propagation word ("rprivate"); 0: none. */
unsigned long oci_propagation(const char *word);

/* The names of the table, one after the other; NULL after the last. For `features`. */
const char *oci_mount_option_name(size_t index);

#endif
