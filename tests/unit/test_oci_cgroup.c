/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups of containers without a cgroup file system: names from given mount tables, limits written
 * into a directory that looks like a v2 group, device rules against the program that is made of
 * them.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "oci/cgroup_limits.h"
#include "oci/device_rules.h"

/* --- names --- */

static const char v2_mounts[] = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
                                "rw,nsdelegate\n";
static const char v1_mounts[] =
    "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "34 31 0:30 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:31 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
static const char v2_own[] = "0::/user.slice/session-1.scope\n";
static const char v1_own[] = "3:memory:/docker/x/mine\n2:cpu,cpuacct:/a\n1:name=systemd:/b\n";

static const struct plan_row {
    const char *mounts;
    const char *own;
    const char *given;
    bool systemd;
    unsigned int tree;
    const char *path; /* NULL: refused */
} plans[] = {
    {v2_mounts, v2_own, "/a/b", false, 0, "/a/b"},
    {v2_mounts, v2_own, "a/b", false, 0, "/user.slice/a/b"}, /* beside our own group */
    {v2_mounts, v2_own, NULL, false, 0, "/user.slice/id"},
    {v2_mounts, v2_own, "/../../etc", false, 0, "/etc"}, /* never above the mount point */
    {v2_mounts, v2_own, "/a//./b/../c/", false, 0, "/a/c"},
    {v2_mounts, v2_own, "/", false, 0, NULL},
    {v2_mounts, v2_own, "/..", false, 0, NULL},
    {v1_mounts, v1_own, "/p", false, 2, "/p"},
    {v1_mounts, v1_own, "p", false, 0, "/b/p"},
    {v1_mounts, v1_own, "p", false, 1, "/a/p"},
    {v1_mounts, v1_own, "p", false, 2, "/mine/p"}, /* a part of the hierarchy is mounted */
    {v2_mounts, v2_own, "machine.slice:libpod:1", true, 0, "/machine.slice/libpod-1.scope"},
    {v2_mounts, v2_own, "a-b-c.slice::1", true, 0, "/a.slice/a-b.slice/a-b-c.slice/1.scope"},
    {v2_mounts, v2_own, "-.slice:x:1", true, 0, "/x-1.scope"},
    {v2_mounts, v2_own, "a.slice:x:y.slice", true, 0, "/a.slice/y.slice"},
    {v2_mounts, v2_own, "/a/b", true, 0, NULL},
    {v2_mounts, v2_own, "a:b:c:d", true, 0, NULL},
    {v2_mounts, v2_own, "../a.slice:b:c", true, 0, NULL},
    {v2_mounts, v2_own, "a--b.slice:b:c", true, 0, NULL},
    {v2_mounts, v2_own, "a.slice:b:../c", true, 0, NULL},
    {v2_mounts, v2_own, "a.slice:b:", true, 0, NULL},
};

static void groups_are_named_as_clients_expect(void **state)
{
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        const struct plan_row *row = &plans[i];
        struct oci_cgroup cgroup;
        struct err err = {0};
        int result = oci_cgroup_plan_from(row->mounts, row->own, row->given, "id", row->systemd,
                                          &cgroup, &err);
        if ((result < 0) != (row->path == NULL))
            fail_msg("row %zu: %d %s", i, result, err.text);
        if (result == 0)
            assert_string_equal(cgroup.trees[row->tree].path, row->path);
    }
}

static void each_hierarchy_is_found_once(void **state)
{
    struct oci_cgroup cgroup;
    struct err err;
    assert_int_equal(oci_cgroup_plan_from(v1_mounts, v1_own, "/p", "id", false, &cgroup, &err), 0);
    assert_int_equal(cgroup.count, 3);
    assert_string_equal(cgroup.trees[0].controllers, "name=systemd");
    assert_string_equal(cgroup.trees[1].controllers, "cpu,cpuacct");
    assert_string_equal(cgroup.trees[1].mount, "/sys/fs/cgroup/cpu,cpuacct");
    assert_ptr_equal(cgroup_tree_of(&cgroup, "cpuacct"), &cgroup.trees[1]);
    assert_null(cgroup_tree_of(&cgroup, "pu"));
    assert_null(cgroup_tree_v2(&cgroup));
}

