/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blob: bytes of known size that come from a descriptor (a file, or a pipe that our parent fills)
 * and are hashed as they are read.
 */
#ifndef SKERRY_IMAGE_BLOB_H
#define SKERRY_IMAGE_BLOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "image/digest.h"

struct meter { /* counts what is read, and tells about it now and then */
    uint64_t done;
    uint64_t total;
    void (*tell)(void *arg, uint64_t done, uint64_t total);
    void *arg;
};

struct blob { /* {.fd = -1} is closed */
    int fd;
    bool owned; /* blob_close closes fd */
    uint64_t size;
    uint64_t left;
    struct digest sum;
    struct meter *meter; /* may be NULL */
};

/* Begins a blob of size bytes at the current offset of fd. 0 or -ENOMEM. */
int blob_open(struct blob *blob, int fd, bool owned, uint64_t size, struct err *err);
void blob_close(struct blob *blob);
#define blob_owner __attribute__((cleanup(blob_close))) struct blob

/* Reads at most size bytes: the count, 0 at the end, -EIO when the bytes end too early, -errno. */
ssize_t blob_read(struct blob *blob, void *data, size_t size);

/*
 * Reads what is left and compares the digest of it all with hex; what names the blob in the
 * sentence. 0, -EBADMSG when it differs, or -errno.
 */
int blob_verify(struct blob *blob, const char *hex, const char *what, struct err *err);

/*
 * Reads a whole blob of at most max bytes into memory, with a NUL behind it, that the caller frees;
 * hex (may be NULL) is compared. 0, -EFBIG, -EBADMSG or -errno.
 */
int blob_read_whole(struct blob *blob, size_t max, const char *hex, const char *what,
                    char **out_data, size_t *out_size, struct err *err);

#endif
