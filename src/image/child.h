/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A confined child: a fork of this process that holds only the descriptors it needs, gives up
 * everything by confine_self(), and then runs one function on bytes that nobody trusts.
 */
#ifndef SKERRY_IMAGE_CHILD_H
#define SKERRY_IMAGE_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "jail/confine.h"

struct child {
    pid_t pid;  /* 0: none */
    int errors; /* its struct err comes here */
};

/* Runs in the child, confined. 0, or -errno with *err filled: that is what child_finish() tells. */
typedef int (*child_fn)(void *arg, struct err *err);

/*
 * Starts a child that keeps the keep_count descriptors of keep (all numbers >= 0) and no other,
 * confines itself by options (its root_fd, when there is one, is closed once it is the root) and
 * calls run(arg). 0 or -errno.
 */
int child_start(const struct confine_options *options, const int *keep, size_t keep_count,
                child_fn run, void *arg, struct child *out, struct err *err);

/*
 * Waits for the end of the child. 0 when run returned 0; else -errno and the child's own sentence,
 * or one that says which signal ended it. The sentence is made printable: it may quote hostile
 * names.
 */
int child_finish(struct child *child, struct err *err);

/* Kills and reaps a child that was not finished. */
void child_end(struct child *child);
#define child_owner __attribute__((cleanup(child_end))) struct child

#endif