/* --- the record --- */

static int read_back(const char *text, struct oci_cgroup *out)
{
    struct json_arena arena = {0};
    const struct json *json = NULL;
    struct err err;
    assert_int_equal(json_parse(&arena, text, strlen(text), &json, &err), 0);
    int result = oci_cgroup_from_json(json_get(json, "cgroup"), out, &err);
    json_arena_free(&arena);
    return result;
}

static void the_record_is_read_back(void **state)
{
    struct oci_cgroup cgroup;
    struct oci_cgroup again;
    struct err err;
    struct json_writer out = {0};
    memset(&again, 0, sizeof(again));
    oci_cgroup_plan_from(v1_mounts, v1_own, "a.slice:b:c", "id", true, &cgroup, &err);
    json_write_object(&out, NULL);
    oci_cgroup_write_json(&cgroup, "cgroup", &out);
    json_write_object_end(&out);
    assert_int_equal(read_back(out.data, &again), 0);
    assert_int_equal(again.count, cgroup.count);
    assert_string_equal(again.unit, "b-c.scope");
    assert_string_equal(again.trees[2].path, cgroup.trees[2].path);
    assert_string_equal(again.trees[2].mount, cgroup.trees[2].mount);
    json_writer_free(&out);
}

#define TREE(mount, path)                                                                          \
    "{\"cgroup\":{\"driver\":\"cgroupfs\",\"required\":true,\"trees\":[{\"v2\":true,"              \
    "\"controllers\":\"\",\"mount\":\"" mount "\",\"path\":\"" path "\"}]}}"

static void a_forged_record_is_refused(void **state)
{
    static const char *const forged[] = {
        "{}",
        "{\"cgroup\":[]}",
        "{\"cgroup\":{\"driver\":\"x\",\"required\":true,\"trees\":[]}}",
        "{\"cgroup\":{\"driver\":\"cgroupfs\",\"required\":1,\"trees\":[]}}",
        "{\"cgroup\":{\"driver\":\"cgroupfs\",\"required\":true,\"trees\":{}}}",
        "{\"cgroup\":{\"driver\":\"systemd\",\"required\":true,\"trees\":[]}}",
        TREE("/sys/fs/cgroup", ""),
        TREE("/sys/fs/cgroup", "/"),
        TREE("/sys/fs/cgroup", "/a/../../etc"),
        TREE("/sys/fs/cgroup", "a"),
        TREE("/sys/fs/cgroup", "/a//b"),
        TREE("/sys/fs/cgroup", "/./b"),
        TREE("sys/fs/cgroup", "/a"),
        TREE("/sys/../etc", "/a"),
    };
    struct oci_cgroup cgroup;
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
        assert_int_equal(read_back(forged[i], &cgroup), -EINVAL);
    assert_int_equal(read_back(TREE("/sys/fs/cgroup", "/a/b"), &cgroup), 0);
}

/* --- limits of v2 --- */

static char directory[64];

static void put_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/g/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

static const char *file_text(const char *name)
{
    static char text[256];
    char path[256];
    snprintf(path, sizeof(path), "%s/g/%s", directory, name);
    if (fd_read_file_at(AT_FDCWD, path, text, sizeof(text)) < 0)
        return "(none)";
    return text;
}

static const char *const v2_files[] = {
    "memory.max",  "memory.low",    "memory.swap.max", "cpu.max",        "cpu.weight",
    "cpu.idle",    "cpu.max.burst", "pids.max",        "io.weight",      "io.max",
    "cpuset.cpus", "cpuset.mems",   "rdma.max",        "hugetlb.2MB.max"};

