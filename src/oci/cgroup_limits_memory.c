/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources.memory. The specification's `swap` is memory and swap together, as v1 counts it;
 * v2 counts swap alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oci/cgroup_limits.h"

#define BOTH_FILE  "memory.memsw.limit_in_bytes"
#define LIMIT_FILE "memory.limit_in_bytes"

/* checkBeforeUpdate: better an error than a container killed by its new limit. */
static int check_usage(const struct limits *limits, bool v2)
{
    const struct oci_memory *memory = &limits->resources->memory;
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "memory");
    uint64_t usage = 0;
    if (!memory->check_before_update.value || !memory->limit.set || memory->limit.value <= 0 ||
        tree == NULL)
        return 0;
    int result =
        cgroup_tree_number(tree, v2 ? "memory.current" : "memory.usage_in_bytes", NULL, &usage);
    if (result == 0 && usage > (uint64_t)memory->limit.value)
        result = err_set(limits->err, EBUSY,
                         "linux.resources.memory.limit: %" PRIu64 " bytes are in use, more than "
                         "the new limit",
                         usage);
    return result;
}

/* The limit must not exceed the limit of both, so raising and lowering need different orders. */
static int put_v1_limits(const struct limits *limits)
{
    const struct oci_memory *memory = &limits->resources->memory;
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "memory");
    bool both = memory->swap.set && memory->swap.value != 0;
    bool alone = memory->limit.set && memory->limit.value != 0;
    int64_t swap = memory->swap.value;
    int result = 0;
    if (!both && alone && memory->limit.value == -1 && tree != NULL &&
        cgroup_tree_has(tree, BOTH_FILE)) {
        both = true; /* no limit of memory means none of both */
        swap = -1;
    }
    uint64_t now = UINT64_MAX;
    if (both && alone && tree != NULL)
        cgroup_tree_number(tree, BOTH_FILE, NULL, &now);
    bool raises = both && (swap == -1 || (uint64_t)swap > now);
    if (raises)
        result = limit_put(limits, "memory.swap", "memory", BOTH_FILE, "%" PRId64, swap);
    if (result == 0 && alone)
        result = limit_put(limits, "memory.limit", "memory", LIMIT_FILE, "%" PRId64,
                           memory->limit.value);
    if (result == 0 && both && !raises)
        result = limit_put(limits, "memory.swap", "memory", BOTH_FILE, "%" PRId64, swap);
    return result;
}

static int put_v1_rest(const struct limits *limits)
{
    const struct oci_memory *memory = &limits->resources->memory;
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "memory");
    int result = 0;
    if (memory->reservation.set && memory->reservation.value != 0)
        result = limit_put(limits, "memory.reservation", "memory", "memory.soft_limit_in_bytes",
                           "%" PRId64, memory->reservation.value);
    if (result == 0 && memory->kernel.set && memory->kernel.value > 0)
        result = limit_put(limits, "memory.kernel", "memory", "memory.kmem.limit_in_bytes",
                           "%" PRId64, memory->kernel.value);
    if (result == 0 && memory->kernel_tcp.set && memory->kernel_tcp.value > 0)
        result = limit_put(limits, "memory.kernelTCP", "memory", "memory.kmem.tcp.limit_in_bytes",
                           "%" PRId64, memory->kernel_tcp.value);
    if (result == 0 && memory->swappiness.set)
        result = limit_put(limits, "memory.swappiness", "memory", "memory.swappiness", "%" PRIu64,
                           memory->swappiness.value);
    if (result == 0 && memory->disable_oom_killer.value)
        result = limit_put(limits, "memory.disableOOMKiller", "memory", "memory.oom_control", "1");
    /* newer kernels know nothing else and have no file for it */
    bool choice = tree != NULL && cgroup_tree_has(tree, "memory.use_hierarchy");
    if (result == 0 && memory->use_hierarchy.set && (choice || !memory->use_hierarchy.value))
        result = limit_put(limits, "memory.useHierarchy", "memory", "memory.use_hierarchy", "%d",
                           memory->use_hierarchy.value);
    return result;
}

static int put_v2_amount(const struct limits *limits, const char *property, const char *file,
                         int64_t bytes)
{
    if (bytes == -1)
        return limit_put(limits, property, "memory", file, "max");
    return limit_put(limits, property, "memory", file, "%" PRId64, bytes);
}

/* Both together minus the memory: the new limit, or the one that holds. */
static int put_v2_swap(const struct limits *limits)
{
    const struct oci_memory *memory = &limits->resources->memory;
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "memory");
    uint64_t limit = (uint64_t)memory->limit.value;
    bool given = memory->limit.set && memory->limit.value > 0;
    if (!memory->swap.set || memory->swap.value == 0)
        return 0;
    if (memory->swap.value == -1)
        return put_v2_amount(limits, "memory.swap", "memory.swap.max", -1);
    if (!given && (memory->limit.set || tree == NULL ||
                   cgroup_tree_number(tree, "memory.max", NULL, &limit) < 0 || limit == UINT64_MAX))
        return err_set(limits->err, EINVAL,
                       "linux.resources.memory.swap: memory and swap together are limited, but "
                       "memory is not");
    if ((uint64_t)memory->swap.value < limit)
        return err_set(limits->err, EINVAL,
                       "linux.resources.memory.swap: less than the limit of memory, which it "
                       "includes");
    return put_v2_amount(limits, "memory.swap", "memory.swap.max",
                         memory->swap.value - (int64_t)limit);
}

static int put_v2(const struct limits *limits)
{
    const struct oci_memory *memory = &limits->resources->memory;
    int result = 0;
    if (memory->kernel.set && memory->kernel.value > 0)
        return limit_unsupported(limits, "memory.kernel", "cgroup v2 has no such limit");
    if (memory->kernel_tcp.set && memory->kernel_tcp.value > 0)
        return limit_unsupported(limits, "memory.kernelTCP", "cgroup v2 has no such limit");
    if (memory->swappiness.set)
        return limit_unsupported(limits, "memory.swappiness", "cgroup v2 has none of its own");
    if (memory->disable_oom_killer.value)
        return limit_unsupported(limits, "memory.disableOOMKiller", "cgroup v2 cannot do that");
    if (memory->use_hierarchy.set && !memory->use_hierarchy.value)
        return limit_unsupported(limits, "memory.useHierarchy", "cgroup v2 always does");
    if (memory->limit.set && memory->limit.value != 0)
        result = put_v2_amount(limits, "memory.limit", "memory.max", memory->limit.value);
    if (result == 0)
        result = put_v2_swap(limits);
    if (result == 0 && memory->reservation.set && memory->reservation.value != 0)
        result =
            put_v2_amount(limits, "memory.reservation", "memory.low", memory->reservation.value);
    return result;
}

int limit_memory(const struct limits *limits)
{
    bool v2 = limit_is_v2(limits, "memory");
    int result = check_usage(limits, v2);
    if (result < 0)
        return result;
    if (v2)
        return put_v2(limits);
    result = put_v1_limits(limits);
    return result == 0 ? put_v1_rest(limits) : result;
}
