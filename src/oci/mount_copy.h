/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_MOUNT_COPY_H
#define SKERRY_OCI_MOUNT_COPY_H

#include "base/err.h"

/* Copies what is in the directory `from` (O_PATH) into `to`: files, directories, symbolic links
 * with owners and modes; bounded in depth. 0 or -errno. */
int oci_mount_copy_up(int from, int to, struct err *err);

#endif
