/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup of a container: one directory in each hierarchy that the machine mounts (v2, v1, or v1
 * controllers beside a cgroup2, "hybrid").
 *
 * Recorded, then applied: oci_cgroup_plan reads what is mounted and decides names, and makes
 * nothing, so that the state file can tell what to remove before there is anything. From the record
 * alone (its JSON) each other function works, in another process and after any death.
 *
 * With the systemd driver systemd makes the leaf and holds it as a scope unit; what systemd has no
 * property for is written by us as with the cgroupfs driver.
 */
#ifndef SKERRY_OCI_CGROUP_H
#define SKERRY_OCI_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/json.h"
#include "oci/json_write.h"
#include "oci/spec.h"

#define OCI_CGROUP_PATH_MAX  512
#define OCI_CGROUP_TREES_MAX 16

enum oci_cgroup_driver {
    OCI_CGROUP_FS = 0,
    OCI_CGROUP_SYSTEMD,
};

/* One hierarchy. */
struct oci_cgroup_tree {
    bool v2;
    char controllers[96]; /* of v1: "cpu,cpuacct", "name=systemd"; of v2: what its root offers */
    char mount[128];      /* mount point: "/sys/fs/cgroup/memory" */
    char path[OCI_CGROUP_PATH_MAX]; /* of the group below the mount point, with a leading "/" */
};

struct oci_cgroup {
    enum oci_cgroup_driver driver;
    bool required; /* config.json asked for it by a path or by limits: then a failure is an error */
    unsigned int count;
    struct oci_cgroup_tree trees[OCI_CGROUP_TREES_MAX];
    char unit[256];  /* of systemd: "libpod-ID.scope" */
    char slice[256]; /* "machine.slice"; empty: system.slice, rootless user.slice */
};

/*
 * Decides where the container's groups are. cgroups_path is `linux.cgroupsPath` or NULL: an
 * absolute one is below the mount points, a relative one below our own group; with systemd
 * "SLICE:PREFIX:NAME". Reads /proc/self/mountinfo and /proc/self/cgroup; makes nothing. 0 or
 * -errno.
 */
int oci_cgroup_plan(const char *cgroups_path, const char *id, bool systemd, struct oci_cgroup *out,
                    struct err *err);

/* The same from given texts, for tests: mountinfo and /proc/self/cgroup. */
int oci_cgroup_plan_from(const char *mountinfo, const char *own, const char *cgroups_path,
                         const char *id, bool systemd, struct oci_cgroup *out, struct err *err);

/* A member `key` of an object that is being written; what _from_json reads back. */
void oci_cgroup_write_json(const struct oci_cgroup *cgroup, const char *key,
                           struct json_writer *out);
/* Refuses what we would not have written (paths with "..", too long, unknown driver). */
int oci_cgroup_from_json(const struct json *value, struct oci_cgroup *out, struct err *err);

/*
 * Makes all groups that are missing, parents too (v1 cpusets are filled from above, v2 controllers
 * enabled above), and with systemd the scope unit around pid (a process that exists; 0 with
 * cgroupfs). Refuses a group that holds processes. Rootless without the rights: 0, and fewer trees
 * in *cgroup (v1), or none. A failure leaves nothing of what it made.
 */
int oci_cgroup_make(struct oci_cgroup *cgroup, const struct oci_resources *resources, pid_t pid,
                    struct err *err);

/* Writes the limits of a new container, devices too. Only what is set is written. */
int oci_cgroup_apply(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                     struct err *err);
/* The same of a running one: systemd is told as well. */
int oci_cgroup_update(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                      struct err *err);

/*
 * How a process gets in. v2_dir is for clone3's CLONE_INTO_CGROUP (-1: no v2 tree), tasks[] are
 * `tasks` files of v1 trees into which the process itself writes "0": a write of another pid, or
 * into cgroup.procs, waits for a grace period of the kernel (7-11 ms when nobody moved a process
 * for a while), this one does not. It moves one thread, so the process must be single-threaded
 * still.
 */
struct oci_cgroup_join {
    int v2_dir;
    unsigned int count;
    int tasks[OCI_CGROUP_TREES_MAX];
};

/* Opens them O_CLOEXEC; the caller closes with oci_cgroup_join_close. */
int oci_cgroup_join_open(const struct oci_cgroup *cgroup, struct oci_cgroup_join *out,
                         struct err *err);
void oci_cgroup_join_close(struct oci_cgroup_join *join);
/* The calling process into the v1 trees. No malloc, no lock: fit for after clone. */
int oci_cgroup_join_self(const struct oci_cgroup_join *join, struct err *err);
/* Another process into all trees, v2 too; for where CLONE_INTO_CGROUP is not to be had. sub: a path
 * below the group ("" or "/x"; exec --cgroup). */
int oci_cgroup_join_pid(const struct oci_cgroup *cgroup, const char *sub, pid_t pid,
                        struct err *err);

/*
 * The processes of the group and all below it. *out: malloc'd, the caller frees it. Returns the
 * count or -errno; -ENOENT: there is no group.
 */
ssize_t oci_cgroup_pids(const struct oci_cgroup *cgroup, pid_t **out, struct err *err);

/* Sends sig to every process in it, also to those that are forked meanwhile. */
int oci_cgroup_kill(const struct oci_cgroup *cgroup, int sig, struct err *err);

/* Stops or continues all of it; returns when the kernel says that it is done. */
int oci_cgroup_freeze(const struct oci_cgroup *cgroup, bool freeze, struct err *err);
/* 1, 0, or -errno. */
int oci_cgroup_frozen(const struct oci_cgroup *cgroup);

/* The object "data" of `events --stats` as runc writes it, as a member `key`. */
int oci_cgroup_stats(const struct oci_cgroup *cgroup, const char *key, struct json_writer *out,
                     struct err *err);

/* "oom_kill" of the group's events so far, or -errno. */
int64_t oci_cgroup_oom_kills(const struct oci_cgroup *cgroup);

/*
 * Removes the groups and all below them; with systemd stops the unit. Waits (by event, bounded) for
 * processes that are dying. 0 also when there was nothing.
 */
int oci_cgroup_remove(const struct oci_cgroup *cgroup, struct err *err);

#endif
