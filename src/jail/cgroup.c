/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hierarchies there are is read from /proc/self/mountinfo once. For each controller that we
 * limit (memory, pids, cpu) it is known whether a v1 hierarchy or the v2 tree serves it, and a
 * limit is one write into one file there.
 */
#include "jail/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/cgroup_host.h"
#include "jail/cgroup_mounts.h"

#define TRIES_MAX     50 /* of killing what a group holds, a millisecond apart */
#define ZYGOTE_GROUP  "z"
#define SERVICE_GROUP "service" /* a tenant's begins with "tenant-" */

static const char *const controller_names[CONTROLLERS] = {"memory", "pids", "cpu"};

const char *cgroup_layout_name(enum cgroup_layout layout)
{
    static const char *const names[] = {"none", "v1", "hybrid", "v2"};
    return names[layout];
}

enum cgroup_layout cgroup_host_layout(const struct cgroup_host *host)
{
    return host->layout;
}

const char *cgroup_host_missing(const struct cgroup_host *host)
{
    return host->missing;
}

/* --- what is mounted --- */

static int hierarchy_add(struct cgroup_host *host, const char *path, bool v2)
{
    if (host->count == HIERARCHIES_MAX)
        return -1;
    int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -1;
    host->hierarchies[host->count] = (struct hierarchy){.root = root, .lock = -1, .v2 = v2};
    return (int)host->count++;
}

static void mount_line(struct cgroup_host *host, const char *line, char *v2_path, size_t room)
{
    struct cgroup_mount mount;
    if (!cgroup_mount_line(line, &mount))
        return;
    if (mount.v2) {
        snprintf(v2_path, room, "%s", mount.point);
        return;
    }
    int index = -1;
    for (int c = 0; c < CONTROLLERS; c++) {
        if (!cgroup_has_word(mount.controllers, controller_names[c]) || host->of[c] >= 0)
            continue;
        if (index < 0)
            index = hierarchy_add(host, mount.point, false);
        host->of[c] = index;
    }
}

int cgroup_read_mounts(struct cgroup_host *host, struct err *err)
{
    char v2_path[1024] = "";
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL)
        return err_set(err, errno, "read /proc/self/mountinfo:");
    char line[4096];
    while (fgets(line, sizeof(line), mounts) != NULL)
        mount_line(host, line, v2_path, sizeof(v2_path));
    fclose(mounts);
    bool v1 = host->count > 0;
    host->layout = v1 ? CGROUP_V1 : CGROUP_NONE;
    if (v2_path[0] == '\0')
        return 0;
    host->layout = v1 ? CGROUP_HYBRID : CGROUP_V2;
    fd_owner root = open(v2_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char controllers[512] = "";
    if (root < 0 ||
        fd_read_file_at(root, "cgroup.controllers", controllers, sizeof(controllers)) < 0)
        return 0;
    int index = -1; /* a v2 tree that serves nothing of ours is left alone */
    for (int c = 0; c < CONTROLLERS; c++) {
        if (host->of[c] >= 0 || !cgroup_has_word(controllers, controller_names[c]))
            continue;
        if (index < 0)
            index = hierarchy_add(host, v2_path, true);
        host->of[c] = index;
    }
    return 0;
}

/* --- directories --- */

/* For what is made below; without the CPUs all below is one group of the scheduler's. */
static void v2_enable(const struct cgroup_host *host, int hierarchy, const char *path,
                      bool with_cpu)
{
    char file[CGROUP_NAME_MAX + 64];
    for (int c = 0; c < CONTROLLERS; c++) {
        char text[16];
        if (host->of[c] != hierarchy || (c == CPU && !with_cpu))
            continue;
        snprintf(text, sizeof(text), "+%s", controller_names[c]);
        snprintf(file, sizeof(file), "%s%scgroup.subtree_control", path, path[0] ? "/" : "");
        fd_write_file_at(host->hierarchies[hierarchy].root, file, text);
    }
}

/* A v1 hierarchy for the CPUs and nothing else of ours: in it a group can be left out. (In v2 a
 * process must be in a leaf.) */
static bool is_of_cpus_alone(const struct cgroup_host *host, unsigned int hierarchy)
{
    int i = (int)hierarchy;
    return !host->hierarchies[i].v2 && host->of[CPU] == i && host->of[MEMORY] != i &&
           host->of[PIDS] != i;
}

