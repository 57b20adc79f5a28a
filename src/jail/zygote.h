/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside skerry-zygote. A slot's spawner is a fork of the zygote; its sandbox shares the spawner's
 * address space until its execve (CLONE_VM), and the notify handler shares the zygote's. What all
 * of them know is in shared mappings: this struct, and one for each slot. So when the kernel kills
 * for the memory limit of a slot, it can hit that slot alone, and a start message is in the memory
 * of its own slot only.
 *
 *   zygote (pid 1 of the template's pid namespace, root of its user namespace, nothing outside)
 *     |- notify handler: makes sockets for sandboxes, in their own network namespaces
 *     |- spawner of slot 0, in the slot's cgroups: furnishes, clones, waits, reports, again
 *     |    '- sandbox: pid 1 of its pid namespace, which reaps
 *     |         '- parks in recvmsg, becomes the program; another one after it, if that left no
 * trace
 *     '- spawner of slot 1 ...
 *
 * Code of spawners, sandboxes and the notify handler uses raw.h and never errno. Each field below
 * has one writer unless it is atomic; the comment names it.
 */
#ifndef SKERRY_JAIL_ZYGOTE_H
#define SKERRY_JAIL_ZYGOTE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "jail/filter.h"
#include "jail/handover.h"
#include "jail/start.h"
#include "skerry/abi/warm.h"

#define STACK_SIZE   (32u * 1024u)
#define MESSAGE_SIZE (sizeof(struct start_header) + START_ENV_MAX)
#define ENV_POINTERS (START_ENV_STRINGS + 1024u)
#define KILLED_RING  SLOTS_MAX /* no more can have taken a call that is killed */

struct slot {
    uint32_t index;
    pid_t spawner;            /* in the zygote's pid namespace; written by the zygote */
    int events_fd;            /* "oom_kill N" of its cgroup, or -1 */
    _Atomic uint32_t go;      /* zygote -> spawner (futex): it is in its cgroup */
    _Atomic uint32_t retired; /* sandbox -> spawner -> zygote: do not start another */
    /* the sandbox of this slot; written by the spawner before it is cloned, then by the sandbox */
    _Atomic uint64_t call; /* of the request it took; 0: waits. Read by zygote and notify handler */
    _Atomic uint64_t kill_call; /* zygote -> spawner's signal handler */
    _Atomic uint32_t killed;    /* spawner: it was killed on request */
    _Atomic uint64_t sequence;  /* spawner: grows with each sandbox */
    _Atomic int pid;            /* spawner: of the sandbox, 0 when there is none */
    _Atomic uint32_t net_used;  /* notify handler: sandbox number `sequence` was given a network */
    int pidfd;                  /* spawner's table */
    int bad_start;
    int exec_errno;
    int reported;
    int has_status; /* wait_status is the program's */
    int has_mounts; /* spawner: its mount namespace has a /tmp, the three below are that's */
    _Atomic uint32_t doomed; /* spawner -> pid 1: a kill is under way, no other program may start */
    pid_t next_pid;          /* pid 1: what its next program must be; 0: any */
    uint32_t unkept;         /* pid 1: programs in a row that made processes or threads */
    uint64_t tmp_inodes_free; /* when it was new */
    uint64_t tmp_last_inode;  /* the last number it gave to a file, as far as we know */
    struct timespec tmp_changed;
    int wait_status;
    uint32_t epoch;
    uint32_t role;       /* pid 1: enum warm_role of its program */
    int warm_near;       /* spawner's table: pid 1's end of the words with a warm program, or -1 */
    int warm_far;        /* ... and the program's */
    uint32_t files_max;  /* spawner: RLIMIT_NOFILE of its programs, */
    uint32_t files_hard; /* and how far a monitor may raise its own */
    int program_fd;      /* pid 1's table: pidfd of a warm program, or -1 */
    uint32_t inner_oom;  /* a monitor said that its guest's memory was used up */
    uint64_t inner_ns[WARM_STAGE_COUNT]; /* what a monitor says of its machine */
    uint64_t clone_ns, cloned_ns, furnished_ns, sent_ns, taken_ns, exec_ns, exit_ns, cleaned_ns;
    uint64_t oom_kills;
    char *message;       /* MESSAGE_SIZE, the sandbox's copy of the start message */
    const char **env;    /* ENV_POINTERS */
    size_t mapped;       /* bytes of the mapping that begins at spawner_stack */
    char *spawner_stack; /* STACK_SIZE each */
    char *init_stack;
    char *program_stack;
};

struct zygote_state {
    struct handover_plan hand;
    int control, start, report;
    int proc_root;        /* /proc of the zygote's pid namespace */
    int template_mounts;  /* mount namespace that each sandbox copies */
    int inner_userns;     /* where programs live: no namespaces can be made there */
    int landlock;         /* ruleset or -1 */
    int net_released;     /* eventfd: spawner -> notify handler, a sandbox with a network is gone */
    _Atomic int listener; /* seccomp listener; -1 until installed (futex) */
    _Atomic uint32_t epoch;
    int fds_own;              /* descriptors from here on are of slots */
    int warm_program;         /* skerry-warm, or -1: the program is warm by itself */
    int snapshot;             /* memfd, or -1 */
    _Atomic uint32_t warm;    /* enum jail_snapshot; above it who makes it (futex) */
    _Atomic uint32_t makers;  /* programs that died while they made it */
    _Atomic uint32_t unready; /* by programs in a row that did not get ready: LATE_MAX in warm.c */
    const char *warm_args[1026]; /* as args, for skerry-warm */
    uint64_t key;                /* random; furnishing calls carry it past the closing filter */
    uint32_t closing_length;
    struct sock_filter closing[CLOSING_LENGTH_MAX];
    struct sock_filter main_filter[FILTER_LENGTH_MAX];
    const char *args[1024]; /* NULL-terminated, of the program */
    const char *program;    /* path within the root */
    uint32_t env_count;     /* of the plan, at the start of each slot's env */
    char tmp_options[128];
    pid_t notify_pid;
    struct slot *_Atomic slots[SLOTS_MAX];
    _Atomic uint64_t killed_calls[KILLED_RING];
    uint32_t killed_next;
};

/* Shared by all of the above: a mapping that is inherited, not copied. */
extern struct zygote_state *zygote_memory;
#define zygote (*zygote_memory)

/* Builds and enters the template's root file system. tree_fds: as named in handover.h. 0 or -errno.
 */
int root_build(const int *tree_fds, uint32_t tree_count, struct err *err);

/* The user namespace of programs, from within which no namespace can be made. 0 or -errno. */
int inner_userns_make(struct err *err);

/* Starts the spawner of a slot (clone). Returns its pid or -errno. */
long slot_start(struct slot *slot);
/* The descriptors become the slot's; each may be -1. */
struct slot *slot_new(uint32_t index, int events_fd, int warm_near, int warm_far);

/* Starts the notify handler; it waits for zygote.listener. Returns its pid or -errno. */
long notify_start(void);

#endif
