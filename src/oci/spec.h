/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json of OCI runtime-spec 1.2 as plain structs.
 *
 * Everything a struct oci_spec points to lies in its arena: one oci_spec_free releases it whole,
 * and nothing in it is freed by itself. Strings are NUL-terminated and hold no other NUL; an absent
 * string is NULL, an absent list has count 0, an absent object is a NULL pointer, an absent number
 * has !set. JSON's null counts as absent, as in the encoders of the clients.
 *
 * Names of the file (namespace types, capabilities, signals, mount options, actions) have become
 * numbers of the kernel here: what has no number was an error of the parser or, where the
 * specification asks for it, a warning in `warnings`.
 */
#ifndef SKERRY_OCI_SPEC_H
#define SKERRY_OCI_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/json.h"

#define OCI_VERSION_SUPPORTED "1.2.1"

struct oci_int {
    bool set;
    int64_t value;
};

struct oci_uint {
    bool set;
    uint64_t value;
};

struct oci_bool {
    bool set;
    bool value;
};

/* items[count] is NULL: fit for execve. */
struct oci_strings {
    size_t count;
    char **items;
};

struct oci_pair {
    const char *key;
    const char *value;
};

/* In the order of the file; keys differ. */
struct oci_pairs {
    size_t count;
    struct oci_pair *items;
};

/* --- process --- */

struct oci_user {
    uint32_t uid;
    uint32_t gid;
    struct oci_uint umask;
    size_t gid_count;
    uint32_t *additional_gids;
};

/* Bit sets: bit N is capability N. */
struct oci_capabilities {
    uint64_t bounding;
    uint64_t effective;
    uint64_t inheritable;
    uint64_t permitted;
    uint64_t ambient;
};

struct oci_rlimit {
    int resource; /* RLIMIT_* */
    uint64_t soft;
    uint64_t hard; /* soft <= hard */
};

/* struct sched_attr's fields. */
struct oci_scheduler {
    uint32_t policy; /* SCHED_* */
    int32_t nice;
    uint32_t priority;
    uint64_t flags; /* SCHED_FLAG_* */
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};

/* For ioprio_set(2): IOPRIO_PRIO_VALUE(class, priority). */
struct oci_io_priority {
    int class_number; /* 1 RT, 2 BE, 3 IDLE */
    int priority;     /* 0-7 */
};

/* CPU lists as text ("0-3,7"), syntax checked. */
struct oci_cpu_affinity {
    const char *initial;
    const char *final;
};

struct oci_process {
    bool terminal;
    bool no_new_privileges;
    uint16_t console_height; /* 0: not given */
    uint16_t console_width;
    struct oci_user user;
    struct oci_strings args; /* at least one */
    struct oci_strings env;  /* every item has a '=' that is not its first character */
    const char *cwd;         /* absolute */
    struct oci_capabilities *capabilities; /* NULL: none given */
    size_t rlimit_count;
    struct oci_rlimit *rlimits; /* types differ */
    const char *apparmor_profile;
    const char *selinux_label;
    struct oci_int oom_score_adj;
    struct oci_scheduler *scheduler;
    struct oci_io_priority *io_priority;
    struct oci_cpu_affinity *cpu_affinity; /* "execCPUAffinity": of exec, not of create */
};

/* --- root and mounts --- */

struct oci_root {
    const char *path; /* as given: relative ones are below the bundle; never "/" */
    bool readonly;
};

struct oci_id_map {
    uint32_t container_id;
    uint32_t host_id;
    uint32_t size; /* > 0, ranges do not wrap */
};

struct oci_id_maps {
    size_t count;
    struct oci_id_map *items;
};

enum oci_mount_flag {
    OCI_MOUNT_BIND = 1,       /* "bind" or type "bind" */
    OCI_MOUNT_RBIND = 2,      /* with what is mounted below */
    OCI_MOUNT_IDMAP = 4,      /* own uidMappings/gidMappings, or "idmap" */
    OCI_MOUNT_RIDMAP = 8,     /* the same for what is mounted below */
    OCI_MOUNT_TMPCOPYUP = 16, /* tmpfs begins as a copy of what it covers */
    OCI_MOUNT_REMOUNT = 32,
};

/*
 * One mount. Options are sorted into: attributes of the mount (MOUNT_ATTR_* as for
 * mount_setattr(2), set and cleared, the recursive ones ("rro") apart; the later of two
 * contradicting options has won), flags of the superblock (MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK,
 * MS_I_VERSION, MS_LAZYTIME, MS_SILENT, MS_RDONLY with "ro"), the propagation, and what the file
 * system itself shall see. An access time in attr_set comes with MOUNT_ATTR__ATIME in attr_clear.
 */
struct oci_mount {
    const char *destination; /* absolute (a relative one was taken below "/", with a warning) */
    const char *source;
    const char *type; /* NULL for binds without one */
    uint32_t flags;   /* enum oci_mount_flag */
    uint64_t attr_set;
    uint64_t attr_clear;
    uint64_t rec_attr_set;
    uint64_t rec_attr_clear;
    unsigned long sb_flags;
    unsigned long sb_clear; /* MS_RDONLY by "rw" and the like */
    unsigned long
        propagation; /* MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, each perhaps | MS_REC; 0 */
    struct oci_strings data; /* options of the file system: "size=65536k", "mode=755" */
    struct oci_id_maps uid_maps;
    struct oci_id_maps gid_maps;
};

