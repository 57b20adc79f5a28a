/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_EXEC_PROCESS_H
#define SKERRY_OCI_EXEC_PROCESS_H

#include "oci/spec.h"
#include "oci/verb.h"

/*
 * The process that `exec` is to start, as *spec->process (spec: the container's configuration):
 * --process replaces it, else the options change it and argv gives the command. 0 or -errno.
 * *out_own: the specification that --process made; free it after use.
 */
int oci_exec_process(const struct oci_call *call, struct oci_spec *spec, struct oci_spec *out_own,
                     struct err *err);

#endif
