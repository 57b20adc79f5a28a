/* SPDX-License-Identifier: Apache-2.0 */
/* How helper programs are run: a request on stdin, the answer on stdout, a sentence on stderr. */
#ifndef SKERRY_OCI_HELPER_RUN_H
#define SKERRY_OCI_HELPER_RUN_H

#include <stddef.h>

#include "base/err.h"

/*
 * Runs argv (argv[0]: the path) with an empty environment and waits for it. input may be NULL. *out
 * is malloc'd, the caller frees it; an answer beyond out_max is an error. A status other than 0 is
 * -EIO with what the helper said on stderr.
 */
int oci_helper_run(char *const argv[], const char *input, size_t input_size, size_t out_max,
                   char **out, size_t *out_size, struct err *err);

#endif