/* with_cpu: the scheduler is to tell it from its siblings. */
static int make_everywhere(struct cgroup_host *host, const char *path, bool is_parent,
                           bool with_cpu, struct err *err)
{
    for (unsigned int i = 0; i < host->count; i++) {
        if (!with_cpu && is_of_cpus_alone(host, i))
            continue;
        if (mkdirat(host->hierarchies[i].root, path, 0755) < 0 && errno != EEXIST)
            return err_set(err, errno, "make cgroup %s:", path);
        if (is_parent && host->hierarchies[i].v2)
            v2_enable(host, (int)i, path, with_cpu);
    }
    return 0;
}

static int remove_everywhere(struct cgroup_host *host, const char *path)
{
    int result = 0;
    for (unsigned int i = 0; i < host->count; i++) {
        if (unlinkat(host->hierarchies[i].root, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
            result = -errno;
    }
    return result;
}

/*
 * The proof that an owner lives is a lock on its PREFIX: it ends with its holder, and pids of
 * another pid namespace say nothing. Who sweeps takes the lock first, so it may have removed the
 * directory that we have just made; then it is made again.
 */
static int prefix_lock(struct hierarchy *hierarchy, const char *prefix)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        struct stat ours, there;
        /* for the owner alone: another user's lock on it would be taken for a life */
        if (mkdirat(hierarchy->root, prefix, 0700) < 0 && errno != EEXIST)
            return -errno;
        fd_owner lock = openat(hierarchy->root, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 && fstat(lock, &ours) == 0 &&
            fstatat(hierarchy->root, prefix, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
            ours.st_ino == there.st_ino) {
            hierarchy->lock = fd_steal(&lock);
            return 0;
        }
        usleep(1000);
    }
    return -EBUSY;
}

static int prefix_make(struct cgroup_host *host, struct err *err)
{
    for (unsigned int i = 0; i < host->count; i++) {
        int result = prefix_lock(&host->hierarchies[i], host->prefix);
        if (result < 0)
            return err_set(err, -result, "make cgroup %s:", host->prefix);
        if (host->hierarchies[i].v2)
            v2_enable(host, (int)i, host->prefix, true);
    }
    return 0;
}

int cgroup_host_open(const char *prefix, struct cgroup_host **out, struct err *err)
{
    struct cgroup_host *host = calloc(1, sizeof(*host));
    if (host == NULL)
        return err_set(err, ENOMEM, "cgroups:");
    for (int c = 0; c < CONTROLLERS; c++)
        host->of[c] = -1;
    snprintf(host->prefix, sizeof(host->prefix), "%s", prefix);
    int result = cgroup_read_mounts(host, err);
    if (result == 0 && host->layout == CGROUP_NONE)
        result = err_set(err, ENOENT,
                         "no cgroup file system is mounted (mount -t cgroup2 none "
                         "/sys/fs/cgroup)");
    for (unsigned int i = 0; result == 0 && i < host->count; i++) {
        if (host->hierarchies[i].v2)
            v2_enable(host, (int)i, "", true);
    }
    if (result == 0)
        result = prefix_make(host, err);
    if (result < 0) {
        cgroup_host_close(host);
        return result;
    }
    for (int c = 0; c < CONTROLLERS; c++) {
        size_t used = strlen(host->missing);
        if (host->of[c] < 0)
            snprintf(host->missing + used, sizeof(host->missing) - used, "%s%s",
                     used > 0 ? ", " : "no cgroup controller here for: ", controller_names[c]);
    }
    *out = host;
    return 0;
}

static void service_path(const struct cgroup_host *host, char *out)
{
    snprintf(out, CGROUP_NAME_MAX, "%s/" SERVICE_GROUP, host->prefix);
}

void cgroup_host_close(struct cgroup_host *host)
{
    char path[CGROUP_NAME_MAX];
    if (host == NULL)
        return;
    service_path(host, path);
    remove_everywhere(host, path);
    remove_everywhere(host, host->prefix);
    for (unsigned int i = 0; i < host->count; i++) {
        close(host->hierarchies[i].root);
        fd_close(&host->hierarchies[i].lock);
    }
    free(host);
}

struct limit_file {
    enum controller controller;
    const char *v1;
    const char *v2;
};

static int write_limit(struct cgroup_host *host, const char *path, const struct limit_file *file,
                       const char *v1_value, const char *v2_value, bool required, struct err *err)
{
    int index = host->of[file->controller];
    if (index < 0)
        return 0;
    bool v2 = host->hierarchies[index].v2;
    const char *name = v2 ? file->v2 : file->v1;
    const char *value = v2 ? v2_value : v1_value;
    if (name == NULL || value == NULL)
        return 0;
    char where[CGROUP_NAME_MAX + 64];
    snprintf(where, sizeof(where), "%s/%s", path, name);
    int result = fd_write_file_at(host->hierarchies[index].root, where, value);
    if (result < 0 && required)
        return err_set(err, -result, "write %s to cgroup file %s:", value, where);
    return 0;
}

/* To the group, or, where that was left out, to the nearest that it would lie in. */
static int attach_in(int root, const char *path, const char *pid, bool may_be_left_out)
{
    char group[CGROUP_NAME_MAX];
    char file[CGROUP_NAME_MAX + 64];
    snprintf(group, sizeof(group), "%s", path);
    for (;;) {
        snprintf(file, sizeof(file), "%s/cgroup.procs", group);
        int result = fd_write_file_at(root, file, pid);
        char *last = strrchr(group, '/');
        if (result != -ENOENT || !may_be_left_out || last == NULL)
            return result;
        *last = '\0';
    }
}

int cgroup_service_attach(struct cgroup_host *host, pid_t pid, struct err *err)
{
    static const struct limit_file weight = {CPU, "cpu.shares", "cpu.weight"};
    char path[CGROUP_NAME_MAX];
    char text[16];
    int index = host->of[CPU];
    if (index < 0)
        return 0;
    service_path(host, path);
    if (mkdirat(host->hierarchies[index].root, path, 0755) < 0 && errno != EEXIST)
        return err_set(err, errno, "make cgroup %s:", path);
    snprintf(text, sizeof(text), "%d", (int)pid);
    int result = write_limit(host, path, &weight, "4096", "400", true, err);
    if (result == 0)
        result = attach_in(host->hierarchies[index].root, path, text, false);
    return result < 0 ? err_set(err, -result, "attach the service to cgroup %s:", path) : 0;
}

/* --- templates and slots --- */

static void template_path(const struct cgroup_host *host, const char *name, char *out)
{
    snprintf(out, CGROUP_NAME_MAX, "%s/%s", host->prefix, name);
}

static void slot_path(const struct cgroup_host *host, const char *name, uint32_t slot, char *out)
{
    snprintf(out, CGROUP_NAME_MAX, "%s/%s/s%u", host->prefix, name, slot);
}

static int attach(const struct cgroup_host *host, const char *path, pid_t pid, bool has_cpu_limit,
                  struct err *err)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", (int)pid);
    for (unsigned int i = 0; i < host->count; i++) {
        int result = attach_in(host->hierarchies[i].root, path, text,
                               !has_cpu_limit && is_of_cpus_alone(host, i));
        if (result < 0)
            return err_set(err, -result, "attach process %s to cgroup %s:", text, path);
    }
    return 0;
}

