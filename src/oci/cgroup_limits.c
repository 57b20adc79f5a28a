/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources as writes into cgroup files: only what is set is written, so that the same
 * function serves creation and `update`. The specification speaks v1's language; what v2 has no
 * word for is an error.
 */
#include "oci/cgroup_limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int limit_unsupported(const struct limits *limits, const char *property, const char *why)
{
    return err_set(limits->err, ENOTSUP, "linux.resources.%s: %s", property, why);
}

bool limit_is_v2(const struct limits *limits, const char *controller)
{
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, controller);
    return tree != NULL && tree->v2;
}

int limit_put(const struct limits *limits, const char *property, const char *controller,
              const char *file, const char *format, ...)
{
    char text[512];
    va_list list;
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, controller);
    va_start(list, format);
    int length = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (tree == NULL)
        return err_set(limits->err, ENOTSUP,
                       "linux.resources.%s: there is no cgroup controller \"%s\" for the container",
                       property, controller);
    if (length < 0 || (size_t)length >= sizeof(text))
        return err_set(limits->err, EINVAL, "linux.resources.%s: too long", property);
    int result = cgroup_tree_write(tree, file, text);
    if (result == -ENOENT)
        return err_set(limits->err, ENOTSUP,
                       "linux.resources.%s: the container's cgroup has no file %s", property, file);
    if (result < 0)
        return err_set(limits->err, -result,
                       "linux.resources.%s: write \"%s\" to %s%s/%s:", property, text, tree->mount,
                       tree->path, file);
    return 0;
}

/* --- cpu --- */

uint64_t cgroup_weight_of_shares(uint64_t shares)
{
    if (shares == 0)
        return 0;
    shares = shares < 2 ? 2 : shares > 262144 ? 262144 : shares;
    return 1 + (shares - 2) * 9999 / 262142;
}

/* Quota and period constrain each other: whichever order the kernel takes. */
static int put_v1_quota(const struct limits *limits)
{
    const struct oci_cpu *cpu = &limits->resources->cpu;
    bool quota_first = false;
    if (cpu->period_us.set && cpu->period_us.value != 0) {
        const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "cpu");
        char text[32];
        snprintf(text, sizeof(text), "%" PRIu64, cpu->period_us.value);
        quota_first = tree != NULL && cpu->quota_us.set &&
                      cgroup_tree_write(tree, "cpu.cfs_period_us", text) == -EINVAL;
    }
    int64_t quota = cpu->quota_us.value > 0 ? cpu->quota_us.value : -1;
    int result = 0;
    if (quota_first)
        result = limit_put(limits, "cpu.quota", "cpu", "cpu.cfs_quota_us", "%" PRId64, quota);
    if (result == 0 && cpu->period_us.set && cpu->period_us.value != 0)
        result = limit_put(limits, "cpu.period", "cpu", "cpu.cfs_period_us", "%" PRIu64,
                           cpu->period_us.value);
    if (result == 0 && cpu->quota_us.set && !quota_first)
        result = limit_put(limits, "cpu.quota", "cpu", "cpu.cfs_quota_us", "%" PRId64, quota);
    return result;
}

/* "QUOTA PERIOD"; what is not given stays as it is. */
static int put_v2_quota(const struct limits *limits)
{
    const struct oci_cpu *cpu = &limits->resources->cpu;
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "cpu");
    char quota[32] = "max";
    bool period = cpu->period_us.set && cpu->period_us.value != 0;
    if (!cpu->quota_us.set && !period)
        return 0;
    if (cpu->quota_us.set && cpu->quota_us.value > 0) {
        snprintf(quota, sizeof(quota), "%" PRId64, cpu->quota_us.value);
    } else if (!cpu->quota_us.set && tree != NULL) {
        char text[64];
        if (cgroup_tree_read(tree, "cpu.max", text, sizeof(text)) > 0)
            snprintf(quota, sizeof(quota), "%.*s", (int)strcspn(text, " \n"), text);
    }
    if (!period)
        return limit_put(limits, "cpu.quota", "cpu", "cpu.max", "%s", quota);
    return limit_put(limits, cpu->quota_us.set ? "cpu.quota" : "cpu.period", "cpu", "cpu.max",
                     "%s %" PRIu64, quota, cpu->period_us.value);
}

