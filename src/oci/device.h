/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_DEVICE_H
#define SKERRY_OCI_DEVICE_H

#include "oci/container.h"

/*
 * In init, before the root is entered: the devices of the spec and those that the specification
 * asks for in every container, and the symbolic links of /dev. Where nodes cannot be made (user
 * namespace) the host's are bound. Nothing is done when /dev is a bind. 0 or -errno.
 */
int oci_device_make_all(struct oci_container *container, struct err *err);

/* O_PATH of the host's /dev/null, which is checked to be that device. */
int oci_device_open_null(struct err *err);

#endif