/* The directory of the template's tenant; empty if its name has none. */
static void tenant_path(const struct cgroup_host *host, const char *name, char *out)
{
    const char *slash = strchr(name, '/');
    out[0] = '\0';
    if (slash != NULL)
        snprintf(out, CGROUP_NAME_MAX, "%s/%.*s", host->prefix, (int)(slash - name), name);
}

static void zygote_path(const struct cgroup_host *host, const char *name, char *out)
{
    snprintf(out, CGROUP_NAME_MAX, "%s/%s/" ZYGOTE_GROUP, host->prefix, name);
}

int cgroup_template_make(struct cgroup_host *host, const char *name, bool has_cpu_limit,
                         struct err *err)
{
    char path[CGROUP_NAME_MAX];
    tenant_path(host, name, path);
    int result = 0;
    if (path[0] != '\0')
        result = make_everywhere(host, path, false, true, err);
    for (unsigned int i = 0; path[0] != '\0' && i < host->count; i++) {
        if (host->hierarchies[i].v2)
            v2_enable(host, (int)i, path, has_cpu_limit);
    }
    template_path(host, name, path);
    return result < 0 ? result : make_everywhere(host, path, true, has_cpu_limit, err);
}

void cgroup_template_remove(struct cgroup_host *host, const char *name)
{
    char path[CGROUP_NAME_MAX];
    zygote_path(host, name, path);
    remove_everywhere(host, path);
    template_path(host, name, path);
    remove_everywhere(host, path);
    tenant_path(host, name, path);
    if (path[0] != '\0')
        remove_everywhere(host, path); /* stays while it has other templates */
}

int cgroup_zygote_attach(struct cgroup_host *host, const char *template_name, pid_t pid,
                         struct err *err)
{
    char path[CGROUP_NAME_MAX];
    zygote_path(host, template_name, path);
    int result = make_everywhere(host, path, false, false, err);
    return result < 0 ? result : attach(host, path, pid, false, err);
}

