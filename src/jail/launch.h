/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_JAIL_LAUNCH_H
#define SKERRY_JAIL_LAUNCH_H

#include <sys/types.h>

#include "base/err.h"
#include "jail/host.h"
#include "jail/plan.h"

/* What a launched zygote is held by; all descriptors are the caller's. */
struct launch {
    pid_t pid;
    int pidfd;
    int control; /* near end; SO_PASSCRED is set */
    int start;   /* near ends */
    int report;
};

/*
 * Forks skerry-zygote into new namespaces, maps its ids, opens what the plan names (root file
 * system, /usr, binds) as detached trees and hands all over. 0 or -errno; then nothing is left.
 */
int launch_zygote(struct jail_host *host, const struct jail_plan *plan, struct launch *out,
                  struct err *err);

/* Kills a launched zygote, waits for its end and closes its descriptors. */
void launch_undo(struct launch *launch);

#endif
