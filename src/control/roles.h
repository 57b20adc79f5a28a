/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles that skerryd's program has besides the supervisor's: what it is started with for each,
 * and the begin of each, up to where it is confined and serves.
 */
#ifndef SKERRY_CONTROL_ROLES_H
#define SKERRY_CONTROL_ROLES_H

#include <stdbool.h>

#include "control/child.h"

#define ROLE_GATEWAY "--role=gateway"
#define ROLE_API     "--role=api"

/* Host ids of the services, below the tenants' ranges. */
#define ROLE_GATEWAY_UID(uid_base) ((uid_base)-2)
#define ROLE_API_UID(uid_base)     ((uid_base)-1)

enum role_gateway_fd {
    ROLE_GATEWAY_LINK = CHILD_FD_FIRST,
    ROLE_GATEWAY_API,
    ROLE_GATEWAY_STATS, /* read-write */
    ROLE_GATEWAY_LOG,
    ROLE_GATEWAY_UPTIME,    /* /proc/uptime */
    ROLE_GATEWAY_LISTENERS, /* this one and the following */
};

enum role_api_fd {
    ROLE_API_LINK = CHILD_FD_FIRST,
    ROLE_API_LISTENER,
    ROLE_API_HANDOFF,
    ROLE_API_STATS, /* read-only */
    ROLE_API_PASSWORD,
    ROLE_API_FD_END,
};

/* True when the arguments name a role: then it has been lived, and *out_status is the exit status.
 */
bool role_run(int argc, char **argv, int *out_status);

#endif
