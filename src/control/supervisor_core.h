/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the supervisor share; private to it.
 *
 *   supervisor.c   begin, loop, end
 *   functions.c    the table of functions
 *   lives.c        zygotes: built, ready, gone, built again, retired
 *   memory.c       what sandboxes need
 *   disks.c        what some of them wait for before they are built
 *   deploy.c       what the API process asks for
 *   gateway_side.c the gateway process and what it is told
 *   api_side.c     the API process and what it is told
 *
 * What a child must be told is state, not a queue of messages: an entry is marked with what is to
 * be said of it and stands in that child's list until its link took it. A link that is full, and a
 * child that is started anew, then need nothing special. Events are taken one at a time, so that
 * none refers to something that an earlier one of the same round has freed.
 */
#ifndef SKERRY_CONTROL_SUPERVISOR_CORE_H
#define SKERRY_CONTROL_SUPERVISOR_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "control/child.h"
#include "control/config.h"
#include "control/ctl.h"
#include "control/index_queue.h"
#include "control/pool.h"
#include "control/registry.h"
#include "control/state_dir.h"
#include "gateway/link.h"
#include "image/disk.h"
#include "image/store.h"
#include "jail/template.h"

#define CHANGES_MAX     64 /* deploys in progress */
#define RETIRE_GRACE_NS (2 * NS_PER_SEC)
#define DEATH_PAUSE_NS                                                                             \
    (500 * NS_PER_MS) /* what died is back within a second, however often it dies */
#define BUILD_PAUSE_NS (10 * NS_PER_SEC) /* what cannot be built is tried again this seldom */
#define LIVED_WELL_NS  (10 * NS_PER_SEC) /* after that long a death counts as the first one */

enum source_kind {
    SOURCE_SIGNAL,
    SOURCE_GATEWAY_LINK,
    SOURCE_GATEWAY_EXIT,
    SOURCE_API_LINK,
    SOURCE_API_EXIT,
    SOURCE_LIFE,
    SOURCE_DISK,
};

struct source { /* what an event of epoll belongs to */
    enum source_kind kind;
};

struct life { /* one zygote of a function */
    struct source source;
    struct entry *entry;
    struct jail_template *template;
    int image; /* holds its root file system, or -1 */
    uint64_t serial;
    uint64_t born_ns;
    uint64_t timeout_ns;                /* of a request to this revision */
    uint32_t slots;                     /* as it last said */
    uint32_t snapshot;                  /* enum jail_snapshot, likewise */
    uint64_t snapshot_bytes;            /* of memory that it holds */
    bool awaits_snapshot;               /* it will hold some */
    char snapshot_why[WARM_REASON_MAX]; /* with JAIL_SNAPSHOT_REFUSED */
    uint64_t retire_ns;                 /* retired: closed then at the latest */
    struct life *next;                  /* retired ones of an entry */
};

struct disk_job { /* a disk that is being made */
    struct source source;
    struct image_disk making;
    int image; /* holds the root file system that is read */
    uint64_t serial;
    struct disk_job *next;
};

#define DISK_ANY UINT64_MAX /* any serial: there are too many at a time now */

struct change { /* a deploy in progress */
    uint64_t request_id;
    uint64_t api_serial; /* of the API process that asked */
    struct function_spec spec;
};

enum gateway_news { /* in this order */
                    GATEWAY_DOWN = 1 << 0,
                    GATEWAY_PUT = 1 << 1,
                    GATEWAY_SLOTS = 1 << 2,
                    GATEWAY_FAILED = 1 << 3,
                    GATEWAY_DEL = 1 << 4,
};

enum api_news {
    API_PUT = 1 << 0,
    API_DEL = 1 << 1,
};

