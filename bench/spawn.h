/* SPDX-License-Identifier: Apache-2.0 */
/* The references: the same program started without any isolation, and commands of other projects.
 */
#ifndef SKERRY_BENCH_SPAWN_H
#define SKERRY_BENCH_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

enum spawn_way { SPAWN_FORK = 0, SPAWN_VFORK };

/* Starts argv[0] (a path) with out as standard output (-1: /dev/null). Ends on failure. */
pid_t spawn(enum spawn_way way, char *const argv[], int out);

struct spawned {
    uint64_t begun_ns; /* before fork */
    uint64_t first_ns; /* the program's own first clock reading; 0 when it wrote none */
    uint64_t ended_ns; /* its exit was seen */
    int status;
};

/* Starts argv, reads what it writes and waits for its end. */
struct spawned spawn_timed(enum spawn_way way, char *const argv[]);

/* Reads the program's first clock reading (see bare.c) from a pipe; 0 when there is none. */
uint64_t read_stamp(int fd);

#endif
