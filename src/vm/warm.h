/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor as a warm program (skerry/abi/warm.h): it waits for its request, or makes what others
 * begin from. */
#ifndef SKERRY_VM_WARM_H
#define SKERRY_VM_WARM_H

#include "vm/filter.h"
#include "vm/machine.h"
#include "vm/options.h"

/* What SKERRY_WARM in the environment asks for; VM_ROLE_ALONE without it. 0, or -EINVAL. */
int warm_role(enum vm_role *out, struct err *err);

#define WARM_NO_REQUEST 1 /* pid 1 closed its end */

/*
 * Plays the role to its end: gets ready, says READY, runs what comes. *out_verdict is how the last
 * program ended (VERDICT_PAUSED: there was none). files: closed before the filter is installed.
 * 0 when it is over, WARM_NO_REQUEST when no request came, -errno with the reason of a failure.
 */
int warm_run(struct machine *machine, enum vm_role role, const struct vm_options *options,
             struct vm_files *files, struct verdict *out_verdict, struct err *err);

#endif
