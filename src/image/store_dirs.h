/* SPDX-License-Identifier: Apache-2.0 */
/* The store's own directories, for the files of this room. */
#ifndef SKERRY_IMAGE_STORE_DIRS_H
#define SKERRY_IMAGE_STORE_DIRS_H

#include <stdbool.h>

#include "base/err.h"
#include "image/store.h"

struct image_store {
    bool writable;
    char *path; /* absolute, "STATE/images" */
    int images; /* the directory of that path; -1 in a reader until somebody made it */
};

#define STORE_BLOBS   "blobs/sha256"
#define STORE_ROOTFS  "rootfs"
#define STORE_META    "meta"
#define STORE_REFS    "refs"
#define STORE_DISKS   "disks" /* disk.h; made when the first is wanted */
#define STORE_STAGING "staging"

/*
 * Waits for the lock that serialises writers: short work only, an import holds it just for its
 * first and last moment. Returns a descriptor that holds it until it is closed, or -errno.
 */
int store_lock(struct image_store *store, struct err *err);

/* Opens one of the directories above. A descriptor or -errno. */
int store_open_dir(struct image_store *store, const char *name);

/* Reads the digest that refs/FILE names. 0, -ENOENT, -EINVAL or -errno. */
int store_read_ref(struct image_store *store, const char *file, char out_hex[IMAGE_HEX_MAX]);

/*
 * The names in one of the directories, sorted; dot files left out. The caller frees the array and
 * each string in it by store_names_free. Returns the count or -errno.
 */
int store_names(struct image_store *store, const char *dir, char ***out_names);
void store_names_free(char **names, int count);

/*
 * Moves images that no reference names and nobody holds (image_store_hold) to where staging_sweep()
 * removes them. The store's lock must
 * be held. 0 or -errno.
 */
int store_collect(struct image_store *store, struct err *err);

#endif
