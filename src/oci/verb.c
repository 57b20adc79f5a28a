/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs and options; pure data. */
#include "oci/verb.h"

#include <string.h>

#define FIELD(f) (uint16_t) offsetof(struct oci_settings, f)
#define FLAG(n, l, f, h)                                                                           \
    {                                                                                              \
        n, l, OPTION_FLAG, FIELD(f), h                                                             \
    }
#define TEXT(n, l, f, h)                                                                           \
    {                                                                                              \
        n, l, OPTION_TEXT, FIELD(f), h                                                             \
    }
#define COUNT(n, l, f, h)                                                                          \
    {                                                                                              \
        n, l, OPTION_COUNT, FIELD(f), h                                                            \
    }
#define VALUES(n, l, f, h)                                                                         \
    {                                                                                              \
        n, l, OPTION_VALUES, FIELD(f), h                                                           \
    }
#define HELP FLAG("help", 'h', help, "show this help")
#define END                                                                                        \
    {                                                                                              \
        NULL, 0, 0, 0, NULL                                                                        \
    }

#define BUNDLE  TEXT("bundle", 'b', bundle, "directory of the bundle (default: the current one)")
#define CONSOLE TEXT("console-socket", 0, console_socket, "Unix socket that receives the terminal")
#define PIDFILE TEXT("pid-file", 0, pid_file, "file to write the process id to")
#define NOPIVOT FLAG("no-pivot", 0, no_pivot, "move the root instead of pivot_root (ramdisks)")
#define NOKEYS  FLAG("no-new-keyring", 0, no_new_keyring, "keep the caller's session keyring")
#define KEEPFDS                                                                                    \
    COUNT("preserve-fds", 0, preserve_fds, "descriptors to pass after the standard ones")
#define DETACH FLAG("detach", 'd', detach, "do not wait for the process")
#define NOREAP FLAG("no-subreaper", 0, no_subreaper, "do not adopt orphans of the container")

const struct oci_option oci_global_options[] = {
    FLAG("debug", 0, debug, "write more to the log"),
    TEXT("log", 0, log, "file to write errors to, besides stderr"),
    TEXT("log-format", 0, log_format, "text (default) or json"),
    TEXT("root", 0, root, "directory of the containers' state"),
    TEXT("criu", 0, criu, "the criu program (default: criu)"),
    FLAG("systemd-cgroup", 0, systemd_cgroup, "let systemd make the cgroups"),
    TEXT("rootless", 0, rootless, "do without cgroups that cannot be written: true, false, auto"),
    FLAG("version", 'v', version, "print the version"),
    HELP,
    END,
};

static const struct oci_option no_options[] = {HELP, END};

static const struct oci_option create_options[] = {BUNDLE, CONSOLE, PIDFILE, NOPIVOT,
                                                   NOKEYS, KEEPFDS, HELP,    END};
static const struct oci_option run_options[] = {
    BUNDLE,  CONSOLE, PIDFILE,
    NOPIVOT, NOKEYS,  KEEPFDS,
    DETACH,  NOREAP,  FLAG("keep", 0, keep, "do not delete the container when it has ended"),
    HELP,    END};

static const struct oci_option kill_options[] = {
    FLAG("all", 'a', all, "signal every process of the container"), HELP, END};

static const struct oci_option delete_options[] = {
    FLAG("force", 'f', force, "kill it first if it runs"), HELP, END};

static const struct oci_option exec_options[] = {
    CONSOLE,
    TEXT("cwd", 0, cwd, "working directory"),
    VALUES("env", 'e', env, "environment variable, K=V"),
    FLAG("tty", 't', tty, "give it a terminal"),
    TEXT("user", 'u', user, "UID or UID:GID"),
    VALUES("additional-gids", 'g', additional_gids, "further groups"),
    TEXT("process", 'p', process, "file with the process as JSON"),
    DETACH,
    PIDFILE,
    TEXT("process-label", 0, process_label, "SELinux label"),
    TEXT("apparmor", 0, apparmor, "AppArmor profile"),
    FLAG("no-new-privs", 0, no_new_privs, "set no_new_privs"),
    VALUES("cap", 'c', cap, "further capability"),
    KEEPFDS,
    VALUES("cgroup", 0, cgroup, "existing sub-cgroup, [CONTROLLER:]PATH"),
    FLAG("ignore-paused", 0, ignore_paused, "also in a paused container"),
    NOREAP,
    HELP,
    END,
};

static const struct oci_option format_options[] = {TEXT("format", 'f', format, "table or json"),
                                                   FLAG("quiet", 'q', quiet, "names only"), HELP,
                                                   END};

static const struct oci_option events_options[] = {
    TEXT("interval", 0, interval, "between two reports (default: 5s)"),
    FLAG("stats", 0, stats, "report once"), HELP, END};

static const struct oci_option spec_options[] = {
    BUNDLE, FLAG("rootless", 0, spec_rootless, "for a container without root"), HELP, END};

