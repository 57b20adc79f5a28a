/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_FILTER_GET_H
#define SKERRY_OCI_FILTER_GET_H

#include "oci/seccomp.h"

/*
 * The program of a profile (NULL: none, 0) from the cache of this user, which lies beside the
 * default directory of states: profiles are the same whatever --root says. Call before the runtime
 * hides. 0 or -errno.
 */
int oci_filter_get(const struct oci_seccomp *seccomp, struct oci_filter *out, struct err *err);

#endif
