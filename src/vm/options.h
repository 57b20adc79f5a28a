/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's command line, and the part of a boot block that follows from it. */
#ifndef SKERRY_VM_OPTIONS_H
#define SKERRY_VM_OPTIONS_H

#include <stdbool.h>

#include "base/err.h"
#include "skerry/abi/vm.h"

struct vm_options {
    const char *kvm, *image, *cwd;
    uint64_t ram_bytes, deadline_ns, threads_max, files_max;
    uint32_t uid, gid, open_max; /* open_max: files of a process of the guest */
    bool trace, stages, probe;
    char **args;
    int arg_count;
};

/* Parses main's arguments, which must live on. 0 or -errno with the usage. */
int options_parse(int argc, char **argv, struct vm_options *out, struct err *err);

/*
 * Fills boot's flags, identity, paths and limits, and strings (VM_STRINGS_MAX bytes) with arguments
 * and this process's environment, less what is not the program's. 0 or -errno.
 */
int options_describe_boot(const struct vm_options *options, struct vm_boot *boot, char *strings,
                          struct err *err);

#endif
