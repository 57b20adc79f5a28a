/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state directory of one daemon: who may use it, and what lies in it.
 *
 *   lock            flock of the daemon that serves it, with its pid
 *   registry.db     the registry
 *   images/         the image store
 *   skerry.sock     admin socket; http.sock: invocation socket (both 0600)
 *   admin-password  for HTTP basic authentication (0600)
 *   logs/           TENANT.NAME.log of each function, access.log
 *
 * Used by the supervisor alone, before and while it serves.
 */
#ifndef SKERRY_CONTROL_STATE_DIR_H
#define SKERRY_CONTROL_STATE_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct state_dir {
    char path[1024];
    int dir;
    int logs;
    int lock;
};

/*
 * Makes the directory (0700) and its parents where missing, and takes its lock. 0 or -errno; -EBUSY
 * with a sentence that names the pid when another daemon serves it. Nothing is held after a
 * failure.
 */
int state_dir_open(const char *path, struct state_dir *out, struct err *err);
void state_dir_close(struct state_dir *state);

/* True when the last daemon here did not end in order: what hung on it may still be dying. */
bool state_dir_unclean(const struct state_dir *state);

/* A listening, non-blocking Unix socket (0600) of that name; a stale one is replaced. fd or -errno.
 */
int state_dir_listen(const struct state_dir *state, const char *name, struct err *err);

/* Removes a socket that state_dir_listen made. */
void state_dir_unlink(const struct state_dir *state, const char *name);

/* Opens admin-password for reading; made with 256 random bits in hex when it is missing. fd or
 * -errno. */
int state_dir_password(const struct state_dir *state, struct err *err);

/* Opens (makes, 0600) logs/NAME.log: to read and append, or only to read. fd or -errno. */
int state_dir_log(const struct state_dir *state, const char *name, int writable);
void state_dir_log_remove(const struct state_dir *state, const char *name);

/*
 * Where logs/NAME.log is larger than max_bytes, its content goes to NAME.log.1 and it is emptied;
 * whoever has it open for appending goes on. 0 or -errno.
 */
int state_dir_log_rotate(const struct state_dir *state, const char *name, uint64_t max_bytes);

#endif
