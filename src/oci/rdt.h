/* SPDX-License-Identifier: Apache-2.0 */
/* `linux.intelRdt`: a class of the resctrl file system (cache and memory bandwidth). */
#ifndef SKERRY_OCI_RDT_H
#define SKERRY_OCI_RDT_H

#include <sys/types.h>

#include "base/err.h"
#include "oci/spec.h"

/*
 * Makes the class (named closID, else id) or takes an existing one, writes its schemata, and puts
 * pid in. With a closID and no schema the class must exist. -ENOTSUP where resctrl is not mounted.
 */
int oci_rdt_apply(const struct oci_intel_rdt *rdt, const char *id, pid_t pid, struct err *err);

/* New schemata for the class of that name (update). NULL: unchanged. */
int oci_rdt_update(const char *name, const char *l3_cache_schema, const char *mem_bw_schema,
                   struct err *err);

/*
 * Removes the class that was made for the container id; 0 also when there is none. A class with a
 * closID is its owner's, who may have other containers in it.
 */
int oci_rdt_remove(const char *id, struct err *err);

#endif
