/* SPDX-License-Identifier: Apache-2.0 */
/* What a container uses, in the shape in which runc prints it: clients parse that. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/cgroup_tree.h"

static uint64_t number(const struct oci_cgroup_tree *tree, const char *file, const char *key)
{
    uint64_t value = 0;
    if (tree == NULL || cgroup_tree_number(tree, file, key, &value) < 0)
        return 0;
    return value;
}

/* --- cpu --- */

/* Nanoseconds of an "a b" line key in a v1 file that counts ticks. */
static uint64_t ticks(const struct oci_cgroup_tree *tree, const char *key)
{
    enum { NS_PER_TICK = 10000000 }; /* USER_HZ is 100 for user space */
    return number(tree, "cpuacct.stat", key) * NS_PER_TICK;
}

static void write_per_cpu(const struct oci_cgroup_tree *tree, struct json_writer *out)
{
    char text[16384];
    if (cgroup_tree_read(tree, "cpuacct.usage_percpu", text, sizeof(text)) <= 0)
        return;
    json_write_list(out, "percpu");
    char *end;
    for (char *at = text; *at != '\0' && *at != '\n'; at = end) {
        uint64_t value = strtoull(at, &end, 10);
        if (end == at)
            break;
        json_write_uint(out, NULL, value);
        while (*end == ' ')
            end++;
    }
    json_write_list_end(out);
}

static void write_cpu(const struct oci_cgroup *cgroup, struct json_writer *out)
{
    const struct oci_cgroup_tree *v1 = cgroup_tree_of(cgroup, "cpuacct");
    const struct oci_cgroup_tree *cpu = cgroup_tree_of(cgroup, "cpu");
    const struct oci_cgroup_tree *v2 = v1 == NULL ? cgroup_tree_v2(cgroup) : NULL;
    bool throttle_v2 = cpu != NULL && cpu->v2;
    json_write_object(out, "cpu");
    json_write_object(out, "usage");
    if (v1 != NULL) {
        json_write_uint(out, "total", number(v1, "cpuacct.usage", NULL));
        write_per_cpu(v1, out);
        json_write_uint(out, "kernel", ticks(v1, "system"));
        json_write_uint(out, "user", ticks(v1, "user"));
    } else {
        json_write_uint(out, "total", number(v2, "cpu.stat", "usage_usec") * 1000);
        json_write_uint(out, "kernel", number(v2, "cpu.stat", "system_usec") * 1000);
        json_write_uint(out, "user", number(v2, "cpu.stat", "user_usec") * 1000);
    }
    json_write_object_end(out);
    json_write_object(out, "throttling");
    json_write_uint(out, "periods", number(cpu, "cpu.stat", "nr_periods"));
    json_write_uint(out, "throttledPeriods", number(cpu, "cpu.stat", "nr_throttled"));
    json_write_uint(out, "throttledTime",
                    throttle_v2 ? number(cpu, "cpu.stat", "throttled_usec") * 1000
                                : number(cpu, "cpu.stat", "throttled_time"));
    json_write_object_end(out);
    json_write_object_end(out);
}

/* --- memory --- */

struct memory_files {
    const char *key;
    const char *limit;
    const char *usage;
    const char *max;
    const char *failures;
};

static void write_memory_part(const struct oci_cgroup_tree *tree, const struct memory_files *files,
                              struct json_writer *out)
{
    json_write_object(out, files->key);
    json_write_uint(out, "limit", number(tree, files->limit, NULL));
    json_write_uint(out, "usage", number(tree, files->usage, NULL));
    if (files->max != NULL)
        json_write_uint(out, "max", number(tree, files->max, NULL));
    json_write_uint(out, "failcnt",
                    files->failures != NULL ? number(tree, files->failures, NULL) : 0);
    json_write_object_end(out);
}

static void write_raw(const struct oci_cgroup_tree *tree, struct json_writer *out)
{
    char text[16384];
    json_write_object(out, "raw");
    if (cgroup_tree_read(tree, "memory.stat", text, sizeof(text)) > 0) {
        char *rest = NULL;
        for (char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest)) {
            char *space = strchr(line, ' ');
            if (space == NULL)
                continue;
            *space = '\0';
            json_write_uint(out, line, strtoull(space + 1, NULL, 10));
        }
    }
    json_write_object_end(out);
}