static int make_group(void **state)
{
    char path[128];
    snprintf(directory, sizeof(directory), "/tmp/oci-cgroup-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/g", directory);
    return mkdir(path, 0700);
}

static int remove_group(void **state)
{
    char path[256];
    for (size_t i = 0; i < sizeof(v2_files) / sizeof(v2_files[0]); i++) {
        snprintf(path, sizeof(path), "%s/g/%s", directory, v2_files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/g", directory);
    rmdir(path);
    return rmdir(directory);
}

static int apply(const char *resources, struct err *err)
{
    struct oci_cgroup cgroup = {.count = 1, .trees = {{.v2 = true, .path = "/g"}}};
    struct oci_spec spec;
    snprintf(cgroup.trees[0].mount, sizeof(cgroup.trees[0].mount), "%s", directory);
    snprintf(cgroup.trees[0].controllers, sizeof(cgroup.trees[0].controllers),
             "cpuset cpu io memory hugetlb pids rdma");
    for (size_t i = 0; i < sizeof(v2_files) / sizeof(v2_files[0]); i++)
        put_file(v2_files[i], "");
    put_file("memory.max", "1048576\n");
    put_file("cpu.max", "max 100000\n");
    if (oci_resources_parse(resources, strlen(resources), &spec, err) < 0)
        fail_msg("%s", err->text);
    int result = oci_cgroup_apply(&cgroup, &spec.linux_.resources, err);
    oci_spec_free(&spec);
    return result;
}

static const struct limit_row {
    const char *resources;
    const char *file;
    const char *text; /* NULL: refused; file is what the error names */
} limit_rows[] = {
    {"{\"memory\":{\"limit\":4096}}", "memory.max", "4096"},
    {"{\"memory\":{\"limit\":-1,\"swap\":-1}}", "memory.swap.max", "max"},
    {"{\"memory\":{\"limit\":1000,\"swap\":3000}}", "memory.swap.max", "2000"},
    {"{\"memory\":{\"limit\":1000,\"swap\":1000}}", "memory.swap.max", "0"},
    {"{\"memory\":{\"swap\":1048577}}", "memory.swap.max", "1"}, /* beside the limit that holds */
    {"{\"memory\":{\"reservation\":5}}", "memory.low", "5"},
    {"{\"memory\":{\"limit\":2000,\"swap\":1000}}", "memory.swap", NULL},
    {"{\"memory\":{\"limit\":-1,\"swap\":1000}}", "memory.swap", NULL},
    {"{\"memory\":{\"kernel\":1}}", "memory.kernel", NULL},
    {"{\"memory\":{\"swappiness\":1}}", "memory.swappiness", NULL},
    {"{\"memory\":{\"disableOOMKiller\":true}}", "memory.disableOOMKiller", NULL},
    {"{\"cpu\":{\"shares\":1024}}", "cpu.weight", "39"},
    {"{\"cpu\":{\"shares\":2}}", "cpu.weight", "1"},
    {"{\"cpu\":{\"shares\":262144}}", "cpu.weight", "10000"},
    {"{\"cpu\":{\"quota\":5000}}", "cpu.max", "5000"},
    {"{\"cpu\":{\"quota\":50000,\"period\":200000}}", "cpu.max", "50000 200000"},
    {"{\"cpu\":{\"quota\":-1,\"period\":200000}}", "cpu.max", "max 200000\n"},
    {"{\"cpu\":{\"period\":200000}}", "cpu.max", "max 200000\n"},
    {"{\"cpu\":{\"burst\":7}}", "cpu.max.burst", "7"},
    {"{\"cpu\":{\"idle\":1}}", "cpu.idle", "1"},
    {"{\"cpu\":{\"realtimePeriod\":7}}", "cpu.realtimePeriod", NULL},
    {"{\"cpu\":{\"cpus\":\"0-1\"}}", "cpuset.cpus", "0-1"},
    {"{\"pids\":{\"limit\":0}}", "pids.max", "max"},
    {"{\"pids\":{\"limit\":7}}", "pids.max", "7"},
    {"{\"blockIO\":{\"weight\":10}}", "io.weight", "1"},
    {"{\"blockIO\":{\"weight\":1000}}", "io.weight", "10000"},
    {"{\"blockIO\":{\"leafWeight\":10}}", "blockIO.leafWeight", NULL},
    {"{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1,\"rate\":9}]}}", "io.max",
     "8:1 rbps=9"},
    {"{\"blockIO\":{\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":1,\"rate\":0}]}}", "io.max",
     "8:1 wiops=max"},
    {"{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":2097152}]}", "hugetlb.2MB.max",
     "2097152"},
    {"{\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":0}]}", "hugepageLimits", NULL},
    {"{\"rdma\":{\"mlx\":{\"hcaHandles\":3}}}", "rdma.max", "mlx hca_handle=3"},
    {"{\"network\":{\"classID\":1}}", "network.classID", NULL},
    {"{\"unified\":{\"pids.max\":\"9\"}}", "pids.max", "9"},
    {"{\"unified\":{\"memory.none\":\"9\"}}", "unified.memory.none", NULL},
};

