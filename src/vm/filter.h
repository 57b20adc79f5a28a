/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor may ask of the host once a guest may run. */
#ifndef SKERRY_VM_FILTER_H
#define SKERRY_VM_FILTER_H

#include <stdbool.h>

#include "base/err.h"

#define VM_GRANTS_MAX 12u

/* What the monitor was started for (skerry/abi/warm.h); each needs other calls. */
enum vm_role {
    VM_ROLE_ALONE = 1u << 0, /* one program, now */
    VM_ROLE_POOL = 1u << 1,
    VM_ROLE_MAKE = 1u << 2,
    VM_ROLE_RESTORE = 1u << 3,
};

struct vm_filter {
    enum vm_role role;
    int vcpu;    /* the guest's CPU */
    int pagemap; /* -1: none */
    bool scans;  /* the kernel has PAGEMAP_SCAN */
};

struct vm_grant {
    int number;
    const char *reason;
};

/* The system calls that such a filter allows; returns how many, which is at most VM_GRANTS_MAX. */
unsigned int vm_filter_grants(const struct vm_filter *filter, struct vm_grant out[VM_GRANTS_MAX]);

/* Installs the filter for good; anything else kills the process. 0 or -errno. */
int vm_filter_install(const struct vm_filter *filter, struct err *err);

#endif
