/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices a container may open: rules written into v1's files in their order, or a program
 * attached to the v2 group. On an update the new program is attached before the old ones go, so
 * that there is no moment without one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/cgroup_tree.h"
#include "oci/device_rules.h"

#define PROPERTY "linux.resources.devices"

static int bpf(unsigned int command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* In a user namespace nobody may change device rules, and no node made there opens anything. */
static bool in_user_namespace(void)
{
    char map[256];
    unsigned long inner = 0;
    unsigned long outer = 0;
    unsigned long size = 0;
    if (fd_read_file_at(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map)) < 0)
        return false;
    return sscanf(map, "%lu %lu %lu", &inner, &outer, &size) != 3 || size != 4294967295ul;
}

/* --- v1 --- */

static void put_number(char *out, size_t room, const struct oci_uint *number)
{
    if (number->set)
        snprintf(out, room, "%llu", (unsigned long long)number->value);
    else
        snprintf(out, room, "*");
}

/* The two files of the v1 controller: a list is two dozen writes. */
struct v1_files {
    int allow;
    int deny;
};

static int write_v1(const struct v1_files *files, const struct oci_device_rule *rule, char type,
                    struct err *err)
{
    char text[64];
    char major[16];
    char minor[16];
    put_number(major, sizeof(major), &rule->major);
    put_number(minor, sizeof(minor), &rule->minor);
    if (type == 'a')
        snprintf(text, sizeof(text), "a");
    else
        snprintf(text, sizeof(text), "%c %s:%s %s%s%s", type, major, minor,
                 rule->access & OCI_ACCESS_READ ? "r" : "",
                 rule->access & OCI_ACCESS_WRITE ? "w" : "",
                 rule->access & OCI_ACCESS_MKNOD ? "m" : "");
    if (write(rule->allow ? files->allow : files->deny, text, strlen(text)) < 0)
        return err_set(err, errno, PROPERTY ": %s \"%s\":", rule->allow ? "allow" : "deny", text);
    return 0;
}

static int apply_v1(const struct v1_files *files, const struct oci_device_rule *rule,
                    struct err *err)
{
    const uint32_t all = OCI_ACCESS_READ | OCI_ACCESS_WRITE | OCI_ACCESS_MKNOD;
    bool everything = !rule->major.set && !rule->minor.set && rule->access == all;
    if (rule->type != 'a' || everything)
        return write_v1(files, rule, rule->type, err);
    int result = write_v1(files, rule, 'b', err);
    return result == 0 ? write_v1(files, rule, 'c', err) : result;
}

static int open_v1(const struct oci_cgroup_tree *tree, const char *file, struct err *err)
{
    char path[CGROUP_FILE_MAX];
    int fd = -1;
    errno = ENAMETOOLONG;
    if (cgroup_tree_path(tree, file, path))
        fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, PROPERTY ": open %s:", path);
}

static int write_all_v1(const struct oci_cgroup_tree *tree, const struct oci_resources *resources,
                        struct err *err)
{
    fd_owner allow = open_v1(tree, "devices.allow", err);
    fd_owner deny = allow >= 0 ? open_v1(tree, "devices.deny", err) : allow;
    const struct v1_files files = {allow, deny};
    int result = deny < 0 ? deny : 0;
    for (size_t i = 0; result == 0 && i < resources->device_rule_count; i++)
        result = apply_v1(&files, &resources->device_rules[i], err);
    for (const struct oci_device_rule *rule = device_rules_default; result == 0 && rule->type != 0;
         rule++)
        result = apply_v1(&files, rule, err);
    return result;
}

/* --- v2 --- */

static int load_program(const struct device_rules *rules, struct err *err)
{
    struct bpf_insn *program = calloc(DEVICE_PROGRAM_MAX, sizeof(*program));
    if (program == NULL)
        return err_set(err, ENOMEM, PROPERTY ": assemble the rules:");
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insn_cnt = (uint32_t)device_rules_assemble(rules, program),
        .insns = (uintptr_t)program,
        .license = (uintptr_t) "Apache-2.0",
    };
    int fd = bpf(BPF_PROG_LOAD, &attr);
    if (fd < 0)
        fd = err_set(err, errno, PROPERTY ": load the program of the rules:");
    free(program);
    return fd;
}

