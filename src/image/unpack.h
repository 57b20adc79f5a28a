/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream of a tar file: a blob is decompressed (gzip, zstd or not at all, told by its content),
 * hashed, and handed to libarchive's tar reader, without a copy on disk.
 */
#ifndef SKERRY_IMAGE_UNPACK_H
#define SKERRY_IMAGE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/blob.h"
#include "image/digest.h"

struct archive;

/* A blob may unpack to this many bytes and to this many times its size on top: more is a bomb. */
#define UNPACK_SLACK_BYTES (UINT64_C(64) << 20)
#define UNPACK_RATIO_MAX   UINT64_C(200)

#define UNPACK_BUFFER 65536

struct unpack { /* {0} is closed; it must not move while it is open */
    struct blob *blob;
    struct archive *inflate; /* one compressed stream: libarchive's "raw" format */
    struct archive *tar;     /* reads what inflate gives; iterate over its headers */
    struct digest unpacked;
    uint64_t out_bytes;
    uint64_t out_max;
    bool ended;
    struct err why; /* the first failure below tar: it tells more than what tar says about it */
    char buffer[UNPACK_BUFFER];
};

/* Opens the stream over blob, which stays the caller's and must live on. 0 or -errno. */
int unpack_open(struct unpack *unpack, struct blob *blob, struct err *err);
void unpack_close(struct unpack *unpack);

/* The sentence of a failure of unpack->tar: sets err, returns -errno. */
int unpack_fault(struct unpack *unpack, const char *what, struct err *err);

/*
 * Reads the rest and compares the digest of the unpacked stream with hex (NULL: whatever it is). 0,
 * -EBADMSG or -errno.
 */
int unpack_verify(struct unpack *unpack, const char *hex, const char *what, struct err *err);

#endif
