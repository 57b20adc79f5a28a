/* SPDX-License-Identifier: Apache-2.0 */
/* Where things lie: the state directory and our other programs. */
#ifndef SKERRY_CLI_STATE_H
#define SKERRY_CLI_STATE_H

#include <stddef.h>

#include "base/err.h"
#include "cli/verb.h"

#define STATE_PATH_MAX 1024

/*
 * The state directory, absolute: --state, else $SKERRY_STATE, else /var/lib/skerry for root, else
 * $XDG_STATE_HOME/skerry or ~/.local/state/skerry. 0, or -errno with a sentence. Makes nothing.
 */
int state_dir(const struct settings *settings, char out[STATE_PATH_MAX], struct err *err);

/* Makes the directory and those above it, with mode 0700 for what is new. 0 or -errno. */
int state_make(const char *path, struct err *err);

/*
 * Path of another program of ours: beside this one, in the build tree's place for it (room/NAME
 * beside our directory), in ../libexec/skerry from it, in LIBEXECDIR, or in $PATH. -ENOENT with a
 * sentence that says where was looked.
 */
int state_program(const char *name, const char *room, char out[STATE_PATH_MAX], struct err *err);

/* Removes a directory of ours with all below it; follows no link and leaves its file system not. */
void state_remove_tree(const char *path);

#endif
