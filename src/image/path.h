/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files as archives and ELF files give them, cleaned before the kernel sees them. */
#ifndef SKERRY_IMAGE_PATH_H
#define SKERRY_IMAGE_PATH_H

#include <stddef.h>

#define IMAGE_PATH_MAX     4096 /* with the NUL */
#define IMAGE_NAME_BYTES   255  /* of one component */
#define IMAGE_DEPTH_MAX    128  /* components of a path; directories within each other */
#define IMAGE_SYMLINKS_MAX 40   /* links followed in one look-up, as the kernel does */

/*
 * Cleans path: leading '/', empty and "." components go, ".." takes the one before it away. The
 * result has no leading and no final '/'; the root itself is "". Returns 0; -EXDEV when ".." leads
 * above the root, -ENAMETOOLONG, -ELOOP when it has more than IMAGE_DEPTH_MAX components.
 */
int path_clean(const char *path, char out[IMAGE_PATH_MAX]);

/* What is wrong with a path for which path_clean (or a look-up) gave -code: "leads out of the
 * root". */
const char *path_fault(int code);

/* Splits a clean path: the last component ("" of ""), and in out_parent what comes before it. */
const char *path_split(const char *clean, char out_parent[IMAGE_PATH_MAX]);

/* Replaces each byte that is not printable ASCII by '?': the text may be printed to a terminal. */
void path_make_printable(char *text);

#endif
