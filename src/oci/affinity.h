/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_AFFINITY_H
#define SKERRY_OCI_AFFINITY_H

#include "base/err.h"

/* Binds the calling thread to the CPUs of a list such as "0-3,7" (checked already); NULL: nothing.
 */
int oci_affinity_set(const char *list, struct err *err);

#endif
