/* SPDX-License-Identifier: Apache-2.0 */
/* From a filter context of libseccomp to a program of the kernel; used by the jail and by the OCI
 * runtime. */
#ifndef SKERRY_JAIL_FILTER_EXPORT_H
#define SKERRY_JAIL_FILTER_EXPORT_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stdint.h>

#include "base/err.h"

/* A context whose program will be a tree and not a list of comparisons. NULL and err on failure. */
scmp_filter_ctx filter_begin(uint32_t default_action, struct err *err);

/* Compiles into code[room]; the context stays the caller's. The count of instructions or -errno. */
int filter_export(scmp_filter_ctx filter, struct sock_filter *code, uint32_t room, struct err *err);

#endif