struct entry {      /* one function */
    uint32_t index; /* in the table, for the gateway, of its statistics */
    uint64_t generation;
    char name[FUNCTION_NAME_MAX];
    char tenant[FUNCTION_TENANT_MAX];
    uint32_t flags; /* enum function_flags of what is served */
    struct function_limits limits;
    uint32_t tenant_id; /* for the pool: the same for all functions of a tenant */
    uint64_t cost;      /* bytes that one of its sandboxes needs, as far as is known */
    bool measured;      /* the cost was seen, not guessed */
    bool was_wanted;    /* at the last tick */
    bool stored;        /* in the registry: others know it */
    bool removed;       /* only its end is left to tell and to wait for */
    enum ctl_status status;
    struct err why;                      /* with CTL_FAILED */
    struct life *live;                   /* serves; NULL: none does now */
    struct life *building;               /* becomes the next one */
    struct life *retired;                /* finish what runs */
    struct change *change;               /* what `building` is for; NULL: the stored revision */
    bool waits;                          /* to be built */
    uint64_t disk;                       /* serial of the disk it waits for; 0: none */
    bool in_builds, in_urgent;           /* stands in these queues */
    uint64_t again_ns;                   /* when to build again after a failure; 0: no */
    unsigned int failures;               /* in a row */
    unsigned int gateway_news, api_news; /* enums above: what is to be told */
    bool gateway_knows, api_knows;
    bool in_gateway_queue, in_api_queue;
};

struct reply {
    struct reply *next;
    struct ctl_message message;
};

struct service { /* a child process and the link to it */
    struct source link_source, exit_source;
    struct child child;
    int link;
    bool blocked; /* its link is full: EPOLLOUT is awaited */
    uint64_t serial;
    uint64_t born_ns;
    uint64_t again_ns; /* when to start the next one; 0: no */
    unsigned int failures;
    struct index_queue news; /* functions of which there is something to tell */
};

struct supervisor {
    struct config config;
    struct state_dir state;
    struct registry *registry;
    struct image_store *images;
    struct jail_host *host;
    struct pool pool;
    int epoll, signals, program, stats, stats_read, password, access_log, uptime;
    struct source signal_source;
    int handoff[2]; /* the gateway's end, the API process's end */
    int admin_socket;
    int listeners[CONFIG_LISTEN_MAX + 1];
    char addresses[CONFIG_LISTEN_MAX][CONFIG_ADDRESS_MAX];
    unsigned int listener_count;
    bool rootless;
    uint64_t now_ns;
    uint64_t tick_ns; /* of the last tick */
    uint64_t due_ns;  /* of the next thing that waits for a time; UINT64_MAX: none */

    struct entry *entries[FUNCTIONS_MAX];
    uint64_t last_generation, last_serial;
    struct index_queue builds; /* functions whose zygote is to be built ... */
    struct index_queue urgent; /* ... and before them those that somebody asked for */
    struct disk_job *disks;    /* being made */
    uint32_t building_count;
    unsigned int change_count;

    struct service gateway, api;
    uint32_t epoch;      /* of the gateway */
    bool gateway_serves; /* it was told that the first table is complete */
    bool announced;      /* ready was printed */
    struct reply *replies, **replies_end;

    bool draining, drain_told, ended;
    uint64_t drain_until_ns;
};

/* memory.c: what sandboxes need, and what of it the pool has given out */
/* What to count for a sandbox of a spec that has not run yet. */
/* Counts what is held beside the sandboxes that the pool knows. */
void memory_besides(struct supervisor *s);
/* Whether a snapshot for the next zygote of the function would leave enough for sandboxes. */
bool memory_has_room_for_snapshot(const struct supervisor *s, const struct entry *entry);
uint64_t memory_guess(const struct function_spec *spec);
/* Once a tick: looks at what the sandboxes of functions in use have needed, tells the figures. */
void memory_tick(struct supervisor *s);

