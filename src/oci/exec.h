/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_EXEC_H
#define SKERRY_OCI_EXEC_H

#include "oci/state.h"
#include "oci/verb.h"

/* What `exec` asks for, in a container of the jail tier. Its exit status (0 with --detach), or
 * -errno. */
int oci_exec_in(struct oci_call *call, const struct oci_place *place, struct oci_state *state,
                struct err *err);

#endif
