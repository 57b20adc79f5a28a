/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of `linux.seccomp` given to libseccomp; part of skerry-oci-seccomp and of the tests. */
#ifndef SKERRY_OCI_SECCOMP_COMPILE_H
#define SKERRY_OCI_SECCOMP_COMPILE_H

#include <linux/filter.h>

#include "oci/spec.h"

/* Compiles a profile into code[room]. The count of instructions or -errno; err names the rule. */
int oci_seccomp_compile(const struct oci_seccomp *seccomp, struct sock_filter *code, uint32_t room,
                        struct err *err);

#endif
