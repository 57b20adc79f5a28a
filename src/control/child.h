/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service process of the supervisor: its own program, executed anew, so that it shares no memory,
 * no address layout and no descriptor with the supervisor but what it is given.
 */
#ifndef SKERRY_CONTROL_CHILD_H
#define SKERRY_CONTROL_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define CHILD_FD_FIRST 3 /* the first given descriptor; the others follow */
#define CHILD_FDS_MAX  32

struct child {
    pid_t pid; /* 0: none */
    int pidfd; /* readable when it has ended; -1: none */
};

/* The own program, to be executed by child_start; fd or -errno. */
int child_program(struct err *err);

/*
 * Starts program (child_program) with argv: stdin and stdout are /dev/null, stderr stays, fds[i]
 * becomes descriptor CHILD_FD_FIRST + i (-1: /dev/null), nothing else is open. It is in a session
 * of its own, so that a terminal's Ctrl-C reaches only the supervisor, and dies with the
 * supervisor. 0 or -errno.
 */
int child_start(int program, char *const argv[], const int *fds, size_t fd_count, struct child *out,
                struct err *err);

/* Kills the child if there is one, and collects it. */
void child_kill(struct child *child);

/* Collects a child that has ended; out gets a text such as "exit status 1" or "signal 9". */
void child_collect(struct child *child, char *out, size_t room);

#endif
