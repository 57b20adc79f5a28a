/* SPDX-License-Identifier: Apache-2.0 */
/* `linux.resources` (config-linux.md, "Control groups"). */
#include <string.h>

#include "oci/spec_read.h"

/* --- devices --- */

static int read_rule_type(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    const char *text = value->text;
    if (text[0] != '\0' && (strchr("abc", text[0]) == NULL || text[1] != '\0'))
        return spec_wrong(in, "\"%.20s\" is none of a, b, c", text);
    *(char *)out = text[0];
    return 0;
}

static int read_access(struct spec_reader *in, const struct json *value, void *out)
{
    uint32_t access = 0;
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    for (const char *at = value->text; *at != '\0'; at++) {
        switch (*at) {
        case 'r':
            access |= OCI_ACCESS_READ;
            break;
        case 'w':
            access |= OCI_ACCESS_WRITE;
            break;
        case 'm':
            access |= OCI_ACCESS_MKNOD;
            break;
        default:
            return spec_wrong(in, "\"%.20s\" has more than r, w and m", value->text);
        }
    }
    *(uint32_t *)out = access;
    return 0;
}

/* -1 is what clients write for "any". */
static int read_rule_number(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *number = out;
    int64_t wide = 0;
    int result = spec_int_within(in, value, -1, UINT32_MAX, &wide);
    if (result == 0 && wide >= 0)
        *number = (struct oci_uint){true, (uint64_t)wide};
    return result;
}

static int read_rule(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("allow", spec_read_bool, struct oci_device_rule, allow),
        SPEC_FIELD("type", read_rule_type, struct oci_device_rule, type),
        SPEC_FIELD("major", read_rule_number, struct oci_device_rule, major),
        SPEC_FIELD("minor", read_rule_number, struct oci_device_rule, minor),
        SPEC_FIELD("access", read_access, struct oci_device_rule, access),
    };
    struct oci_device_rule *rule = out;
    int result = SPEC_READ_OBJECT(in, value, fields, rule);
    if (rule->type == '\0')
        rule->type = 'a';
    if (rule->access == 0)
        rule->access = OCI_ACCESS_READ | OCI_ACCESS_WRITE | OCI_ACCESS_MKNOD;
    return result;
}

static int read_rules(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_resources *resources = out;
    return spec_read_list(in, value, sizeof(struct oci_device_rule), read_rule,
                          &resources->device_rule_count, &resources->device_rules);
}

/* --- memory, cpu, pids --- */

static int read_bytes(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_int *bytes = out;
    int result = spec_int_within(in, value, -1, INT64_MAX, &bytes->value);
    bytes->set = result == 0;
    return result;
}

/* Clients that know no null write the largest number for "not given". */
static int read_swappiness(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *number = out;
    uint64_t wide = 0;
    int result = spec_read_uint64(in, value, &wide);
    if (result == 0 && wide > 100 && wide != UINT64_MAX)
        result = spec_wrong(in, "%llu is out of range (0 to 100)", (unsigned long long)wide);
    if (result == 0 && wide != UINT64_MAX)
        *number = (struct oci_uint){true, wide};
    return result;
}

