/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a container between two calls: a directory ROOT/ID with
 *
 *   state.json   struct oci_state, replaced by rename, so a reader sees an old or a new one
 *   config.json  the configuration as it was when the container was created
 *   start        a datagram socket on which the init process waits for `start`
 *
 * What will exist is recorded before it is made (cgroups, the creator's pid), what can only be
 * known afterwards (the init's pid) before the init may go on: a kill of the runtime between any
 * two steps leaves nothing that is not named here. Whether a container is creating, created,
 * running or stopped is not recorded but asked of the kernel.
 *
 * Who changes a container holds a flock on its directory; who only looks needs none.
 */
#ifndef SKERRY_OCI_STATE_H
#define SKERRY_OCI_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "oci/cgroup.h"
#include "oci/json.h"

#define OCI_ID_MAX 200 /* with the directory's and the cgroup's prefix below NAME_MAX */

enum oci_status {
    OCI_STATUS_CREATING = 0,
    OCI_STATUS_CREATED,
    OCI_STATUS_RUNNING,
    OCI_STATUS_PAUSED,
    OCI_STATUS_STOPPED,
};
const char *oci_status_name(enum oci_status status);

/* A process that is still the same: the pid alone may be another's by now. */
struct oci_process_id {
    pid_t pid;           /* 0: none yet */
    uint64_t start_time; /* field 22 of /proc/PID/stat */
};

struct oci_state {
    struct json_arena arena; /* all texts of a loaded one lie here */
    const char *id;
    const char *version; /* ociVersion of the configuration */
    const char *bundle;  /* absolute */
    const char *rootfs;  /* absolute */
    const char *created; /* RFC 3339 */
    uid_t owner;         /* who created it */
    bool no_cgroup;      /* rootless, and none could be made */
    bool rdt;            /* a resctrl group of ours */
    bool no_poststart;   /* there are no such hooks: start need not read the configuration */
    bool no_poststop;    /* nor delete */
    bool shared_mounts;  /* in the host's mount namespace: delete takes the mounts away */
    struct oci_process_id init;
    struct oci_process_id creator;
    struct oci_cgroup cgroup;
    const struct json *annotations; /* an object or NULL; used when writing and reading */
};

/* A container's directory, opened. */
struct oci_place {
    int dir;  /* -1: none */
    int lock; /* the flock; -1: not held */
    char id[OCI_ID_MAX + 1];
    const char *root; /* the caller's; parent directory */
};

/* 0, or -EINVAL: 1 to OCI_ID_MAX of A-Z a-z 0-9 _ + - . and neither "." nor "..". */
int oci_id_check(const char *id, struct err *err);

/* Makes ROOT (0700) and ROOT/ID and locks it. -EEXIST when there is such a container. */
int oci_place_make(const char *root, const char *id, struct oci_place *out, struct err *err);
/* Opens ROOT/ID; with lock waits until it is the only one. -ENOENT: no such container. */
int oci_place_open(const char *root, const char *id, bool lock, struct oci_place *out,
                   struct err *err);
/* Removes the directory and what it holds; the descriptors stay to be closed. */
int oci_place_remove(struct oci_place *place, struct err *err);
void oci_place_close(struct oci_place *place);

int oci_state_save(const struct oci_place *place, const struct oci_state *state, struct err *err);
/* On success the caller frees it. -ENOENT: the creator died before the first record. */
int oci_state_load(const struct oci_place *place, struct oci_state *out, struct err *err);
/* Parses a state file's text; what the fuzzer calls. */
int oci_state_parse(const char *text, size_t size, struct oci_state *out, struct err *err);
void oci_state_free(struct oci_state *state);

/* The kernel's answer. */
enum oci_status oci_state_status(const struct oci_place *place, const struct oci_state *state);

/*
 * A JSON object as the specification's section "State" has it, with the names runc adds; in the
 * arena of state. pid: as the reader sees it (0 is left out).
 */
char *oci_state_text(struct oci_state *state, enum oci_status status, pid_t pid, bool pretty);

/* Fills out for a living pid; 0 or -errno. */
int oci_process_id_of(pid_t pid, struct oci_process_id *out);
/* A pidfd of exactly that process, or -ESRCH. */
int oci_process_open(const struct oci_process_id *id);

#endif