/* --- hooks --- */

enum oci_hook_kind {
    OCI_HOOK_PRESTART = 0,
    OCI_HOOK_CREATE_RUNTIME,
    OCI_HOOK_CREATE_CONTAINER,
    OCI_HOOK_START_CONTAINER,
    OCI_HOOK_POSTSTART,
    OCI_HOOK_POSTSTOP,
    OCI_HOOK_KINDS,
};

struct oci_hook {
    const char *path;        /* absolute */
    struct oci_strings args; /* whole argv; empty: argv is {path} */
    struct oci_strings env;
    struct oci_uint timeout_s; /* > 0 when set */
};

struct oci_hooks {
    size_t count;
    struct oci_hook *items;
};

/* --- linux: namespaces, devices --- */

enum oci_namespace_kind {
    OCI_NS_PID = 0,
    OCI_NS_NETWORK,
    OCI_NS_MOUNT,
    OCI_NS_IPC,
    OCI_NS_UTS,
    OCI_NS_USER,
    OCI_NS_CGROUP,
    OCI_NS_TIME,
    OCI_NAMESPACES,
};

struct oci_namespace {
    bool listed;      /* false: the container shares the runtime's */
    const char *path; /* join this one (absolute); NULL: a new one */
    int clone_flag;   /* CLONE_NEW*; set for every kind */
};

struct oci_device {
    const char *path; /* absolute, in the container */
    char type;        /* 'c', 'b' or 'p'; 'u' of the file is 'c' */
    uint32_t major;
    uint32_t minor;
    struct oci_uint file_mode;
    struct oci_uint uid;
    struct oci_uint gid;
};

/* --- linux.resources --- */

enum { OCI_ACCESS_READ = 1, OCI_ACCESS_WRITE = 2, OCI_ACCESS_MKNOD = 4 };

struct oci_device_rule {
    bool allow;
    char type;             /* 'a', 'b', 'c' */
    uint32_t access;       /* OCI_ACCESS_*; never 0 */
    struct oci_uint major; /* !set: any */
    struct oci_uint minor;
};

struct oci_memory {
    struct oci_int limit; /* bytes; -1: unlimited; the others alike */
    struct oci_int reservation;
    struct oci_int swap; /* memory and swap together, as in v1 */
    struct oci_int kernel;
    struct oci_int kernel_tcp;
    struct oci_uint swappiness; /* 0-100 */
    struct oci_bool disable_oom_killer;
    struct oci_bool use_hierarchy;
    struct oci_bool check_before_update;
};

struct oci_cpu {
    struct oci_uint shares;
    struct oci_int quota_us;
    struct oci_uint burst_us;
    struct oci_uint period_us;
    struct oci_int realtime_runtime_us;
    struct oci_uint realtime_period_us;
    struct oci_int idle; /* 0 or 1 */
    const char *cpus;
    const char *mems;
};

struct oci_weight_device {
    uint32_t major;
    uint32_t minor;
    struct oci_uint weight;
    struct oci_uint leaf_weight;
};

struct oci_throttle_device {
    uint32_t major;
    uint32_t minor;
    uint64_t rate;
};

enum oci_throttle {
    OCI_THROTTLE_READ_BPS = 0,
    OCI_THROTTLE_WRITE_BPS,
    OCI_THROTTLE_READ_IOPS,
    OCI_THROTTLE_WRITE_IOPS,
    OCI_THROTTLES,
};

struct oci_block_io {
    struct oci_uint weight; /* 10-1000 */
    struct oci_uint leaf_weight;
    size_t weight_device_count;
    struct oci_weight_device *weight_devices;
    struct {
        size_t count;
        struct oci_throttle_device *items;
    } throttle[OCI_THROTTLES];
};

struct oci_hugepage_limit {
    const char *page_size; /* "2MB", "1GB": as in the file names */
    uint64_t limit;
};

struct oci_rdma {
    const char *device;
    struct oci_uint hca_handles;
    struct oci_uint hca_objects;
};

struct oci_resources {
    size_t device_rule_count;
    struct oci_device_rule *device_rules;
    struct oci_memory memory;
    struct oci_cpu cpu;
    struct oci_int pids_limit; /* <= 0: unlimited ("max") */
    struct oci_block_io block_io;
    size_t hugepage_count;
    struct oci_hugepage_limit *hugepages;
    struct oci_uint net_class_id;
    struct oci_pairs net_priorities; /* interface, number as text */
    size_t rdma_count;
    struct oci_rdma *rdma;
    struct oci_pairs unified; /* file name without '/', text */
};

/* --- linux.seccomp --- */

enum oci_seccomp_action {
    OCI_ACT_KILL_THREAD = 0, /* also SCMP_ACT_KILL */
    OCI_ACT_KILL_PROCESS,
    OCI_ACT_TRAP,
    OCI_ACT_ERRNO,
    OCI_ACT_TRACE,
    OCI_ACT_ALLOW,
    OCI_ACT_LOG,
    OCI_ACT_NOTIFY,
};