static int read_memory(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("limit", read_bytes, struct oci_memory, limit),
        SPEC_FIELD("reservation", read_bytes, struct oci_memory, reservation),
        SPEC_FIELD("swap", read_bytes, struct oci_memory, swap),
        SPEC_FIELD("kernel", read_bytes, struct oci_memory, kernel),
        SPEC_FIELD("kernelTCP", read_bytes, struct oci_memory, kernel_tcp),
        SPEC_FIELD("swappiness", read_swappiness, struct oci_memory, swappiness),
        SPEC_FIELD("disableOOMKiller", spec_read_oci_bool, struct oci_memory, disable_oom_killer),
        SPEC_FIELD("useHierarchy", spec_read_oci_bool, struct oci_memory, use_hierarchy),
        SPEC_FIELD("checkBeforeUpdate", spec_read_oci_bool, struct oci_memory, check_before_update),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_idle(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_int *idle = out;
    int result = spec_int_within(in, value, 0, 1, &idle->value);
    idle->set = result == 0;
    return result;
}

static int read_quota(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_int *quota = out;
    int result = spec_int_within(in, value, -1, INT64_MAX, &quota->value);
    quota->set = result == 0;
    return result;
}

static int read_cpu(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("shares", spec_read_oci_uint, struct oci_cpu, shares),
        SPEC_FIELD("quota", read_quota, struct oci_cpu, quota_us),
        SPEC_FIELD("burst", spec_read_oci_uint, struct oci_cpu, burst_us),
        SPEC_FIELD("period", spec_read_oci_uint, struct oci_cpu, period_us),
        SPEC_FIELD("realtimeRuntime", spec_read_oci_int, struct oci_cpu, realtime_runtime_us),
        SPEC_FIELD("realtimePeriod", spec_read_oci_uint, struct oci_cpu, realtime_period_us),
        SPEC_FIELD("cpus", spec_read_cpu_list, struct oci_cpu, cpus),
        SPEC_FIELD("mems", spec_read_cpu_list, struct oci_cpu, mems),
        SPEC_FIELD("idle", read_idle, struct oci_cpu, idle),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_pids(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {{"limit", spec_read_oci_int, 0, false}};
    return SPEC_READ_OBJECT(in, value, fields, out);
}

/* --- block I/O --- */

/* 0 is what clients write for "not given". */
static int read_weight(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *weight = out;
    uint64_t number = 0;
    int result = spec_uint_within(in, value, 1000, &number);
    if (result == 0 && number != 0 && number < 10)
        result = spec_wrong(in, "%llu is out of range (10 to 1000)", (unsigned long long)number);
    if (result == 0 && number != 0)
        *weight = (struct oci_uint){true, number};
    return result;
}

static int read_weight_device(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("major", spec_read_uint32, struct oci_weight_device, major),
        SPEC_REQUIRED("minor", spec_read_uint32, struct oci_weight_device, minor),
        SPEC_FIELD("weight", read_weight, struct oci_weight_device, weight),
        SPEC_FIELD("leafWeight", read_weight, struct oci_weight_device, leaf_weight),
    };
    const struct oci_weight_device *device = out;
    int result = SPEC_READ_OBJECT(in, value, fields, out);
    if (result == 0 && !device->weight.set && !device->leaf_weight.set)
        result = spec_wrong(in, "neither a weight nor a leafWeight");
    return result;
}

static int read_weight_devices(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_block_io *io = out;
    return spec_read_list(in, value, sizeof(struct oci_weight_device), read_weight_device,
                          &io->weight_device_count, &io->weight_devices);
}

static int read_throttle_device(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("major", spec_read_uint32, struct oci_throttle_device, major),
        SPEC_REQUIRED("minor", spec_read_uint32, struct oci_throttle_device, minor),
        SPEC_REQUIRED("rate", spec_read_uint64, struct oci_throttle_device, rate),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

#define THROTTLE_READER(name, kind)                                                                \
    static int name(struct spec_reader *in, const struct json *value, void *out)                   \
    {                                                                                              \
        struct oci_block_io *io = out;                                                             \
        return spec_read_list(in, value, sizeof(struct oci_throttle_device), read_throttle_device, \
                              &io->throttle[kind].count, &io->throttle[kind].items);               \
    }
THROTTLE_READER(read_read_bps, OCI_THROTTLE_READ_BPS)
THROTTLE_READER(read_write_bps, OCI_THROTTLE_WRITE_BPS)
THROTTLE_READER(read_read_iops, OCI_THROTTLE_READ_IOPS)
THROTTLE_READER(read_write_iops, OCI_THROTTLE_WRITE_IOPS)

static int read_block_io(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("weight", read_weight, struct oci_block_io, weight),
        SPEC_FIELD("leafWeight", read_weight, struct oci_block_io, leaf_weight),
        {"weightDevice", read_weight_devices, 0, false},
        {"throttleReadBpsDevice", read_read_bps, 0, false},
        {"throttleWriteBpsDevice", read_write_bps, 0, false},
        {"throttleReadIOPSDevice", read_read_iops, 0, false},
        {"throttleWriteIOPSDevice", read_write_iops, 0, false},
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

/* --- huge pages, network, rdma, unified --- */

static int read_page_size(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    const char *at = value->text;
    bool number = *at >= '1' && *at <= '9';
    while (*at >= '0' && *at <= '9')
        at++;
    if (!number || (strcmp(at, "KB") != 0 && strcmp(at, "MB") != 0 && strcmp(at, "GB") != 0))
        return spec_wrong(in, "\"%.20s\" is not a size like 64KB, 2MB or 1GB", value->text);
    return spec_read_text(in, value, out);
}

static int read_hugepage(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("pageSize", read_page_size, struct oci_hugepage_limit, page_size),
        SPEC_REQUIRED("limit", spec_read_uint64, struct oci_hugepage_limit, limit),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_hugepages(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_resources *resources = out;
    return spec_read_list(in, value, sizeof(struct oci_hugepage_limit), read_hugepage,
                          &resources->hugepage_count, &resources->hugepages);
}

struct priority {
    const char *name;
    uint32_t value;
};

static int read_priority(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("name", spec_read_text, struct priority, name),
        SPEC_REQUIRED("priority", spec_read_uint32, struct priority, value),
    };
    struct priority priority = {0};
    struct oci_pair *pair = out;
    int result = SPEC_READ_OBJECT(in, value, fields, &priority);
    if (result < 0)
        return result;
    if (priority.name[0] == '\0' || strpbrk(priority.name, " \n/") != NULL)
        return spec_wrong(in, "\"%.40s\" is no name of an interface", priority.name);
    pair->key = priority.name;
    pair->value = json_arena_printf(&in->spec->arena, "%u", priority.value);
    return pair->value != NULL ? 0 : spec_no_memory(in);
}

static int read_priorities(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_pairs *pairs = out;
    return spec_read_list(in, value, sizeof(struct oci_pair), read_priority, &pairs->count,
                          &pairs->items);
}

static int read_network(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("classID", spec_read_oci_uint32, struct oci_resources, net_class_id),
        SPEC_FIELD("priorities", read_priorities, struct oci_resources, net_priorities),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_rdma(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("hcaHandles", spec_read_oci_uint32, struct oci_rdma, hca_handles),
        SPEC_FIELD("hcaObjects", spec_read_oci_uint32, struct oci_rdma, hca_objects),
    };
    struct oci_resources *resources = out;
    int result = spec_type(in, value, JSON_TYPE_OBJECT);
    if (result < 0)
        return result;
    resources->rdma =
        json_arena_alloc(&in->spec->arena, (value->count + 1) * sizeof(*resources->rdma));
    if (resources->rdma == NULL)
        return spec_no_memory(in);
    for (const struct json *item = value->child; item != NULL; item = item->next) {
        size_t mark = spec_enter(in, item->key);
        struct oci_rdma *rdma = &resources->rdma[resources->rdma_count++];
        rdma->device = item->key;
        if (item->key[0] == '\0' || strpbrk(item->key, " \n/") != NULL)
            return spec_wrong(in, "is no name of a device");
        if ((result = SPEC_READ_OBJECT(in, item, fields, rdma)) < 0)
            return result;
        if (!rdma->hca_handles.set && !rdma->hca_objects.set)
            return spec_wrong(in, "neither hcaHandles nor hcaObjects");
        spec_leave(in, mark);
    }
    return 0;
}

/* A file name of the group's own directory and nothing else. */
static int read_unified(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_pairs *pairs = out;
    int result = spec_read_pairs(in, value, pairs);
    for (size_t i = 0; result == 0 && i < pairs->count; i++) {
        const char *key = pairs->items[i].key;
        if (strchr(key, '/') == NULL && strchr(key, '.') != NULL && key[0] != '.')
            continue;
        spec_enter(in, key);
        result = spec_wrong(in, "is not the name of a file of a cgroup");
    }
    return result;
}

int spec_read_resources(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        {"devices", read_rules, 0, false},
        SPEC_FIELD("memory", read_memory, struct oci_resources, memory),
        SPEC_FIELD("cpu", read_cpu, struct oci_resources, cpu),
        SPEC_FIELD("pids", read_pids, struct oci_resources, pids_limit),
        SPEC_FIELD("blockIO", read_block_io, struct oci_resources, block_io),
        {"hugepageLimits", read_hugepages, 0, false},
        {"network", read_network, 0, false},
        {"rdma", read_rdma, 0, false},
        SPEC_FIELD("unified", read_unified, struct oci_resources, unified),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}
