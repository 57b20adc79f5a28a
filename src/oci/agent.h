/* SPDX-License-Identifier: Apache-2.0 */
/* The agent that answers a profile's SCMP_ACT_NOTIFY, behind linux.seccomp.listenerPath. */
#ifndef SKERRY_OCI_AGENT_H
#define SKERRY_OCI_AGENT_H

#include <sys/types.h>

#include "oci/seccomp.h"

/* Connects to the agent, if the filter notifies. *out: the socket, or -1. 0 or -errno. */
int oci_agent_connect(const struct oci_seccomp *seccomp, const struct oci_filter *filter, int *out,
                      struct err *err);

/*
 * What the agent is told beside the listener: the specification's "container process state", as
 * JSON. pid: of the process, as the runtime sees it; state: the container's, as JSON. malloc'd,
 * NULL when there is no memory.
 */
char *oci_agent_state(const struct oci_spec *spec, pid_t pid, const char *state);

#endif
