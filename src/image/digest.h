/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256, the only digest of the store: over a stream, over a buffer, over a file; as 64
 * lower-case hexadecimal digits.
 */
#ifndef SKERRY_IMAGE_DIGEST_H
#define SKERRY_IMAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "image/store.h"

struct evp_md_ctx_st;

struct digest { /* {0} is closed */
    struct evp_md_ctx_st *context;
};

/* Begins a digest. 0 or -ENOMEM. */
int digest_open(struct digest *digest);

/* Frees it; a closed one is fine. */
void digest_close(struct digest *digest);
#define digest_owner __attribute__((cleanup(digest_close))) struct digest

/* Adds size bytes. */
void digest_add(struct digest *digest, const void *data, size_t size);

/* Ends it: fills out_hex (64 digits and a NUL). It is closed afterwards. */
void digest_hex(struct digest *digest, char out_hex[IMAGE_HEX_MAX]);

/* The digest of a buffer. 0 or -ENOMEM. */
int digest_of(const void *data, size_t size, char out_hex[IMAGE_HEX_MAX]);

/* The digest of a file, from its beginning to its end; the offset of fd is moved. 0 or -errno. */
int digest_of_file(int fd, char out_hex[IMAGE_HEX_MAX]);

/* True when text is exactly 64 digits of 0-9a-f. */
bool digest_hex_valid(const char *text);

/* The hex part of "sha256:HEX" in text, or NULL when it is anything else. */
const char *digest_parse(const char *text);

#endif
