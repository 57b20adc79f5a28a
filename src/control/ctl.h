/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link between the API process and the supervisor: fixed-size messages over a SOCK_SEQPACKET
 * pair. The API process parses and authenticates; the supervisor checks the struct and acts. The
 * supervisor keeps the API process's table current with PUT and DEL messages, so that list and
 * describe need no question.
 */
#ifndef SKERRY_CONTROL_CTL_H
#define SKERRY_CONTROL_CTL_H

#include <stdint.h>

#include "base/err.h"
#include "sandbox/function.h"
#include "skerry/abi/warm.h"

enum ctl_kind {
    /* API to supervisor */
    CTL_DEPLOY = 1, /* spec; must be new */
    CTL_UPDATE,     /* spec; must exist */
    CTL_PUT,        /* spec; new or not (what the CLI's deploy does) */
    CTL_REMOVE,     /* spec.name, spec.tenant */
    /* supervisor to API */
    CTL_REPLY = 32, /* request_id, why.code 0 or the reason */
    CTL_FUNCTION, /* index, generation, spec, status: current state of a function; fds: its log file
                     (read-only) */
    CTL_FUNCTION_DEL, /* index */
};

enum ctl_status {
    CTL_STARTING = 0, /* its zygote is being built */
    CTL_READY,
    CTL_FAILED, /* why says what */
};

struct ctl_message {
    uint32_t kind;
    uint32_t status; /* enum ctl_status */
    uint64_t request_id;
    uint32_t index;
    uint32_t snapshot; /* enum jail_snapshot of what serves */
    uint64_t generation;
    char snapshot_why[WARM_REASON_MAX];
    struct err why;
    struct function_spec spec;
};

#endif
