/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths below a container's root file system, which its image wrote: every step is taken by
 * openat2(RESOLVE_IN_ROOT) from the root's descriptor, so a symbolic link leads nowhere else.
 */
#ifndef SKERRY_OCI_IN_ROOT_H
#define SKERRY_OCI_IN_ROOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Opens path (absolute, as the container will see it) with flags; a descriptor or -errno. */
int in_root_open(int root, const char *path, uint64_t flags);

/* As before, but a symbolic link anywhere in path is -ELOOP. */
int in_root_open_plain(int root, const char *path, uint64_t flags);

/*
 * Opens path with O_PATH and makes what is missing of it: directories (0755) and, unless directory,
 * an empty file at its end. A dangling symbolic link is followed within the root. plain: symbolic
 * links are refused. A descriptor or -errno.
 */
int in_root_make(int root, const char *path, bool directory, bool plain);

/* Opens the directory that holds path's last component, making it; *out_name points into path. */
int in_root_parent(int root, const char *path, const char **out_name);

#endif
