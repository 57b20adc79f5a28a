/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor may ask of the host once a guest runs. */
#ifndef SKERRY_VM_FILTER_H
#define SKERRY_VM_FILTER_H

#include "base/err.h"

struct vm_grant {
    int number;
    const char *reason;
};

/* The allowed system calls; *out_count of them. */
const struct vm_grant *vm_filter_grants(unsigned int *out_count);

/* Installs the filter for good; anything else kills the process. vcpu: the only descriptor that
 * ioctl may name. 0 or -errno. */
int vm_filter_install(int vcpu, struct err *err);

#endif
