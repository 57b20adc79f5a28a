/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to what it names. */
#ifndef SKERRY_GUEST_PATH_H
#define SKERRY_GUEST_PATH_H

#include "tree.h"

#define PATH_BYTES 4096
#define NAME_BYTES 255
#define LINKS_MAX  40

enum path_flags {
    PATH_FOLLOW = 1u << 0,   /* a link at the end is followed */
    PATH_PARENT = 1u << 1,   /* the last name need not exist: out has its directory and the name */
    PATH_NO_LINKS = 1u << 2, /* openat2: no link at all */
    PATH_BENEATH = 1u << 3,  /* openat2: never above the start */
    PATH_IN_ROOT = 1u << 4,  /* openat2: the start is the root */
    PATH_NO_MAGIC = 1u << 5, /* openat2: no link of /proc that leads straight */
};

struct path {
    struct dentry *dir;   /* with PATH_PARENT: a reference */
    struct dentry *found; /* a reference; NULL with PATH_PARENT if there is no such name */
    char name[NAME_BYTES + 1];
    size_t name_len;
    bool slash; /* something ended in "/": it must be a directory */
    bool dots;  /* the last name is "." or ".." or nothing */
};

/**
 * path_walk(): looks text up from base (NULL: the working directory). 0, or an error as Linux gives
 * it; on success the caller ends with path_done().
 */
int path_walk(struct dentry *base, const char *text, unsigned flags, struct path *out);
void path_done(struct path *path);

/** path_at(): the same for the arguments of an *at() call; with at_empty an empty path is dirfd
 * itself. */
int path_at(int dirfd, uint64_t user_text, unsigned flags, bool at_empty, struct path *out);

#endif
