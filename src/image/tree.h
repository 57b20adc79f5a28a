/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole directory trees that somebody else filled: removing one, and checking one before it is
 * used. Names in them are hostile; nothing is ever followed.
 */
#ifndef SKERRY_IMAGE_TREE_H
#define SKERRY_IMAGE_TREE_H

#include <stdint.h>

#include "base/err.h"

/*
 * Removes whatever name is below the directory parent, however deep, with a fixed number of
 * descriptors. 0 (also when there was nothing) or -errno. The caller must be able to write there.
 */
int tree_remove(int parent, const char *name);

struct tree_facts {
    uint64_t files; /* of every kind, the top not counted */
    uint64_t bytes; /* sizes of regular files, shared among the names of a file */
};

/*
 * Checks the tree whose top is the directory top: regular files, directories and symbolic links
 * only, no set-user-id and no set-group-id bits, owners below 65536 (or ourselves), at most
 * IMAGE_DEPTH_MAX deep. 0 or -EPERM with a sentence that names what was found, or -errno.
 */
int tree_check(int top, struct tree_facts *out_facts, struct err *err);

/* Opens a directory by name below parent, never through a symbolic link. A descriptor or -errno. */
int tree_open_dir(int parent, const char *name);

#endif