/* The programs attached to this very group: how many of ids[room], or -errno. */
static int attached(int group, uint32_t *ids, uint32_t room)
{
    union bpf_attr attr = {.query = {.target_fd = (uint32_t)group,
                                     .attach_type = BPF_CGROUP_DEVICE,
                                     .prog_ids = (uintptr_t)ids,
                                     .prog_cnt = room}};
    return bpf(BPF_PROG_QUERY, &attr) < 0 ? -errno : (int)attr.query.prog_cnt;
}

static int detach(int group, uint32_t id)
{
    union bpf_attr by_id = {.prog_id = id};
    fd_owner program = bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
    if (program < 0)
        return -errno;
    union bpf_attr attr = {.target_fd = (uint32_t)group,
                           .attach_bpf_fd = (uint32_t)program,
                           .attach_type = BPF_CGROUP_DEVICE};
    return bpf(BPF_PROG_DETACH, &attr) < 0 ? -errno : 0;
}

static int apply_v2(const struct oci_cgroup_tree *tree, const struct device_rules *rules,
                    struct err *err)
{
    enum { PROGRAMS_MAX = 64 };
    uint32_t old[PROGRAMS_MAX] = {0};
    char path[CGROUP_FILE_MAX];
    if (!cgroup_tree_path(tree, "", path))
        return err_set(err, ENAMETOOLONG, PROPERTY ":");
    fd_owner group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0)
        return err_set(err, errno, PROPERTY ": open %s:", path);
    fd_owner program = load_program(rules, err);
    if (program < 0)
        return program;
    int count = attached(group, old, PROGRAMS_MAX);
    union bpf_attr attr = {.target_fd = (uint32_t)group,
                           .attach_bpf_fd = (uint32_t)program,
                           .attach_type = BPF_CGROUP_DEVICE,
                           .attach_flags = BPF_F_ALLOW_MULTI};
    if (bpf(BPF_PROG_ATTACH, &attr) < 0)
        return err_set(err, errno, PROPERTY ": attach the program of the rules to %s:", path);
    for (int i = 0; i < count; i++) {
        int result = detach(group, old[i]);
        if (result < 0)
            return err_set(err, -result, PROPERTY ": take the former rules from %s:", path);
    }
    return 0;
}

/* --- both --- */

/* The given rules and then those that every container has. */
static int collect(const struct oci_resources *resources, struct device_rules *rules)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < resources->device_rule_count; i++)
        result = device_rules_add(rules, &resources->device_rules[i]);
    for (const struct oci_device_rule *rule = device_rules_default; result == 0 && rule->type != 0;
         rule++)
        result = device_rules_add(rules, rule);
    return result;
}

int cgroup_devices_apply(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                         struct err *err)
{
    const struct oci_cgroup_tree *v1 = cgroup_tree_of(cgroup, "devices");
    const struct oci_cgroup_tree *v2 = cgroup_tree_v2(cgroup);
    if (resources->device_rule_count == 0 || in_user_namespace())
        return 0;
    if (v1 != NULL && !v1->v2)
        return write_all_v1(v1, resources, err);
    if (v2 == NULL)
        return geteuid() != 0 ? 0
                              : err_set(err, ENOTSUP,
                                        PROPERTY ": the container has no cgroup that "
                                                 "could hold them");
    struct device_rules *rules = calloc(1, sizeof(*rules));
    if (rules == NULL)
        return err_set(err, ENOMEM, PROPERTY ":");
    rules->allow = true;
    int result = collect(resources, rules);
    if (result < 0)
        err_set(err, -result, PROPERTY ": more than %d rules:", DEVICE_EXCEPTIONS_MAX);
    else
        result = apply_v2(v2, rules, err);
    free(rules);
    return result;
}
