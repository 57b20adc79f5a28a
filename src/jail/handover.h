/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said between the owner of a template (supervisor or `skerry run`) and its zygote, over
 * the SOCK_SEQPACKET pair that the zygote finds as descriptor ZYGOTE_CONTROL_FD.
 *
 * First the owner sends struct handover_plan with the descriptors named by enum handover_fd, then
 * the filter's instructions as a message of their own. After that both send control_message.
 */
#ifndef SKERRY_JAIL_HANDOVER_H
#define SKERRY_JAIL_HANDOVER_H

#include <linux/filter.h>
#include <stdint.h>

#include "base/err.h"
#include "jail/plan.h"

#define ZYGOTE_CONTROL_FD 3
#define HANDOVER_VERSION  2
#define FILTER_LENGTH_MAX 4096 /* instructions: BPF_MAXINSNS */
#define SLOTS_MAX         1024

enum handover_fd {
    HANDOVER_START = 0, /* far end of the start socket */
    HANDOVER_REPORT,    /* far end of the report socket */
    HANDOVER_FIXED,     /* from here on the optional ones, in this order: */
    /* the root file system's tree (rootfs given), the /dev tree (privileged), /usr (host_usr), a
     * tree for each bind, skerry-warm (has_warm) */
};

struct handover_plan {
    uint32_t version;
    uint32_t has_rootfs;
    uint32_t has_dev;
    uint32_t has_usr;
    uint32_t has_warm;      /* the last descriptor is the program skerry-warm */
    uint32_t filter_length; /* instructions that follow in the next message */
    uint32_t uses_notify;   /* the filter has calls that a notify handler answers */
    struct jail_plan plan;
};

enum control_kind {
    /* owner to zygote */
    CONTROL_SLOT_ADD = 1, /* slot; value: enum slot_fds; those descriptors, in that order */
    CONTROL_SLOT_GO,      /* slot: its spawner is in its cgroup */
    CONTROL_EPOCH,        /* value: kill what runs for other epochs, accept this one only */
    /* zygote to owner */
    CONTROL_READY = 32,
    CONTROL_FAILED,    /* why */
    CONTROL_SLOT_HERE, /* slot: sent by the spawner itself, so that SCM_CREDENTIALS tells its pid */
    CONTROL_SLOT_GONE, /* slot; value 1: it was retired, 0: it died */
    CONTROL_WARM,      /* value: enum jail_snapshot; why.text: the reason when it was refused */
};

enum slot_fds {
    SLOT_FD_EVENTS = 1 << 0, /* a file whose "oom_kill N" counts */
    SLOT_FD_WARM = 1 << 1,   /* a pair of sockets for the words with warm programs: two */
};

struct control_message {
    uint32_t kind;
    uint32_t slot;
    uint32_t value;
    uint32_t reserved;
    struct err why;
};

/* Sent on the start socket by the owner: the sandbox that receives it ends, with its slot. */
#define START_RETIRE_MAGIC UINT32_C(0x52544b53) /* "SKTR" */
struct start_retire {
    uint32_t magic;
    uint32_t reserved;
};

#endif