static int put_realtime(const struct limits *limits, bool v2)
{
    const struct oci_cpu *cpu = &limits->resources->cpu;
    int result = 0;
    bool period = cpu->realtime_period_us.set && cpu->realtime_period_us.value != 0;
    bool runtime = cpu->realtime_runtime_us.set && cpu->realtime_runtime_us.value != 0;
    if ((period || runtime) && v2)
        return limit_unsupported(limits, period ? "cpu.realtimePeriod" : "cpu.realtimeRuntime",
                                 "cgroup v2 has no limits of real time");
    if (period)
        result = limit_put(limits, "cpu.realtimePeriod", "cpu", "cpu.rt_period_us", "%" PRIu64,
                           cpu->realtime_period_us.value);
    if (result == 0 && runtime)
        result = limit_put(limits, "cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", "%" PRId64,
                           cpu->realtime_runtime_us.value);
    return result;
}

static int limit_cpu(const struct limits *limits)
{
    const struct oci_cpu *cpu = &limits->resources->cpu;
    bool v2 = limit_is_v2(limits, "cpu");
    int result = 0;
    if (cpu->idle.set)
        result = limit_put(limits, "cpu.idle", "cpu", "cpu.idle", "%" PRId64, cpu->idle.value);
    if (result == 0 && cpu->shares.set && cpu->shares.value != 0 && v2)
        result = limit_put(limits, "cpu.shares", "cpu", "cpu.weight", "%" PRIu64,
                           cgroup_weight_of_shares(cpu->shares.value));
    else if (result == 0 && cpu->shares.set && cpu->shares.value != 0)
        result =
            limit_put(limits, "cpu.shares", "cpu", "cpu.shares", "%" PRIu64, cpu->shares.value);
    if (result == 0)
        result = v2 ? put_v2_quota(limits) : put_v1_quota(limits);
    if (result == 0 && cpu->burst_us.set)
        result = limit_put(limits, "cpu.burst", "cpu", v2 ? "cpu.max.burst" : "cpu.cfs_burst_us",
                           "%" PRIu64, cpu->burst_us.value);
    if (result == 0)
        result = put_realtime(limits, v2);
    if (result == 0 && cpu->cpus != NULL)
        result = limit_put(limits, "cpu.cpus", "cpuset", "cpuset.cpus", "%s", cpu->cpus);
    if (result == 0 && cpu->mems != NULL)
        result = limit_put(limits, "cpu.mems", "cpuset", "cpuset.mems", "%s", cpu->mems);
    return result;
}

/* --- pids, huge pages, network, rdma --- */

static int limit_pids(const struct limits *limits)
{
    const struct oci_int *limit = &limits->resources->pids_limit;
    if (!limit->set)
        return 0;
    if (limit->value <= 0)
        return limit_put(limits, "pids.limit", "pids", "pids.max", "max");
    return limit_put(limits, "pids.limit", "pids", "pids.max", "%" PRId64, limit->value);
}

static int limit_hugepages(const struct limits *limits)
{
    const struct oci_resources *resources = limits->resources;
    bool v2 = limit_is_v2(limits, "hugetlb");
    int result = 0;
    for (size_t i = 0; result == 0 && i < resources->hugepage_count; i++) {
        const struct oci_hugepage_limit *limit = &resources->hugepages[i];
        const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "hugetlb");
        char file[64];
        snprintf(file, sizeof(file), "hugetlb.%.20s.%s", limit->page_size,
                 v2 ? "max" : "limit_in_bytes");
        result = limit_put(limits, "hugepageLimits", "hugetlb", file, "%" PRIu64, limit->limit);
        /* reservations are counted apart since Linux 5.7; older kernels have no such file */
        snprintf(file, sizeof(file), "hugetlb.%.20s.rsvd.%s", limit->page_size,
                 v2 ? "max" : "limit_in_bytes");
        if (result == 0 && tree != NULL && cgroup_tree_has(tree, file))
            result = limit_put(limits, "hugepageLimits", "hugetlb", file, "%" PRIu64, limit->limit);
    }
    return result;
}