static void write_memory(const struct oci_cgroup *cgroup, struct json_writer *out)
{
    static const struct memory_files v1[] = {
        {"usage", "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max_usage_in_bytes",
         "memory.failcnt"},
        {"swap", "memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes",
         "memory.memsw.max_usage_in_bytes", "memory.memsw.failcnt"},
        {"kernel", "memory.kmem.limit_in_bytes", "memory.kmem.usage_in_bytes",
         "memory.kmem.max_usage_in_bytes", "memory.kmem.failcnt"},
        {"kernelTCP", "memory.kmem.tcp.limit_in_bytes", "memory.kmem.tcp.usage_in_bytes",
         "memory.kmem.tcp.max_usage_in_bytes", "memory.kmem.tcp.failcnt"},
    };
    static const struct memory_files v2[] = {
        {"usage", "memory.max", "memory.current", "memory.peak", NULL},
        {"swap", "memory.swap.max", "memory.swap.current", NULL, NULL},
    };
    const struct oci_cgroup_tree *tree = cgroup_tree_of(cgroup, "memory");
    json_write_object(out, "memory");
    if (tree != NULL) {
        json_write_uint(out, "cache", number(tree, "memory.stat", tree->v2 ? "file" : "cache"));
        for (size_t i = 0; tree->v2 && i < sizeof(v2) / sizeof(v2[0]); i++)
            write_memory_part(tree, &v2[i], out);
        for (size_t i = 0; !tree->v2 && i < sizeof(v1) / sizeof(v1[0]); i++)
            write_memory_part(tree, &v1[i], out);
        write_raw(tree, out);
    }
    json_write_object_end(out);
}

/* --- pids, block I/O, huge pages --- */

static void write_pids(const struct oci_cgroup *cgroup, struct json_writer *out)
{
    const struct oci_cgroup_tree *tree = cgroup_tree_of(cgroup, "pids");
    uint64_t limit = number(tree, "pids.max", NULL);
    json_write_object(out, "pids");
    json_write_uint(out, "current", number(tree, "pids.current", NULL));
    if (limit != UINT64_MAX && limit != 0)
        json_write_uint(out, "limit", limit);
    json_write_object_end(out);
}

static void write_io_entry(struct json_writer *out, unsigned int major, unsigned int minor,
                           const char *op, uint64_t value)
{
    json_write_object(out, NULL);
    json_write_uint(out, "major", major);
    json_write_uint(out, "minor", minor);
    json_write_text(out, "op", op);
    json_write_uint(out, "value", value);
    json_write_object_end(out);
}

/* "8:0 Read 4096" a line; the last, "Total N", names no device. */
static void write_v1_io(const struct oci_cgroup_tree *tree, const char *file, const char *key,
                        struct json_writer *out)
{
    char text[16384];
    char *rest = NULL;
    json_write_list(out, key);
    if (cgroup_tree_read(tree, file, text, sizeof(text)) > 0) {
        for (char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest)) {
            unsigned int major;
            unsigned int minor;
            char op[16];
            uint64_t value;
            if (sscanf(line, "%u:%u %15s %" SCNu64, &major, &minor, op, &value) == 4)
                write_io_entry(out, major, minor, op, value);
        }
    }
    json_write_list_end(out);
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." */
static void write_v2_io(const struct oci_cgroup_tree *tree, const char *const words[2],
                        const char *key, struct json_writer *out)
{
    static const char *const ops[] = {"Read", "Write"};
    char text[16384];
    char *rest = NULL;
    json_write_list(out, key);
    if (cgroup_tree_read(tree, "io.stat", text, sizeof(text)) > 0) {
        for (char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest)) {
            unsigned int major;
            unsigned int minor;
            if (sscanf(line, "%u:%u", &major, &minor) != 2)
                continue;
            for (size_t i = 0; i < 2; i++) {
                const char *at = strstr(line, words[i]);
                if (at != NULL)
                    write_io_entry(out, major, minor, ops[i],
                                   strtoull(at + strlen(words[i]), NULL, 10));
            }
        }
    }
    json_write_list_end(out);
}

