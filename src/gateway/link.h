/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link between the supervisor and its gateway: fixed-size messages over a SOCK_SEQPACKET pair.
 * The supervisor hands over what the gateway may do (a pair of sockets a function); the gateway can
 * only ask for more or fewer sandboxes of what it already holds.
 *
 * In each round of its loop the gateway reads this link before any connection: who was told that a
 * deploy succeeded then finds the function.
 */
#ifndef SKERRY_GATEWAY_LINK_H
#define SKERRY_GATEWAY_LINK_H

#include <stdint.h>

#include "sandbox/function.h"

enum link_kind {
    /* supervisor to gateway */
    /*
     * index, generation, value: serial of its zygote, function; fds: start socket, report socket,
     * log file (O_APPEND). With the log file alone: the function is deployed, its zygote is not up
     * yet, requests wait in its queue and a PUT with three follows. The generation is that of the
     * name: an update or a new zygote comes as a PUT of the same index and generation with new
     * sockets; calls that run on the earlier ones end there (after a DOWN they are lost).
     */
    LINK_FUNCTION_PUT = 1,
    LINK_FUNCTION_DEL,    /* index, generation; calls that run end, then RETIRED */
    LINK_SLOTS,           /* index, generation, value: sandboxes that may run at once */
    LINK_FUNCTION_DOWN,   /* its zygote died: calls in flight are lost (502), a PUT follows */
    LINK_DRAIN,           /* stop accepting, finish what runs, answer DRAINED, exit */
    LINK_FUNCTION_FAILED, /* index, generation: it cannot be served; until the next PUT with
                             three descriptors requests get 503 with the reason */
    LINK_SERVE,           /* the first table is complete: accept connections, answer READY */
    /* gateway to supervisor */
    LINK_READY = 32, /* serving */
    LINK_WANT,       /* index, generation, value: sandboxes wanted, see function_need */
    LINK_DRAINED,
    LINK_RETIRED, /* index, generation, value: serial; no call uses these sockets any more (they are
                     closed) */
};

struct link_function {
    char name[FUNCTION_NAME_MAX];
    char tenant[FUNCTION_TENANT_MAX];
    char script[64]; /* SERVER_SOFTWARE-like label, unused by routing */
    uint32_t flags;  /* enum function_flags */
    uint32_t reserved;
    struct function_limits limits;
};

struct link_message {
    uint32_t kind;
    uint32_t index; /* of the function: 0..FUNCTIONS_MAX-1, also of its stats */
    uint64_t generation;
    uint64_t value;
    struct link_function function;
};

/* What a gateway is started with; it owns all descriptors. */
struct gateway_options {
    const int *listeners; /* listening sockets (TCP, Unix), non-blocking */
    unsigned int listener_count;
    int link;       /* to the supervisor */
    int api;        /* SOCK_SEQPACKET to the API process: connections of /system/ go there */
    int stats;      /* memfd of struct stats_page, read-write */
    int access_log; /* O_APPEND file or -1 */
    int dev_null;   /* /dev/null, read-only: stdin of a program whose request has no body */
    int uptime;     /* /proc/uptime, or -1: functions are as wide as they may be (width.h) */
    uint32_t epoch; /* of this gateway process */
    int hold;       /* 1: accept nobody before LINK_SERVE */
    unsigned int connections_max; /* 0: 8192 */
    unsigned int cpus;            /* of the machine; 0: one. See lane.h and width.h */
};

/*
 * A connection whose request is for the API process goes there whole: one message of this head
 * and the bytes that were read from it so far (at most HANDOFF_BYTES_MAX), with its descriptor. The
 * API process answers it and closes it.
 */
#define HANDOFF_BYTES_MAX (64u * 1024u)
struct handoff_head {
    uint32_t magic; /* 0x31464f48 */
    uint32_t bytes;
};

/* The gateway's life: serves until the link ends (then it exits) or a drain is done. Exit status.
 */
int gateway_main(const struct gateway_options *options);

#endif
