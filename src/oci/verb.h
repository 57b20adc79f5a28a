/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs of skerry-oci and their options: one table from which the command line is parsed and
 * `--help` is written. The names and meanings are runc's, so that its clients find what they call.
 */
#ifndef SKERRY_OCI_VERB_H
#define SKERRY_OCI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Values of an option that may be given several times; the texts are argv's. */
struct oci_values {
    const char **items;
    size_t count;
};

/* All options of all verbs; a verb reads those that its row in the table names. */
struct oci_settings {
    /* global */
    const char *root;
    const char *log;
    const char *log_format;
    const char *criu;
    const char *rootless;
    bool debug;
    bool systemd_cgroup;
    bool version;
    bool help;
    /* create, run, restore, spec */
    const char *bundle;
    const char *console_socket;
    const char *pid_file;
    bool detach;
    bool keep;
    bool no_subreaper;
    bool no_pivot;
    bool no_new_keyring;
    uint32_t preserve_fds;
    bool spec_rootless;
    /* kill, delete, list, ps, events */
    bool all;
    bool force;
    bool quiet;
    bool stats;
    const char *format;
    const char *interval;
    /* exec */
    const char *cwd;
    const char *user;
    const char *process;
    const char *process_label;
    const char *apparmor;
    bool tty;
    bool no_new_privs;
    bool ignore_paused;
    struct oci_values env;
    struct oci_values additional_gids;
    struct oci_values cap;
    struct oci_values cgroup;
    /* update: NULL where not given */
    const char *resources;
    const char *blkio_weight;
    const char *cpu_period;
    const char *cpu_quota;
    const char *cpu_burst;
    const char *cpu_share;
    const char *cpu_rt_period;
    const char *cpu_rt_runtime;
    const char *cpu_idle;
    const char *cpuset_cpus;
    const char *cpuset_mems;
    const char *memory;
    const char *memory_reservation;
    const char *memory_swap;
    const char *kernel_memory;
    const char *kernel_memory_tcp;
    const char *pids_limit;
    const char *l3_cache_schema;
    const char *mem_bw_schema;
    /* checkpoint, restore */
    const char *image_path;
    const char *work_path;
    const char *parent_path;
    const char *page_server;
    const char *manage_cgroups_mode;
    const char *lsm_profile;
    const char *lsm_mount_context;
    const char *status_fd;
    bool leave_running;
    bool tcp_established;
    bool tcp_skip_in_flight;
    bool ext_unix_sk;
    bool shell_job;
    bool lazy_pages;
    bool file_locks;
    bool pre_dump;
    bool auto_dedup;
    struct oci_values empty_ns;
};

/* One call of the program: what was asked, and the error that will be told. */
struct oci_call {
    struct oci_settings set;
    char root[256]; /* state of all containers; absolute */
    int argc;       /* operands of the verb: what is neither an option nor the verb */
    char **argv;
};

/*
 * A verb. Returns the exit status of the program (0 to 255), or -errno with err filled: then main
 * tells the error and exits with 1.
 */
typedef int (*oci_verb_fn)(struct oci_call *call, struct err *err);

enum oci_option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_COUNT, OPTION_VALUES };

struct oci_option {
    const char *name; /* without dashes */
    char letter;      /* short form, or 0 */
    uint8_t kind;     /* enum oci_option_kind */
    uint16_t offset;  /* of the field in struct oci_settings */
    const char *help;
};

struct oci_verb {
    const char *name;
    const char *operands; /* as usage shows them */
    const char *summary;
    int operands_min;
    int operands_max;
    bool stops; /* the first operand ends the options (exec) */
    oci_verb_fn run;
    const struct oci_option *options; /* ends with a row without a name */
};

extern const struct oci_verb oci_verbs[]; /* ends with a row without a name */
extern const struct oci_option oci_global_options[];

/* The verb of that name or NULL. */
const struct oci_verb *oci_verb_find(const char *name);

/*
 * Parses options from argv[*at] on into set; "--name value", "--name=value" and "-l value" are the
 * forms, and a single dash before a long name is accepted as Go's flag package does. Stops at the
 * first operand, or with permute moves operands to the front of argv[first..]; *at is then the
 * first place behind the options. values_room: argc, the bound of repeated options. 0 or -EINVAL.
 */
int oci_options_parse(const struct oci_option *options, int argc, char **argv, int *at,
                      bool permute, struct oci_settings *set, struct err *err);

/* `--help` of the program (verb NULL) or of a verb, to stdout. */
void oci_help(const struct oci_verb *verb);

/* One function a verb; each in the file of its name. */
int oci_checkpoint(struct oci_call *call, struct err *err);
int oci_create(struct oci_call *call, struct err *err);
int oci_delete(struct oci_call *call, struct err *err);
int oci_events(struct oci_call *call, struct err *err);
int oci_exec(struct oci_call *call, struct err *err);
int oci_features(struct oci_call *call, struct err *err);
int oci_kill(struct oci_call *call, struct err *err);
int oci_list(struct oci_call *call, struct err *err);
int oci_pause(struct oci_call *call, struct err *err);
int oci_ps(struct oci_call *call, struct err *err);
int oci_restore(struct oci_call *call, struct err *err);
int oci_resume(struct oci_call *call, struct err *err);
int oci_run(struct oci_call *call, struct err *err);
int oci_spec_write(struct oci_call *call, struct err *err);
int oci_start(struct oci_call *call, struct err *err);
int oci_state(struct oci_call *call, struct err *err);
int oci_update(struct oci_call *call, struct err *err);

#endif
