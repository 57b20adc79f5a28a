/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a jail: everything that sandboxes of one template share, as plain data.
 *
 * A plan is pure: making and checking one touches neither files nor processes. jail_template_open()
 * applies it. It holds no pointers; paths in it are opened once, by the process that applies it.
 */
#ifndef SKERRY_JAIL_PLAN_H
#define SKERRY_JAIL_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strblock.h"
#include "sandbox/function.h"

#define JAIL_PLAN_VERSION 1

enum jail_flags {
    JAIL_KVM = 1 << 16, /* its /dev has kvm: the program is our monitor. The root may be empty but
                           for binds */
};

enum jail_warm { /* whether programs are started before their requests (skerry/abi/warm.h) */
                 JAIL_WARM_NO = 0,
                 JAIL_WARM_POOL,     /* the program is a monitor, which waits by itself */
                 JAIL_WARM_SNAPSHOT, /* as that where it is a monitor; and go on from the template's
                                        snapshot */
};

enum jail_snapshot {                         /* of a template with JAIL_WARM_SNAPSHOT */
                     JAIL_SNAPSHOT_NONE = 0, /* nobody has begun */
                     JAIL_SNAPSHOT_MAKING,
                     JAIL_SNAPSHOT_MADE,    /* sealed: sandboxes go on from it */
                     JAIL_SNAPSHOT_REFUSED, /* there will be none: sandboxes start cold */
};

struct jail_plan {
    uint32_t version;
    uint32_t flags; /* FUNCTION_OWN_IPC and FUNCTION_RENEW_ALL of enum function_flags, and enum
                       jail_flags */
    char name[160]; /* for messages and cgroups: "TENANT.NAME", [a-z0-9.-] */
    char tenant[FUNCTION_TENANT_MAX]; /* whose share of the machine it uses; empty: its own */
    char rootfs[1024];  /* absolute host path of the root file system's directory; empty: only usr
                           and binds */
    uint32_t host_usr;  /* 1: the host's /usr (and what /bin, /lib.. point to) read-only, and a
                           minimal /etc */
    uint32_t net;       /* enum function_net */
    uint32_t proc;      /* enum function_proc */
    uint32_t rootless;  /* 1: without privilege on the host; one uid is mapped */
    uint32_t uid_base;  /* first host uid and gid of the tenant's range */
    uint32_t uid_count; /* size of the range, normally 65536 */
    uint32_t uid;       /* of the program, within the sandbox: 0..uid_count-1 */
    uint32_t gid;
    uint32_t
        idmap_base; /* host uid that owns "0" in rootfs; files are shown shifted to the range */
    uint32_t warm;  /* enum jail_warm */
    char cwd[FUNCTION_PATH_MAX]; /* absolute */
    char hostname[64];
    struct function_limits limits;
    uint32_t bind_count;
    uint32_t reserved2;
    struct function_bind binds[FUNCTION_BINDS_MAX];
    STRBLOCK(8192)
    args; /* at least one; args[0] is looked up in the sandbox's PATH if it has no '/' */
    STRBLOCK(16384) env; /* "K=V"; the start message adds the request's */
};

/* An empty plan: no network furnished before use, pids-only /proc, uid 1000, the default limits. */
void jail_plan_init(struct jail_plan *plan);

/* Checks the plan as function_check does a function. 0 or -EINVAL with a sentence. */
int jail_plan_check(const struct jail_plan *plan, struct err *err);

#endif
