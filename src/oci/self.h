/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_SELF_H
#define SKERRY_OCI_SELF_H

#include "base/err.h"

/*
 * Makes the calling process, and all it forks, forget its executable: text and data move to
 * anonymous memory and /proc/self/exe becomes an empty sealed file. A container can then reach the
 * runtime's program neither through /proc/PID/exe nor map_files, nor by a script whose interpreter
 * is /proc/self/exe (CVE-2019-5736). Needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the own user
 * namespace. 0, or -errno: then nothing but the memory has changed, and it may be tried again.
 */
int oci_self_hide(struct err *err);

#endif
