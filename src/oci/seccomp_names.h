/* SPDX-License-Identifier: Apache-2.0 */
/* The words of `linux.seccomp`; tables that end with a NULL name. For the parser and `features`. */
#ifndef SKERRY_OCI_SECCOMP_NAMES_H
#define SKERRY_OCI_SECCOMP_NAMES_H

#include "oci/names.h"

extern const struct oci_name oci_seccomp_action_names[];   /* enum oci_seccomp_action */
extern const struct oci_name oci_seccomp_operator_names[]; /* enum oci_seccomp_operator */
extern const struct oci_name oci_seccomp_arch_names[];     /* AUDIT_ARCH_*, OCI_ARCH_X32 */
extern const struct oci_name oci_seccomp_flag_names[];     /* SECCOMP_FILTER_FLAG_* */

#endif