/* functions.c */
struct entry *entry_find(struct supervisor *s, const char *tenant, const char *name);
/* NULL with err when there are FUNCTIONS_MAX already. */
struct entry *entry_new(struct supervisor *s, const struct function_spec *spec, struct err *err);
/* Takes over what of a stored spec is needed while it is served. */
void entry_set_spec(struct entry *entry, const struct function_spec *spec);
/* Marks what the gateway and the API process must be told. */
void entry_tell(struct supervisor *s, struct entry *entry, unsigned int gateway_news,
                unsigned int api_news);
/* Frees an entry of which nothing is left: all told, no zygote. */
void entry_release(struct supervisor *s, struct entry *entry);
/* "TENANT.NAME", of its log and in messages. */
void entry_label(const struct entry *entry, char out[160]);
int functions_load(struct supervisor *s, struct err *err);
void functions_free(struct supervisor *s);

/* lives.c */
void life_want_build(struct supervisor *s, struct entry *entry);
/* Somebody waits for the function: if it waits to be built, it is next. */
void life_hurry(struct supervisor *s, struct entry *entry);
void lives_build_some(struct supervisor *s);
/* The entry cannot be built: its change is answered, or it is tried again later. It may be gone
 * afterwards. */
void life_failed(struct supervisor *s, struct entry *entry, const struct err *why);
void life_event(struct supervisor *s, struct life *life);
/* It finishes what runs and is closed then. */
void life_retire(struct supervisor *s, struct entry *entry, struct life *life);
/* The gateway says that nothing of it uses the zygote of that serial any more. */
void life_retired(struct supervisor *s, struct entry *entry, uint64_t serial);
void life_close(struct supervisor *s, struct life *life);
/* Closes all that is built or retired of an entry, and what is live. */
void lives_close(struct supervisor *s, struct entry *entry);
/* What waits for its time: builds after a failure, retired zygotes. */
void lives_due(struct supervisor *s);
/* Kills all zygotes at once, then closes them one by one. */
void lives_end(struct supervisor *s);

/* disks.c */
/*
 * The disk of a root file system that *image holds. 1: out (room bytes) is its path. 0: it is being
 * made, *image may have been taken, and the entry is built when it is there, or fails. -errno.
 */
int disk_want(struct supervisor *s, struct entry *entry, const char *rootfs, int *image, char *out,
              size_t room, struct err *err);
void disk_event(struct supervisor *s, struct disk_job *job);
/* None is made any more. */
void disks_end(struct supervisor *s);

/* deploy.c */
void deploy_request(struct supervisor *s, const struct ctl_message *message);
/* The zygote of a change stands: stores it. False: it failed and was answered. */
bool deploy_ready(struct supervisor *s, struct entry *entry);
/* The change cannot be served; the entry may be gone afterwards. */
void deploy_failed(struct supervisor *s, struct entry *entry, const struct err *why);

/* gateway_side.c */
int gateway_start(struct supervisor *s, struct err *err);
void gateway_ended(struct supervisor *s);
void gateway_link_event(struct supervisor *s, uint32_t events);
void gateway_flush(struct supervisor *s);
void pool_apply(struct supervisor *s);

/* api_side.c */
int api_start(struct supervisor *s, struct err *err);
void api_ended(struct supervisor *s);
void api_link_event(struct supervisor *s, uint32_t events);
void api_flush(struct supervisor *s);
/* Answers request_id of the API process api_serial, if that one still lives. */
void api_reply_add(struct supervisor *s, uint64_t api_serial, uint64_t request_id,
                   const struct function_spec *spec, const struct err *why);

/* supervisor.c */
void supervisor_due(struct supervisor *s, uint64_t at_ns);
int supervisor_watch(struct supervisor *s, int fd, uint32_t events, struct source *source);
void supervisor_rewatch(struct supervisor *s, int fd, uint32_t events, struct source *source);
/* The pause before the next attempt after `failures` in a row: none at first, then longer up to
 * most_ns. */
uint64_t again_after_ns(unsigned int failures, uint64_t most_ns);
void supervisor_ready(struct supervisor *s);
/* Everything that was to be drained is. */
void supervisor_end(struct supervisor *s);

#endif
