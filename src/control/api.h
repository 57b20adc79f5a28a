/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API process: the admin HTTP of one daemon, unprivileged and confined.
 *
 *   Unix socket (peer's uid)  --+
 *                               +--> one request a connection --> routes --> table / link to the
 * supervisor gateway (TCP, password)   --+
 *
 * It parses HTTP and JSON, authenticates, and passes fixed-size structs to the supervisor, which
 * checks them again: a taken-over API process can deploy what an administrator could, and nothing
 * else. One thread, one epoll loop; every connection answers one request and is closed.
 */
#ifndef SKERRY_CONTROL_API_H
#define SKERRY_CONTROL_API_H

#include <stdbool.h>
#include <sys/types.h>

#include "control/api_auth.h"
#include "sandbox/stats.h"

struct api_options {      /* all descriptors are the API process's */
    int link;             /* SOCK_SEQPACKET to the supervisor, ctl.h */
    int listener;         /* of the Unix socket, non-blocking */
    int handoff;          /* SOCK_SEQPACKET from the gateway, link.h */
    uid_t admin;          /* peers of the Unix socket with this uid, or 0, may do everything */
    const char *password; /* of "admin" over TCP */
    const struct stats_page *stats; /* mapped read-only, or NULL */
};

/* Serves until the link ends. Exit status. */
int api_main(const struct api_options *options);

#endif
