/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtime and the init process say to each other while a container is made, over a
 * SOCK_SEQPACKET pair. Its end is an answer too: an init that executed its program has closed it.
 */
#ifndef SKERRY_OCI_SYNC_H
#define SKERRY_OCI_SYNC_H

#include <stdint.h>

#include "base/err.h"

enum sync_kind {
    SYNC_END = 0, /* the other one is gone (or became the program) */
    /* runtime to init */
    SYNC_GO = 1, /* recorded, ids mapped, in its cgroups */
    SYNC_HOOKS_DONE,
    /* init to runtime */
    SYNC_HOOKS,  /* namespaces and mounts stand, the root is not entered */
    SYNC_READY,  /* only the start is missing */
    SYNC_FAILED, /* why; init ends */
};

struct sync_message {
    uint32_t kind;
    uint32_t value; /* of SYNC_GO: the pid of init as the runtime sees it */
    struct err why;
};

int sync_send(int sock, enum sync_kind kind, uint32_t value, const struct err *why);
/* The kind received or -errno; *err is filled from a SYNC_FAILED. out_value may be NULL. */
int sync_recv(int sock, uint32_t *out_value, struct err *err);

#endif
