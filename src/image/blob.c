/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: never more bytes than were promised, never fewer, and a digest of what was really used. */
#include "image/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define DRAIN_BUFFER 16384

int blob_open(struct blob *blob, int fd, bool owned, uint64_t size, struct err *err)
{
    struct blob opened = {.fd = fd, .owned = owned, .size = size, .left = size};
    int result = digest_open(&opened.sum);
    if (result < 0)
        return err_set(err, -result, "begin a digest:");
    *blob = opened;
    return 0;
}

void blob_close(struct blob *blob)
{
    if (blob->owned)
        fd_close(&blob->fd);
    blob->fd = -1;
    blob->owned = false;
    digest_close(&blob->sum);
}

ssize_t blob_read(struct blob *blob, void *data, size_t size)
{
    ssize_t count;
    if (size > blob->left)
        size = (size_t)blob->left;
    if (size == 0)
        return 0;
    do {
        count = read(blob->fd, data, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    if (count == 0)
        return -EIO;
    blob->left -= (uint64_t)count;
    digest_add(&blob->sum, data, (size_t)count);
    if (blob->meter != NULL) {
        blob->meter->done += (uint64_t)count;
        blob->meter->tell(blob->meter->arg, blob->meter->done, blob->meter->total);
    }
    return count;
}

static int tell_read_error(const struct blob *blob, ssize_t code, const char *what, struct err *err)
{
    if (code == -EIO)
        return err_set(err, EIO, "%s is cut off: %llu of %llu bytes are missing", what,
                       (unsigned long long)blob->left, (unsigned long long)blob->size);
    return err_set(err, (int)-code, "read %s:", what);
}

int blob_verify(struct blob *blob, const char *hex, const char *what, struct err *err)
{
    char buffer[DRAIN_BUFFER];
    char found[IMAGE_HEX_MAX];
    ssize_t count;
    while ((count = blob_read(blob, buffer, sizeof(buffer))) > 0)
        ;
    if (count < 0)
        return tell_read_error(blob, count, what, err);
    digest_hex(&blob->sum, found);
    if (strcmp(found, hex) != 0)
        return err_set(err, EBADMSG,
                       "%s has the wrong digest: sha256:%s was promised, its bytes have sha256:%s",
                       what, hex, found);
    return 0;
}

int blob_read_whole(struct blob *blob, size_t max, const char *hex, const char *what,
                    char **out_data, size_t *out_size, struct err *err)
{
    if (blob->left > max)
        return err_set(err, EFBIG, "%s has %llu bytes, more than the %zu that are allowed", what,
                       (unsigned long long)blob->left, max);
    size_t size = (size_t)blob->left;
    char *data = malloc(size + 1);
    if (data == NULL)
        return err_set(err, ENOMEM, "read %s:", what);
    size_t got = 0;
    ssize_t count = 1;
    while (got < size && count > 0) {
        count = blob_read(blob, data + got, size - got);
        got += count > 0 ? (size_t)count : 0;
    }
    int result = 0;
    if (count < 0)
        result = tell_read_error(blob, count, what, err);
    else if (hex != NULL)
        result = blob_verify(blob, hex, what, err);
    if (result < 0) {
        free(data);
        return result;
    }
    data[size] = '\0';
    *out_data = data;
    *out_size = size;
    return 0;
}
