/* SPDX-License-Identifier: Apache-2.0 */
/* The `linux` object (config-linux.md) without its resources and its filter. */
#include <sched.h>
#include <string.h>

#include "oci/mount_options.h"
#include "oci/spec_read.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* --- namespaces --- */

static const struct {
    const char *name;
    const char *file;
    int clone_flag;
} namespaces[OCI_NAMESPACES] = {
    [OCI_NS_PID] = {"pid", "pid", CLONE_NEWPID},
    [OCI_NS_NETWORK] = {"network", "net", CLONE_NEWNET},
    [OCI_NS_MOUNT] = {"mount", "mnt", CLONE_NEWNS},
    [OCI_NS_IPC] = {"ipc", "ipc", CLONE_NEWIPC},
    [OCI_NS_UTS] = {"uts", "uts", CLONE_NEWUTS},
    [OCI_NS_USER] = {"user", "user", CLONE_NEWUSER},
    [OCI_NS_CGROUP] = {"cgroup", "cgroup", CLONE_NEWCGROUP},
    [OCI_NS_TIME] = {"time", "time", CLONE_NEWTIME},
};

const char *oci_namespace_name(enum oci_namespace_kind kind)
{
    return namespaces[kind].name;
}

const char *oci_namespace_file(enum oci_namespace_kind kind)
{
    return namespaces[kind].file;
}

struct named_namespace {
    const char *type;
    const char *path;
};

static int read_namespace_path(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result == 0 && value->text[0] == '\0') /* as good as none */
        return 0;
    return result == 0 ? spec_read_absolute(in, value, out) : result;
}

static int read_namespace(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("type", spec_read_text, struct named_namespace, type),
        SPEC_FIELD("path", read_namespace_path, struct named_namespace, path),
    };
    struct named_namespace named = {0};
    int result = SPEC_READ_OBJECT(in, value, fields, &named);
    if (result < 0)
        return result;
    for (int i = 0; i < OCI_NAMESPACES; i++) {
        struct oci_namespace *namespace = &in->spec->linux_.namespaces[i];
        if (strcmp(named.type, namespaces[i].name) != 0)
            continue;
        if (namespace->listed)
            return spec_wrong(in, "the type \"%s\" stands twice", named.type);
        namespace->listed = true;
        namespace->path = named.path;
        *(char *)out = 1;
        return 0;
    }
    spec_enter(in, "type");
    return spec_wrong(in, "\"%.40s\" is no type of namespace that is known here", named.type);
}

static int read_namespaces(struct spec_reader *in, const struct json *value, void *out)
{
    size_t count;
    char *unused;
    (void)out;
    return spec_read_list(in, value, 1, read_namespace, &count, &unused);
}

/* --- devices --- */

static int read_device_type(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    const char *text = value->text;
    if (text[0] == '\0' || strchr("cbup", text[0]) == NULL || text[1] != '\0')
        return spec_wrong(in, "\"%.20s\" is none of c, b, u, p", text);
    *(char *)out = text[0] == 'u' ? 'c' : text[0];
    return 0;
}

static int read_mode(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *mode = out;
    uint64_t bits = 0;
    int result = spec_uint_within(in, value, UINT32_MAX, &bits);
    if (result == 0)
        *mode = (struct oci_uint){true, bits & 07777}; /* clients add the type's bits */
    return result;
}

static int read_device(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("type", read_device_type, struct oci_device, type),
        SPEC_REQUIRED("path", spec_read_absolute, struct oci_device, path),
        SPEC_FIELD("major", spec_read_uint32, struct oci_device, major),
        SPEC_FIELD("minor", spec_read_uint32, struct oci_device, minor),
        SPEC_FIELD("fileMode", read_mode, struct oci_device, file_mode),
        SPEC_FIELD("uid", spec_read_oci_uint32, struct oci_device, uid),
        SPEC_FIELD("gid", spec_read_oci_uint32, struct oci_device, gid),
    };
    const struct oci_device *device = out;
    int result = SPEC_READ_OBJECT(in, value, fields, out);
    if (result == 0 && device->type != 'p' &&
        (json_get(value, "major") == NULL || json_get(value, "minor") == NULL))
        result =
            spec_wrong(in, "major and minor are required of a device of type %c", device->type);
    return result;
}

static int read_devices(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_linux *linux_ = out;
    return spec_read_list(in, value, sizeof(struct oci_device), read_device, &linux_->device_count,
                          &linux_->devices);
}

/* --- the rest --- */

static int read_rootfs_propagation(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0 || value->text[0] == '\0')
        return result;
    unsigned long flags = oci_propagation(value->text);
    if (flags == 0)
        return spec_wrong(in, "\"%.40s\" is no propagation", value->text);
    *(unsigned long *)out = flags;
    return 0;
}