static void limits_become_files_of_v2(void **state)
{
    for (size_t i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++) {
        const struct limit_row *row = &limit_rows[i];
        struct err err = {0};
        int result = apply(row->resources, &err);
        if (row->text == NULL) {
            char named[128];
            snprintf(named, sizeof(named), "linux.resources.%s", row->file);
            if (result >= 0 || strstr(err.text, named) == NULL)
                fail_msg("%s: %d %s", row->resources, result, err.text);
            continue;
        }
        if (result < 0 || strncmp(file_text(row->file), row->text, strlen(row->text)) != 0)
            fail_msg("%s: %d %s; %s holds \"%s\"", row->resources, result, err.text, row->file,
                     file_text(row->file));
    }
}

/* --- devices --- */

/* As much of eBPF as the program of the rules needs. */
static bool run_program(const struct bpf_insn *code, size_t count, uint32_t access_type,
                        uint32_t major, uint32_t minor)
{
    const uint32_t context[] = {access_type, major, minor};
    uint64_t r[11] = {0};
    for (size_t at = 0; at < count; at++) {
        const struct bpf_insn *one = &code[at];
        uint64_t *to = &r[one->dst_reg];
        uint32_t value = (uint32_t)one->imm;
        switch (one->code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            *to = context[one->off / 4];
            break;
        case BPF_ALU | BPF_MOV | BPF_X:
            *to = (uint32_t)r[one->src_reg];
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            *to = (uint32_t)*to & value;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            *to = (uint32_t)*to >> value;
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            *to = (uint64_t)one->imm;
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            at += (uint32_t)*to != value ? (size_t)one->off : 0;
            break;
        case BPF_JMP32 | BPF_JEQ | BPF_K:
            at += (uint32_t)*to == value ? (size_t)one->off : 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return r[0] != 0;
        default:
            fail_msg("instruction 0x%x", one->code);
        }
    }
    fail_msg("the program has no end");
    return false;
}

static struct oci_device_rule rule(bool allow, char type, int64_t major, int64_t minor,
                                   uint32_t access)
{
    return (struct oci_device_rule){.allow = allow,
                                    .type = type,
                                    .access = access,
                                    .major = {major >= 0, (uint64_t)major},
                                    .minor = {minor >= 0, (uint64_t)minor}};
}

