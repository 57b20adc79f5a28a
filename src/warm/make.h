/* SPDX-License-Identifier: Apache-2.0 */
/* What "make" knows of the program it watches. */
#ifndef SKERRY_WARM_MAKE_H
#define SKERRY_WARM_MAKE_H

#include <stdint.h>

#include "warm/load.h"
#include "warm/snapshot.h"
#include "warm/watch.h"

/* Of the process before the program ran: what is compared, and what was set when it differs. */
struct attributes {
    uint64_t rlimits[RLIMITS][2];
    uint64_t actions[64][4];
    uint64_t timer_slack_ns;
    uint64_t tmp_mtime[2];
    uint32_t tmp_entries; /* of /tmp */
    uint32_t umask;
    char status[8192]; /* /proc/self/status */
};

/* The descriptors that are skerry-warm's while the program runs: fds_lo of the watch, and up. */
enum own_fd { OWN_SOCKET, OWN_SNAPSHOT, OWN_STDIN, OWN_STDOUT, OWN_STDERR, OWN_FDS };

struct making {
    struct watch watch;
    struct attributes before;
    struct loaded loaded;
    struct stack_places places;
    uint64_t start_brk;
    uint64_t pipes[3]; /* inodes of 0, 1 and 2 */
    uint32_t pipe_flags[3];
    uint64_t sigsys[4]; /* what the program thinks is its action */
    uint64_t frame;     /* of the trap that is looked at */
    char exe[1024];
};
extern struct making making;

/* Starts the program under the watch. again: NULL, or what execve in the program left for this. */
_Noreturn void make(struct start *start, const char *again);

/* The handler of SIGSYS. */
void trap(int number, void *info, void *context);

/* Reads what struct attributes holds. */
void attributes_read(struct attributes *out);

/* Ends with a refusal if the process has what cannot be brought back; else fills out. */
void inspect(struct task *out);

/* Writes and seals the snapshot of the process, whose registers are in making.frame, and ends. */
_Noreturn void save(void);

#endif