static int limit_network(const struct limits *limits)
{
    const struct oci_resources *resources = limits->resources;
    int result = 0;
    if (resources->net_class_id.set && resources->net_class_id.value != 0)
        result = limit_put(limits, "network.classID", "net_cls", "net_cls.classid", "%" PRIu64,
                           resources->net_class_id.value);
    for (size_t i = 0; result == 0 && i < resources->net_priorities.count; i++)
        result = limit_put(limits, "network.priorities", "net_prio", "net_prio.ifpriomap", "%s %s",
                           resources->net_priorities.items[i].key,
                           resources->net_priorities.items[i].value);
    return result;
}

static int limit_rdma(const struct limits *limits)
{
    const struct oci_resources *resources = limits->resources;
    int result = 0;
    for (size_t i = 0; result == 0 && i < resources->rdma_count; i++) {
        const struct oci_rdma *rdma = &resources->rdma[i];
        if (rdma->hca_handles.set)
            result = limit_put(limits, "rdma", "rdma", "rdma.max", "%s hca_handle=%" PRIu64,
                               rdma->device, rdma->hca_handles.value);
        if (result == 0 && rdma->hca_objects.set)
            result = limit_put(limits, "rdma", "rdma", "rdma.max", "%s hca_object=%" PRIu64,
                               rdma->device, rdma->hca_objects.value);
    }
    return result;
}

/* --- unified --- */

/* Files like io.max take one line a write. */
static int put_lines(const struct limits *limits, const struct oci_cgroup_tree *tree,
                     const struct oci_pair *pair)
{
    for (const char *line = pair->value; *line != '\0';) {
        char text[1024];
        size_t length = strcspn(line, "\n");
        if (length >= sizeof(text))
            return err_set(limits->err, EINVAL, "linux.resources.unified.%.80s: too long",
                           pair->key);
        memcpy(text, line, length);
        text[length] = '\0';
        int result = length > 0 ? cgroup_tree_write(tree, pair->key, text) : 0;
        if (result < 0)
            return err_set(limits->err, -result,
                           "linux.resources.unified.%.80s: write \"%.100s\":", pair->key, text);
        line += length + (line[length] == '\n');
    }
    return 0;
}

static int limit_unified(const struct limits *limits)
{
    const struct oci_pairs *pairs = &limits->resources->unified;
    const struct oci_cgroup_tree *tree = cgroup_tree_v2(limits->cgroup);
    int result = 0;
    for (size_t i = 0; result == 0 && i < pairs->count; i++) {
        if (tree == NULL)
            return limit_unsupported(limits, "unified", "there is no cgroup v2 here");
        result = put_lines(limits, tree, &pairs->items[i]);
    }
    return result;
}

int oci_cgroup_apply(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                     struct err *err)
{
    const struct limits limits = {cgroup, resources, err};
    int (*const parts[])(const struct limits *) = {
        limit_memory,    limit_cpu,     limit_pids, limit_block_io,
        limit_hugepages, limit_network, limit_rdma, limit_unified,
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        result = parts[i](&limits);
    return result == 0 ? cgroup_devices_apply(cgroup, resources, err) : result;
}

int oci_cgroup_update(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                      struct err *err)
{
    int result =
        cgroup->driver == OCI_CGROUP_SYSTEMD ? cgroup_systemd_set(cgroup, resources, err) : 0;
    return result == 0 ? oci_cgroup_apply(cgroup, resources, err) : result;
}
