/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two libarchive readers in a row: the first only decompresses, the second only reads tar, and
 * between them the bytes are counted and hashed (the diff_id of an image is the digest of exactly
 * these). Only gzip and zstd, at most once: a stream compressed twice can hide any ratio.
 */
#include "image/unpack.h"

#include <errno.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#define FILTERS_MAX 2 /* gzip or zstd, and the one that only reads */

static la_ssize_t read_blob(struct archive *inflate, void *arg, const void **out_data)
{
    struct unpack *unpack = arg;
    ssize_t count = blob_read(unpack->blob, unpack->buffer, sizeof(unpack->buffer));
    if (count == -EIO)
        err_set(&unpack->why, EIO, "it is cut off");
    else if (count < 0)
        err_set(&unpack->why, (int)-count, "read:");
    if (count < 0) {
        archive_set_error(inflate, (int)-count, "%s", unpack->why.text);
        return ARCHIVE_FATAL;
    }
    *out_data = unpack->buffer;
    return count;
}

static int fail(struct unpack *unpack, struct archive *of)
{
    const char *text = archive_error_string(of);
    int code = archive_errno(of);
    if (unpack->why.code == 0)
        err_set(&unpack->why, code > 0 ? code : EBADMSG, "%s",
                text == NULL ? "it is damaged" : text);
    return ARCHIVE_FATAL;
}

/* The next piece of the unpacked stream: ARCHIVE_OK, ARCHIVE_EOF or ARCHIVE_FATAL. */
static int next_piece(struct unpack *unpack, const void **out_data, size_t *out_size)
{
    la_int64_t at = 0;
    if (unpack->ended)
        return ARCHIVE_EOF;
    int result = archive_read_data_block(unpack->inflate, out_data, out_size, &at);
    unpack->ended = result == ARCHIVE_EOF;
    if (result == ARCHIVE_EOF)
        return ARCHIVE_EOF;
    if (result != ARCHIVE_OK)
        return fail(unpack, unpack->inflate);
    if (*out_size > unpack->out_max - unpack->out_bytes) {
        err_set(&unpack->why, EFBIG,
                "it unpacks to more than %llu times its size: a decompression bomb",
                (unsigned long long)UNPACK_RATIO_MAX);
        return ARCHIVE_FATAL;
    }
    unpack->out_bytes += *out_size;
    digest_add(&unpack->unpacked, *out_data, *out_size);
    return ARCHIVE_OK;
}

static la_ssize_t read_unpacked(struct archive *tar, void *arg, const void **out_data)
{
    struct unpack *unpack = arg;
    size_t size = 0;
    int result;
    do {
        result = next_piece(unpack, out_data, &size);
    } while (result == ARCHIVE_OK && size == 0);
    if (result == ARCHIVE_EOF)
        return 0;
    if (result == ARCHIVE_OK)
        return (la_ssize_t)size;
    archive_set_error(tar, unpack->why.code, "%s", unpack->why.text);
    return ARCHIVE_FATAL;
}

static int open_inflate(struct unpack *unpack)
{
    struct archive_entry *entry;
    unpack->inflate = archive_read_new();
    if (unpack->inflate == NULL)
        return -ENOMEM;
    if (archive_read_support_filter_gzip(unpack->inflate) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(unpack->inflate) != ARCHIVE_OK ||
        archive_read_support_format_raw(unpack->inflate) != ARCHIVE_OK ||
        archive_read_support_format_empty(unpack->inflate) != ARCHIVE_OK ||
        archive_read_open(unpack->inflate, unpack, NULL, read_blob, NULL) != ARCHIVE_OK)
        return fail(unpack, unpack->inflate);
    if (archive_filter_count(unpack->inflate) > FILTERS_MAX)
        return err_set(&unpack->why, EBADMSG, "it is compressed more than once");
    int result = archive_read_next_header(unpack->inflate, &entry);
    unpack->ended = result == ARCHIVE_EOF;
    if (result != ARCHIVE_OK && result != ARCHIVE_EOF)
        return fail(unpack, unpack->inflate);
    return 0;
}

static int open_tar(struct unpack *unpack)
{
    unpack->tar = archive_read_new();
    if (unpack->tar == NULL)
        return -ENOMEM;
    if (archive_read_support_format_tar(unpack->tar) != ARCHIVE_OK ||
        archive_read_support_format_empty(unpack->tar) != ARCHIVE_OK ||
        archive_read_open(unpack->tar, unpack, NULL, read_unpacked, NULL) != ARCHIVE_OK)
        return fail(unpack, unpack->tar);
    return 0;
}

int unpack_open(struct unpack *unpack, struct blob *blob, struct err *err)
{
    memset(unpack, 0, sizeof(*unpack));
    unpack->blob = blob;
    unpack->out_max = blob->size > (UINT64_MAX - UNPACK_SLACK_BYTES) / UNPACK_RATIO_MAX
                          ? UINT64_MAX
                          : UNPACK_SLACK_BYTES + UNPACK_RATIO_MAX * blob->size;
    int result = digest_open(&unpack->unpacked);
    if (result == 0)
        result = open_inflate(unpack);
    if (result == 0)
        result = open_tar(unpack);
    if (result == 0)
        return 0;
    if (unpack->why.code == 0)
        err_set(&unpack->why, ENOMEM, "open it:");
    return unpack_fault(unpack, "open the archive", err);
}

void unpack_close(struct unpack *unpack)
{
    archive_read_free(unpack->tar);
    archive_read_free(unpack->inflate);
    digest_close(&unpack->unpacked);
    unpack->tar = NULL;
    unpack->inflate = NULL;
}

int unpack_fault(struct unpack *unpack, const char *what, struct err *err)
{
    if (unpack->why.code == 0 && unpack->tar != NULL)
        fail(unpack, unpack->tar);
    int code = unpack->why.code > 0 ? unpack->why.code : EBADMSG;
    return err_set(err, code, "%s: %s", what, unpack->why.text);
}

int unpack_verify(struct unpack *unpack, const char *hex, const char *what, struct err *err)
{
    const void *data;
    size_t size;
    int result;
    char found[IMAGE_HEX_MAX];
    do {
        result = next_piece(unpack, &data, &size);
    } while (result == ARCHIVE_OK);
    if (result != ARCHIVE_EOF)
        return unpack_fault(unpack, what, err);
    digest_hex(&unpack->unpacked, found);
    if (hex != NULL && strcmp(found, hex) != 0)
        return err_set(err, EBADMSG,
                       "%s has the wrong diff_id: sha256:%s was promised, its unpacked bytes have "
                       "sha256:%s",
                       what, hex, found);
    return 0;
}
