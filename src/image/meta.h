/* SPDX-License-Identifier: Apache-2.0 */
/* The record of an image on disk: its struct image_meta and the blobs that are kept for it. */
#ifndef SKERRY_IMAGE_META_H
#define SKERRY_IMAGE_META_H

#include "base/err.h"
#include "image/store.h"

#define IMAGE_BLOBS_MAX 2 /* manifest and config; for a program only its list of files */

struct image_record { /* the file images/meta/HEX, as it is */
    struct image_meta meta;
    char blobs[IMAGE_BLOBS_MAX][IMAGE_HEX_MAX]; /* "" where there are fewer */
    char reserved[6];
};

/*
 * Checks a record that came from a confined child or from disk: version, NUL termination, digests,
 * string blocks, at least one argument or none, "K=V" entries, absolute cwd, ids below 65536. 0 or
 * -EINVAL with a sentence.
 */
int image_record_check(const struct image_record *record, struct err *err);

/* Reads the record name below dir and checks it. 0, -ENOENT, -EINVAL or -errno with a sentence. */
int image_record_read(int dir, const char *name, struct image_record *out, struct err *err);

#endif
