/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work in progress: one directory an import below images/staging, locked while its import lives,
 * and the commit that turns it into an image.
 */
#ifndef SKERRY_IMAGE_STAGING_H
#define SKERRY_IMAGE_STAGING_H

#include "base/err.h"
#include "image/meta.h"
#include "image/store.h"
#include "image/store_dirs.h"

#define STAGING_NAME_MAX 40

#define STAGING_NAME_MAX 40

struct staging {
    struct image_store *store;
    int dir; /* of this import; holds rootfs/ and blobs/; its flock says that we live */
    char name[STAGING_NAME_MAX]; /* below images/staging */
};

/* Makes a staging directory with an empty rootfs/ (0755) and blobs/. 0 or -errno. */
int staging_open(struct image_store *store, struct staging *out, struct err *err);

/* Removes what is left of it. A closed one (store NULL) is fine. */
void staging_close(struct staging *staging);
#define staging_owner __attribute__((cleanup(staging_close))) struct staging

/*
 * Makes the image of record visible as ref: flushes it to disk, moves the blobs and rootfs/ to
 * their places (keeping those that are there already: same digest, same content), writes the
 * record, and at last the reference, by one rename. The staging directory is used up. 0 or -errno:
 * then nothing is visible.
 */
int staging_commit(struct staging *staging, const struct image_record *record, const char *ref,
                   struct err *err);

/* Lets ref name an image that is already there. 0, -ENOENT when it is not, or -errno. */
int staging_commit_known(struct image_store *store, const char *hex, const char *ref,
                         struct err *err);

/* A new name below images/staging, with what before it. */
void staging_name(const char *what, char out[STAGING_NAME_MAX]);

/* A new name below images/staging, with what before it. */
void staging_name(const char *what, char out[STAGING_NAME_MAX]);

/*
 * Removes staging directories without a living owner, those that store_collect() put there among
 * them. The store's lock must not be held: this may take long.
 */
void staging_sweep(struct image_store *store);

#endif