/* Every access to some devices: the program and the state machine agree. */
static void compare(const struct device_rules *rules)
{
    static struct bpf_insn program[DEVICE_PROGRAM_MAX];
    static const uint32_t numbers[] = {0, 1, 3, 5, 136, 4294967294u};
    size_t count = device_rules_assemble(rules, program);
    for (size_t a = 0; a < 6; a++) {
        for (size_t b = 0; b < 6; b++) {
            for (uint32_t access = 1; access < 8; access++) {
                uint32_t kernel = ((access & OCI_ACCESS_MKNOD) ? 1u : 0u) |
                                  ((access & OCI_ACCESS_READ) ? 2u : 0u) |
                                  ((access & OCI_ACCESS_WRITE) ? 4u : 0u);
                for (int block = 0; block < 2; block++)
                    assert_int_equal(run_program(program, count, kernel << 16 | (block ? 1u : 2u),
                                                 numbers[a], numbers[b]),
                                     device_rules_allow(rules, block ? 'b' : 'c', numbers[a],
                                                        numbers[b], access));
            }
        }
    }
}

static void device_rules_follow_v1(void **state)
{
    struct device_rules *rules = calloc(1, sizeof(*rules));
    struct oci_device_rule one = rule(false, 'a', -1, -1, 7);
    rules->allow = true;
    assert_true(device_rules_allow(rules, 'c', 1, 3, 7));
    device_rules_add(rules, &one);
    assert_false(device_rules_allow(rules, 'c', 1, 3, OCI_ACCESS_READ));
    one = rule(true, 'c', 1, 3, OCI_ACCESS_READ | OCI_ACCESS_WRITE);
    device_rules_add(rules, &one);
    one = rule(true, 'c', 136, -1, 7);
    device_rules_add(rules, &one);
    assert_true(device_rules_allow(rules, 'c', 1, 3, OCI_ACCESS_READ));
    assert_false(device_rules_allow(rules, 'c', 1, 3, OCI_ACCESS_MKNOD | OCI_ACCESS_READ));
    assert_false(device_rules_allow(rules, 'b', 1, 3, OCI_ACCESS_READ));
    assert_true(device_rules_allow(rules, 'c', 136, 77, 7));
    compare(rules);
    one = rule(false, 'c', 1, 3, OCI_ACCESS_WRITE);
    device_rules_add(rules, &one);
    assert_true(device_rules_allow(rules, 'c', 1, 3, OCI_ACCESS_READ));
    assert_false(device_rules_allow(rules, 'c', 1, 3, OCI_ACCESS_WRITE));
    one = rule(true, 'a', 5, -1, OCI_ACCESS_READ); /* both kinds */
    device_rules_add(rules, &one);
    assert_true(device_rules_allow(rules, 'b', 5, 1, OCI_ACCESS_READ));
    compare(rules);
    one = rule(true, 'a', -1, -1, 7); /* forgets all before */
    device_rules_add(rules, &one);
    one = rule(false, 'b', 0, -1, OCI_ACCESS_WRITE);
    device_rules_add(rules, &one);
    assert_false(device_rules_allow(rules, 'b', 0, 0, OCI_ACCESS_READ | OCI_ACCESS_WRITE));
    assert_true(device_rules_allow(rules, 'b', 0, 0, OCI_ACCESS_READ));
    compare(rules);
    free(rules);
}

static void too_many_device_rules_are_told(void **state)
{
    struct device_rules *rules = calloc(1, sizeof(*rules));
    int result = 0;
    int count = 0;
    for (; result == 0; count++) {
        struct oci_device_rule one = rule(true, 'c', count, 0, 7);
        result = device_rules_add(rules, &one);
    }
    assert_int_equal(result, -E2BIG);
    assert_int_equal(count, DEVICE_EXCEPTIONS_MAX + 1);
    compare(rules);
    free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_named_as_clients_expect),
        cmocka_unit_test(each_hierarchy_is_found_once),
        cmocka_unit_test(the_record_is_read_back),
        cmocka_unit_test(a_forged_record_is_refused),
        cmocka_unit_test_setup_teardown(limits_become_files_of_v2, make_group, remove_group),
        cmocka_unit_test(device_rules_follow_v1),
        cmocka_unit_test(too_many_device_rules_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
