/* SPDX-License-Identifier: Apache-2.0 */
#include "control/tier.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/tier.h"

#define MONITOR_TARGET "/skerry-vmm"
#define DISK_TARGET    "/disk"

static int shape_jail(const struct function_spec *spec, const struct function_place *place,
                      struct jail_plan *plan, struct err *err)
{
    (void)err;
    if (place->ahead && (spec->flags & FUNCTION_WARM) != 0)
        plan->warm = JAIL_WARM_SNAPSHOT;
    return 0;
}

static int add_file(struct jail_plan *plan, const char *source, const char *target, struct err *err)
{
    struct function_bind *bind = &plan->binds[plan->bind_count];
    if (source == NULL || strlen(source) >= sizeof(bind->source))
        return err_set(err, ENAMETOOLONG, "the vm tier's file for %s has no usable path", target);
    *bind = (struct function_bind){.read_only = 1};
    strcpy(bind->source, source);
    strcpy(bind->target, target);
    plan->bind_count++;
    return 0;
}

static int add_args(struct jail_plan *plan, const struct function_spec *spec,
                    const struct function_place *place, struct err *err)
{
    static __thread struct jail_plan before; /* 50 KiB */
    char mem[32], user[32], pids[32], tmp[32];
    const char *words[] = {MONITOR_TARGET, "--image", DISK_TARGET, "--mem",    mem,
                           "--user",       user,      "--cwd",     before.cwd, "--pids",
                           pids,           "--tmp",   tmp};
    int rc = 0;
    before = *plan;
    snprintf(mem, sizeof(mem), "%" PRIu64, spec->limits.mem_bytes);
    snprintf(pids, sizeof(pids), "%" PRIu32, spec->limits.pids_max);
    snprintf(tmp, sizeof(tmp), "%" PRIu64, spec->limits.tmp_bytes);
    snprintf(user, sizeof(user), "%" PRIu32 ":%" PRIu32, plan->uid, plan->gid);
    memset(&plan->args, 0, sizeof(plan->args));
    for (size_t i = 0; rc == 0 && i < sizeof(words) / sizeof(words[0]); i++)
        rc = STRBLOCK_ADD(&plan->args, words[i]);
    if (rc == 0 && place->trace)
        rc = STRBLOCK_ADD(&plan->args, "--trace");
    if (rc == 0 && place->stages)
        rc = STRBLOCK_ADD(&plan->args, "--stages");
    if (rc == 0)
        rc = STRBLOCK_ADD(&plan->args, "--");
    for (STRBLOCK_EACH(&before.args, arg)) {
        if (rc == 0)
            rc = STRBLOCK_ADD(&plan->args, arg);
    }
    return rc == 0 ? 0
                   : err_set(err, E2BIG, "the arguments are larger than %zu bytes",
                             sizeof(plan->args.data));
}

/*
 * The monitor in a jail of its own: its root holds the monitor, the disk and /dev/kvm. The guest's
 * memory is the function's; the jail's limit leaves room for the monitor and the kernel's tables.
 */
static int shape_vm(const struct function_spec *spec, const struct function_place *place,
                    struct jail_plan *plan, struct err *err)
{
    plan->flags |= JAIL_KVM;
    /* a CGI program takes its request from the environment, which may be read before any input */
    uint32_t wants_none = FUNCTION_NOT_WARM | FUNCTION_CGI;
    if (place->ahead)
        plan->warm = (spec->flags & FUNCTION_WARM) != 0 || (spec->flags & wants_none) == 0
                         ? JAIL_WARM_SNAPSHOT
                         : JAIL_WARM_POOL;
    plan->host_usr = 0;
    plan->rootfs[0] = '\0';
    plan->net = FUNCTION_NET_NONE;
    plan->proc = FUNCTION_PROC_PIDS;
    plan->bind_count = 0;
    int rc = add_file(plan, place->monitor, MONITOR_TARGET, err);
    if (rc == 0)
        rc = add_file(plan, place->disk, DISK_TARGET, err);
    if (rc == 0)
        rc = add_args(plan, spec, place, err);
    strcpy(plan->cwd, "/");
    plan->limits.mem_bytes += TIER_VM_MEM_EXTRA;
    return rc;
}

const char *tier_program(const struct jail_plan *plan)
{
    bool next = false;
    if ((plan->flags & JAIL_KVM) == 0)
        return plan->args.data;
    for (STRBLOCK_EACH(&plan->args, arg)) {
        if (next)
            return arg;
        next = strcmp(arg, "--") == 0;
    }
    return plan->args.data;
}

static const struct tier_ops tiers[] = {
    {.name = TIER_JAIL,
     .needs_disk = false,
     .shape = shape_jail,
     .warm_without_snapshot = JAIL_WARM_NO},
    {.name = TIER_VM,
     .needs_disk = true,
     .shape = shape_vm,
     .warm_without_snapshot = JAIL_WARM_POOL},
};

const struct tier_ops *tier_find(const char *name)
{
    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (strcmp(tiers[i].name, name) == 0)
            return &tiers[i];
    }
    return NULL;
}
