/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_START_H
#define SKERRY_OCI_START_H

#include "oci/spec.h"
#include "oci/state.h"

/* Tells the waiting init of a created container to go on; returns when its program runs (poststart
 * hooks done), or why not. 0 or -errno. */
int oci_start_created(const struct oci_place *place, struct oci_state *state, struct err *err);

/* The poststart hooks; when one fails the container is killed. 0 or -errno. */
int oci_start_poststart(const struct oci_spec *spec, struct oci_state *state, struct err *err);

#endif