/* The name becomes a directory of resctrl. */
static int read_clos_id(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result == 0 && (value->text[0] == '\0' || strchr(value->text, '/') != NULL ||
                        strcmp(value->text, ".") == 0 || strcmp(value->text, "..") == 0))
        result = spec_wrong(in, "\"%.40s\" is no name of a class", value->text);
    return result == 0 ? spec_read_text(in, value, out) : result;
}

static int read_intel_rdt(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("closID", read_clos_id, struct oci_intel_rdt, clos_id),
        SPEC_FIELD("l3CacheSchema", spec_read_text, struct oci_intel_rdt, l3_cache_schema),
        SPEC_FIELD("memBwSchema", spec_read_text, struct oci_intel_rdt, mem_bw_schema),
        SPEC_FIELD("enableCMT", spec_read_bool, struct oci_intel_rdt, enable_cmt),
        SPEC_FIELD("enableMBM", spec_read_bool, struct oci_intel_rdt, enable_mbm),
    };
    struct oci_intel_rdt *rdt = json_arena_alloc(&in->spec->arena, sizeof(*rdt));
    if (rdt == NULL)
        return spec_no_memory(in);
    *(struct oci_intel_rdt **)out = rdt;
    return SPEC_READ_OBJECT(in, value, fields, rdt);
}

static int read_domain(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *personality = out;
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    if (strcmp(value->text, "LINUX") == 0)
        *personality = (struct oci_uint){true, 0}; /* PER_LINUX */
    else if (strcmp(value->text, "LINUX32") == 0)
        *personality = (struct oci_uint){true, 8}; /* PER_LINUX32 */
    else
        return spec_wrong(in, "\"%.40s\" is neither LINUX nor LINUX32", value->text);
    return 0;
}

static int read_no_flags(struct spec_reader *in, const struct json *value, void *out)
{
    (void)out;
    int result = spec_type(in, value, JSON_TYPE_ARRAY);
    if (result == 0 && value->count > 0)
        result = spec_unsupported(in, "no flag of a personality is supported");
    return result;
}

static int read_personality(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        {"domain", read_domain, 0, true},
        {"flags", read_no_flags, 0, false},
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_secs(struct spec_reader *in, const struct json *value, void *out)
{
    return spec_int_within(in, value, INT64_MIN, INT64_MAX, out);
}

static int read_nanosecs(struct spec_reader *in, const struct json *value, void *out)
{
    uint64_t number = 0;
    int result = spec_uint_within(in, value, 999999999, &number);
    *(uint32_t *)out = (uint32_t)number;
    return result;
}

static int read_time_offset(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("secs", read_secs, struct oci_time_offset, secs),
        SPEC_FIELD("nanosecs", read_nanosecs, struct oci_time_offset, nanosecs),
    };
    struct oci_time_offset *offset = out;
    offset->set = true;
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_time_offsets(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("monotonic", read_time_offset, struct oci_linux, monotonic),
        SPEC_FIELD("boottime", read_time_offset, struct oci_linux, boottime),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

int spec_read_linux(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("uidMappings", spec_read_id_maps, struct oci_linux, uid_maps),
        SPEC_FIELD("gidMappings", spec_read_id_maps, struct oci_linux, gid_maps),
        SPEC_FIELD("sysctl", spec_read_pairs, struct oci_linux, sysctl),
        SPEC_FIELD("resources", spec_read_resources, struct oci_linux, resources),
        SPEC_FIELD("cgroupsPath", spec_read_text, struct oci_linux, cgroups_path),
        {"namespaces", read_namespaces, 0, false},
        {"devices", read_devices, 0, false},
        SPEC_FIELD("seccomp", spec_read_seccomp, struct oci_linux, seccomp),
        SPEC_FIELD("rootfsPropagation", read_rootfs_propagation, struct oci_linux,
                   rootfs_propagation),
        SPEC_FIELD("maskedPaths", spec_read_absolutes, struct oci_linux, masked_paths),
        SPEC_FIELD("readonlyPaths", spec_read_absolutes, struct oci_linux, readonly_paths),
        SPEC_FIELD("mountLabel", spec_read_text, struct oci_linux, mount_label),
        SPEC_FIELD("intelRdt", read_intel_rdt, struct oci_linux, intel_rdt),
        SPEC_FIELD("personality", read_personality, struct oci_linux, personality),
        {"timeOffsets", read_time_offsets, 0, false},
    };
    struct oci_linux *linux_ = out;
    for (int i = 0; i < OCI_NAMESPACES; i++)
        linux_->namespaces[i].clone_flag = namespaces[i].clone_flag;
    return SPEC_READ_OBJECT(in, value, fields, out);
}