static const struct oci_option update_options[] = {
    TEXT("resources", 'r', resources, "file with the resources as JSON, - for stdin"),
    TEXT("blkio-weight", 0, blkio_weight, "weight of block I/O, 10 to 1000"),
    TEXT("cpu-period", 0, cpu_period, "CFS period in microseconds"),
    TEXT("cpu-quota", 0, cpu_quota, "CFS quota in microseconds"),
    TEXT("cpu-burst", 0, cpu_burst, "CFS burst in microseconds"),
    TEXT("cpu-share", 0, cpu_share, "CPU shares"),
    TEXT("cpu-rt-period", 0, cpu_rt_period, "real-time period in microseconds"),
    TEXT("cpu-rt-runtime", 0, cpu_rt_runtime, "real-time quota in microseconds"),
    TEXT("cpu-idle", 0, cpu_idle, "1: SCHED_IDLE for all"),
    TEXT("cpuset-cpus", 0, cpuset_cpus, "processors to use"),
    TEXT("cpuset-mems", 0, cpuset_mems, "memory nodes to use"),
    TEXT("kernel-memory", 0, kernel_memory, "kernel memory in bytes"),
    TEXT("kernel-memory-tcp", 0, kernel_memory_tcp, "memory of TCP in bytes"),
    TEXT("memory", 0, memory, "memory in bytes"),
    TEXT("memory-reservation", 0, memory_reservation, "soft limit in bytes"),
    TEXT("memory-swap", 0, memory_swap, "memory and swap in bytes, -1: unlimited"),
    TEXT("pids-limit", 0, pids_limit, "number of processes"),
    TEXT("l3-cache-schema", 0, l3_cache_schema, "Intel RDT cache schema"),
    TEXT("mem-bw-schema", 0, mem_bw_schema, "Intel RDT memory bandwidth schema"),
    HELP,
    END,
};

#define CRIU_OPTIONS                                                                               \
    TEXT("image-path", 0, image_path, "directory of the images"),                                  \
        TEXT("work-path", 0, work_path, "directory of logs"),                                      \
        FLAG("tcp-established", 0, tcp_established, "allow open TCP connections"),                 \
        FLAG("tcp-skip-in-flight", 0, tcp_skip_in_flight, "skip connections in flight"),           \
        FLAG("ext-unix-sk", 0, ext_unix_sk, "allow external Unix sockets"),                        \
        FLAG("shell-job", 0, shell_job, "allow shell jobs"),                                       \
        FLAG("lazy-pages", 0, lazy_pages, "pages by userfaultfd"),                                 \
        FLAG("file-locks", 0, file_locks, "handle file locks"),                                    \
        FLAG("auto-dedup", 0, auto_dedup, "deduplicate images"),                                   \
        TEXT("manage-cgroups-mode", 0, manage_cgroups_mode, "soft, full or strict"),               \
        VALUES("empty-ns", 0, empty_ns, "namespace whose properties are not restored")

static const struct oci_option checkpoint_options[] = {
    CRIU_OPTIONS,
    TEXT("parent-path", 0, parent_path, "images of an earlier pre-dump"),
    FLAG("leave-running", 0, leave_running, "let it run on"),
    TEXT("status-fd", 0, status_fd, "descriptor that is told when lazy pages are ready"),
    TEXT("page-server", 0, page_server, "ADDRESS:PORT of the page server"),
    FLAG("pre-dump", 0, pre_dump, "memory only, let it run on"),
    HELP,
    END,
};

static const struct oci_option restore_options[] = {
    CRIU_OPTIONS,
    BUNDLE,
    CONSOLE,
    DETACH,
    PIDFILE,
    NOPIVOT,
    NOREAP,
    TEXT("lsm-profile", 0, lsm_profile, "LSM profile, TYPE:NAME"),
    TEXT("lsm-mount-context", 0, lsm_mount_context, "LSM context of mounts"),
    HELP,
    END};

#define ID "CONTAINER-ID"
const struct oci_verb oci_verbs[] = {
    {"checkpoint", ID, "checkpoint a running container", 1, 1, false, oci_checkpoint,
     checkpoint_options},
    {"create", ID, "create a container", 1, 1, false, oci_create, create_options},
    {"delete", ID, "delete what a container holds", 1, 1, false, oci_delete, delete_options},
    {"events", ID, "report statistics and out-of-memory events", 1, 1, false, oci_events,
     events_options},
    {"exec", ID " [COMMAND [ARGUMENT...]]", "run another process in a container", 1, 1 << 20, true,
     oci_exec, exec_options},
    {"features", "", "print what this runtime supports", 0, 0, false, oci_features, no_options},
    {"kill", ID " [SIGNAL]", "send a signal (default: SIGTERM) to the init process", 1, 2, false,
     oci_kill, kill_options},
    {"list", "", "list the containers", 0, 0, false, oci_list, format_options},
    {"pause", ID, "freeze every process of a container", 1, 1, false, oci_pause, no_options},
    {"ps", ID " [PS-OPTION...]", "list the processes of a container", 1, 1 << 20, true, oci_ps,
     format_options},
    {"restore", ID, "restore a container from a checkpoint", 1, 1, false, oci_restore,
     restore_options},
    {"resume", ID, "let a paused container go on", 1, 1, false, oci_resume, no_options},
    {"run", ID, "create and start a container", 1, 1, false, oci_run, run_options},
    {"spec", "", "write a config.json to start from", 0, 0, false, oci_spec_write, spec_options},
    {"start", ID, "start the program of a created container", 1, 1, false, oci_start, no_options},
    {"state", ID, "print the state of a container", 1, 1, false, oci_state, no_options},
    {"update", ID, "change the limits of a container", 1, 1, false, oci_update, update_options},
    {NULL, NULL, NULL, 0, 0, false, NULL, NULL},
};

const struct oci_verb *oci_verb_find(const char *name)
{
    for (const struct oci_verb *verb = oci_verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}