static int write_limits(struct cgroup_host *host, const char *path,
                        const struct function_limits *limits, struct err *err)
{
    static const struct limit_file memory = {MEMORY, "memory.limit_in_bytes", "memory.max"};
    static const struct limit_file no_swap = {MEMORY, NULL, "memory.swap.max"};
    static const struct limit_file swappiness = {MEMORY, "memory.swappiness", NULL};
    static const struct limit_file pids = {PIDS, "pids.max", "pids.max"};
    static const struct limit_file period = {CPU, "cpu.cfs_period_us", NULL};
    static const struct limit_file quota = {CPU, "cpu.cfs_quota_us", "cpu.max"};
    char bytes[32];
    char count[32];
    char v1_quota[32];
    char v2_quota[48];
    snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)limits->mem_bytes);
    snprintf(count, sizeof(count), "%u", limits->pids_max + 1); /* and the spawner */
    snprintf(v1_quota, sizeof(v1_quota), "%llu", 100ull * limits->cpu_millis);
    snprintf(v2_quota, sizeof(v2_quota), "%llu 100000", 100ull * limits->cpu_millis);
    int result = write_limit(host, path, &memory, bytes, bytes, true, err);
    if (result == 0)
        result = write_limit(host, path, &pids, count, count, true, err);
    if (result == 0 && limits->cpu_millis != 0)
        result = write_limit(host, path, &period, "100000", NULL, false, err);
    if (result == 0 && limits->cpu_millis != 0)
        result = write_limit(host, path, &quota, v1_quota, v2_quota, true, err);
    if (result == 0) /* absent without swap */
        result = write_limit(host, path, &no_swap, NULL, "0", false, err);
    return result == 0 ? write_limit(host, path, &swappiness, "0", NULL, false, err) : result;
}

int cgroup_slot_make(struct cgroup_host *host, const char *template_name, uint32_t slot,
                     const struct function_limits *limits, int *out_events, struct err *err)
{
    char path[CGROUP_NAME_MAX];
    slot_path(host, template_name, slot, path);
    int result = make_everywhere(host, path, false, limits->cpu_millis != 0, err);
    if (result == 0)
        result = write_limits(host, path, limits, err);
    if (result < 0) {
        remove_everywhere(host, path);
        return result;
    }
    int events = -1;
    if (host->of[MEMORY] >= 0) {
        const struct hierarchy *hierarchy = &host->hierarchies[host->of[MEMORY]];
        char file[CGROUP_NAME_MAX + 64];
        snprintf(file, sizeof(file), "%s/%s", path,
                 hierarchy->v2 ? "memory.events" : "memory.oom_control");
        events = openat(hierarchy->root, file, O_RDONLY | O_CLOEXEC);
    }
    *out_events = events;
    return 0;
}

int cgroup_slot_attach(struct cgroup_host *host, const char *template_name, uint32_t slot,
                       pid_t pid, bool has_cpu_limit, struct err *err)
{
    char path[CGROUP_NAME_MAX];
    slot_path(host, template_name, slot, path);
    return attach(host, path, pid, has_cpu_limit, err);
}

uint64_t cgroup_slot_peak(const struct cgroup_host *host, const char *template_name, uint32_t slot)
{
    char path[CGROUP_NAME_MAX];
    char file[CGROUP_NAME_MAX + 64];
    char text[32];
    if (host->of[MEMORY] < 0)
        return 0;
    const struct hierarchy *hierarchy = &host->hierarchies[host->of[MEMORY]];
    slot_path(host, template_name, slot, path);
    snprintf(file, sizeof(file), "%s/%s", path,
             hierarchy->v2 ? "memory.peak" : "memory.max_usage_in_bytes");
    if (fd_read_file_at(hierarchy->root, file, text, sizeof(text)) <= 0)
        return 0;
    return strtoull(text, NULL, 10);
}

unsigned int cgroup_kill_members(int root, const char *path)
{
    char file[CGROUP_NAME_MAX + 64];
    unsigned int count = 0;
    snprintf(file, sizeof(file), "%s/cgroup.procs", path);
    fd_owner fd = openat(root, file, O_RDONLY | O_CLOEXEC);
    FILE *members = fd >= 0 ? fdopen(fd_steal(&fd), "re") : NULL;
    if (members == NULL)
        return 0;
    for (int pid; fscanf(members, "%d", &pid) == 1; count++) {
        if (pid > 1)
            kill(pid, SIGKILL);
    }
    fclose(members);
    return count;
}

int cgroup_slot_remove(struct cgroup_host *host, const char *template_name, uint32_t slot)
{
    char path[CGROUP_NAME_MAX];
    slot_path(host, template_name, slot, path);
    int result = remove_everywhere(host, path);
    for (unsigned int i = 0; result == -EBUSY && i < host->count; i++)
        cgroup_kill_members(host->hierarchies[i].root, path);
    return result == -EBUSY ? remove_everywhere(host, path) : result;
}