static void write_block_io(const struct oci_cgroup *cgroup, struct json_writer *out)
{
    static const char *const bytes[] = {" rbytes=", " wbytes="};
    static const char *const counts[] = {" rios=", " wios="};
    const struct oci_cgroup_tree *v1 = cgroup_tree_of(cgroup, "blkio");
    const struct oci_cgroup_tree *v2 = cgroup_tree_of(cgroup, "io");
    json_write_object(out, "blkio");
    if (v1 != NULL) {
        bool bfq = cgroup_tree_has(v1, "blkio.bfq.io_service_bytes_recursive");
        write_v1_io(v1,
                    bfq ? "blkio.bfq.io_service_bytes_recursive"
                        : "blkio.throttle.io_service_bytes_recursive",
                    "ioServiceBytesRecursive", out);
        write_v1_io(
            v1, bfq ? "blkio.bfq.io_serviced_recursive" : "blkio.throttle.io_serviced_recursive",
            "ioServicedRecursive", out);
    } else if (v2 != NULL) {
        write_v2_io(v2, bytes, "ioServiceBytesRecursive", out);
        write_v2_io(v2, counts, "ioServicedRecursive", out);
    }
    json_write_object_end(out);
}

/* One entry a page size: the sizes are found by the names of the files. */
static void write_hugetlb(const struct oci_cgroup *cgroup, struct json_writer *out)
{
    const struct oci_cgroup_tree *tree = cgroup_tree_of(cgroup, "hugetlb");
    const char *ending = tree != NULL && tree->v2 ? ".current" : ".usage_in_bytes";
    char path[CGROUP_FILE_MAX];
    DIR *listing = tree != NULL && cgroup_tree_path(tree, "", path) ? opendir(path) : NULL;
    json_write_object(out, "hugetlb");
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        char size[32];
        char file[96];
        const char *name = entry->d_name;
        size_t length = strlen(name);
        size_t tail = strlen(ending);
        if (strncmp(name, "hugetlb.", 8) != 0 || length <= 8 + tail ||
            strcmp(name + length - tail, ending) != 0 || strstr(name, ".rsvd.") != NULL ||
            length - 8 - tail >= sizeof(size))
            continue;
        snprintf(size, sizeof(size), "%.*s", (int)(length - 8 - tail), name + 8);
        json_write_object(out, size);
        json_write_uint(out, "usage", number(tree, name, NULL));
        snprintf(file, sizeof(file), "hugetlb.%s.max_usage_in_bytes", size);
        json_write_uint(out, "max", number(tree, file, NULL));
        snprintf(file, sizeof(file), "hugetlb.%s.failcnt", size);
        json_write_uint(out, "failcnt", number(tree, file, NULL));
        json_write_object_end(out);
    }
    json_write_object_end(out);
    if (listing != NULL)
        closedir(listing);
}

int oci_cgroup_stats(const struct oci_cgroup *cgroup, const char *key, struct json_writer *out,
                     struct err *err)
{
    if (cgroup->count == 0)
        return err_set(err, ENOENT, "the container has no cgroup");
    json_write_object(out, key);
    write_cpu(cgroup, out);
    json_write_object(out, "cpuset");
    json_write_object_end(out);
    write_memory(cgroup, out);
    write_pids(cgroup, out);
    write_block_io(cgroup, out);
    write_hugetlb(cgroup, out);
    json_write_object(out, "intel_rdt");
    json_write_object_end(out);
    json_write_list(out, "network_interfaces");
    json_write_list_end(out);
    json_write_object_end(out);
    return 0;
}

int64_t oci_cgroup_oom_kills(const struct oci_cgroup *cgroup)
{
    const struct oci_cgroup_tree *tree = cgroup_tree_of(cgroup, "memory");
    uint64_t kills = 0;
    if (tree == NULL)
        return -ENOENT;
    int result = cgroup_tree_number(tree, tree->v2 ? "memory.events" : "memory.oom_control",
                                    "oom_kill", &kills);
    return result < 0 ? result : (int64_t)kills;
}
