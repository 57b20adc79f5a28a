/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of one program: files copied from this machine, a few links, and a list of
 * it all whose digest is the image's.
 */
#ifndef SKERRY_IMAGE_EXEC_TREE_H
#define SKERRY_IMAGE_EXEC_TREE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "image/rootfs.h"
#include "image/store.h"

struct exec_tree { /* {0} is closed */
    struct rootfs root;
    char **lines; /* of the list, one an entry */
    size_t line_count;
};

/* Begins a tree in the empty directory fd, which stays the caller's. */
void exec_tree_open(struct exec_tree *tree, int fd);
void exec_tree_close(struct exec_tree *tree);

/*
 * Where a file that has the absolute path here is put: there, but for directories that a sandbox
 * covers with its own (/tmp, /dev, /proc, /sys, /run): what is in them goes below /app. out:
 * absolute and clean. 0 or -errno.
 */
int exec_tree_place(const char *path, char out[], size_t room);

/* Copies the file fd to place (absolute). What is there already stays. 0 or -errno. */
int exec_tree_add_file(struct exec_tree *tree, const char *place, int fd, mode_t mode,
                       struct err *err);

/* Writes a small file. 0 or -errno. */
int exec_tree_add_text(struct exec_tree *tree, const char *place, const void *data, size_t size,
                       struct err *err);

/* Makes a symbolic link unless place leads to the file at target already. 0 or -errno. */
int exec_tree_add_link(struct exec_tree *tree, const char *place, const char *target,
                       struct err *err);

/*
 * The list of the tree: what, mode, digest and path of each entry, sorted; the caller frees it.
 * args is what the image runs. 0 or -ENOMEM.
 */
int exec_tree_list(struct exec_tree *tree, const char *args, char **out, size_t *out_size);

#endif
