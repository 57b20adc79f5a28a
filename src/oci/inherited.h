/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of the caller that the container's program is to get. */
#ifndef SKERRY_OCI_INHERITED_H
#define SKERRY_OCI_INHERITED_H

#include <stdint.h>

#include "base/err.h"

/*
 * How many descriptors from 3 on are passed: those of LISTEN_FDS (*out_listen: how many of them, if
 * they are meant for us) and after them `preserve`. Call before anything is opened: each must be
 * open, or one of our own would come to stand in its place and be passed. 0 or -errno.
 */
int oci_inherited_count(uint32_t preserve, uint32_t *out_listen, uint32_t *out_all,
                        struct err *err);

#endif
