/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_HELPER_H
#define SKERRY_OCI_HELPER_H

#include <stddef.h>

#include "base/err.h"

/* Where the program `name` of ours is: beside this one (a build directory), else where programs of
 * ours are installed. 0, or -ENOENT. Call before the runtime hides. */
int oci_helper_path(const char *name, char *out, size_t room, struct err *err);

#endif
