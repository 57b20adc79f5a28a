/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_MASK_H
#define SKERRY_OCI_MASK_H

#include "oci/container.h"

/* In init, before the root is entered: covers the masked paths and makes the read-only ones so.
 * Paths that are not there are passed over. 0 or -errno. */
int oci_mask_paths(const struct oci_container *container, struct err *err);

#endif