enum oci_seccomp_operator {
    OCI_CMP_NE = 0,
    OCI_CMP_LT,
    OCI_CMP_LE,
    OCI_CMP_EQ,
    OCI_CMP_GE,
    OCI_CMP_GT,
    OCI_CMP_MASKED_EQ, /* (argument & value) == value_two */
};

struct oci_seccomp_arg {
    uint32_t index; /* 0-5 */
    enum oci_seccomp_operator op;
    uint64_t value;
    uint64_t value_two;
};

struct oci_seccomp_rule {
    struct oci_strings names; /* as given: a name the kernel does not know is passed over */
    enum oci_seccomp_action action;
    struct oci_uint errno_ret;
    size_t arg_count;
    struct oci_seccomp_arg *args;
};

struct oci_seccomp {
    enum oci_seccomp_action default_action;
    struct oci_uint default_errno_ret;
    size_t arch_count;
    uint32_t *arches;          /* AUDIT_ARCH_*; x32 is OCI_ARCH_X32 */
    unsigned int filter_flags; /* SECCOMP_FILTER_FLAG_* of "flags" */
    const char *listener_path;
    const char *listener_metadata;
    size_t rule_count;
    struct oci_seccomp_rule *rules;
    const char
        *text; /* the object as it stands in the file: the key of the cache. Not terminated. */
    size_t text_size;
};

#define OCI_ARCH_X32 0x4000003eu /* libseccomp's number for it; the kernel has none */

/* --- linux: the rest --- */

struct oci_intel_rdt {
    const char *clos_id;
    const char *l3_cache_schema;
    const char *mem_bw_schema;
    bool enable_cmt;
    bool enable_mbm;
};

struct oci_time_offset {
    bool set;
    int64_t secs;
    uint32_t nanosecs;
};

struct oci_linux {
    struct oci_id_maps uid_maps;
    struct oci_id_maps gid_maps;
    struct oci_pairs sysctl;
    struct oci_resources resources;
    const char *cgroups_path;
    struct oci_namespace namespaces[OCI_NAMESPACES];
    size_t device_count;
    struct oci_device *devices;
    struct oci_seccomp *seccomp;
    unsigned long rootfs_propagation; /* MS_* with MS_REC for the r-forms; 0: not given */
    struct oci_strings masked_paths;  /* absolute */
    struct oci_strings readonly_paths;
    const char *mount_label;
    struct oci_intel_rdt *intel_rdt;
    struct oci_uint personality; /* PER_*, for personality(2) */
    struct oci_time_offset monotonic;
    struct oci_time_offset boottime;
};

struct oci_spec {
    struct json_arena arena;
    const struct json *json; /* the tree that all this was read from */
    const char *version;
    struct oci_process *process; /* NULL: the container cannot be started */
    struct oci_root root;
    const char *hostname;
    const char *domainname;
    size_t mount_count;
    struct oci_mount *mounts;
    struct oci_hooks hooks[OCI_HOOK_KINDS];
    struct oci_pairs annotations;
    struct oci_linux linux_;
    struct oci_strings
        warnings; /* sentences for --log: what the specification lets us not honour */
};

/*
 * Reads a config.json of size bytes. *out is zeroed first; on failure it is empty again (nothing to
 * free) and err names the property by its path: "linux.resources.memory.limit: ...". 0 or -errno
 * (EINVAL for everything that is wrong with the document, ENOTSUP for what this machine or runtime
 * cannot honour).
 */
int oci_spec_parse(const char *text, size_t size, struct oci_spec *out, struct err *err);

/*
 * Opens `config.json` below the bundle (a directory), as a regular file of at most JSON_SIZE_MAX
 * bytes, and parses it.
 */
int oci_spec_load(int bundle, struct oci_spec *out, struct err *err);

/* The process object alone (exec --process): in *out, with its arena as above; only out->process is
 * set. */
int oci_process_parse(const char *text, size_t size, struct oci_spec *out, struct err *err);

/* The resources object alone (update -r): only out->linux_.resources is set. */
int oci_resources_parse(const char *text, size_t size, struct oci_spec *out, struct err *err);

/* The seccomp object alone (the compiler program): only out->linux_.seccomp is set. */
int oci_seccomp_parse(const char *text, size_t size, struct oci_spec *out, struct err *err);

/* Releases all of it. Fine on a zeroed one. */
void oci_spec_free(struct oci_spec *spec);

/* The value of an annotation or NULL. */
const char *oci_pairs_get(const struct oci_pairs *pairs, const char *key);

/* The name of a hook list in config.json, e.g. "createRuntime". */
const char *oci_hook_kind_name(enum oci_hook_kind kind);

/* The name of a namespace type in config.json, e.g. "network", and below /proc/PID/ns, e.g. "net".
 */
const char *oci_namespace_name(enum oci_namespace_kind kind);
const char *oci_namespace_file(enum oci_namespace_kind kind);

#endif
