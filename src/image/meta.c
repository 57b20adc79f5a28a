/* SPDX-License-Identifier: Apache-2.0 */
/* Records are fixed-size structs, so that reading one is a size check and a look at each field. */
#include "image/meta.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/digest.h"

#define ID_MAX 65535u

static_assert(sizeof(struct image_record) ==
                  sizeof(struct image_meta) + IMAGE_BLOBS_MAX * IMAGE_HEX_MAX + 6,
              "a record on disk has no padding");

static bool text_ends(const char *text, size_t room)
{
    return memchr(text, '\0', room) != NULL;
}

static bool hex_ok(const char *hex, bool may_be_empty)
{
    if (!text_ends(hex, IMAGE_HEX_MAX))
        return false;
    return (may_be_empty && hex[0] == '\0') || digest_hex_valid(hex);
}

static bool env_ok(const struct image_meta *meta)
{
    for (STRBLOCK_EACH(&meta->env, entry)) {
        const char *equals = strchr(entry, '=');
        if (equals == NULL || equals == entry)
            return false;
    }
    return true;
}

static const char *fault_of(const struct image_record *record)
{
    const struct image_meta *meta = &record->meta;
    if (meta->version != IMAGE_META_VERSION)
        return "version";
    if (!hex_ok(meta->digest, false))
        return "digest";
    for (size_t i = 0; i < IMAGE_BLOBS_MAX; i++) {
        if (!hex_ok(record->blobs[i], i > 0))
            return "blob";
    }
    if (meta->user_set > 1 || meta->uid > ID_MAX || meta->gid > ID_MAX)
        return "user";
    if (!text_ends(meta->cwd, sizeof(meta->cwd)) || (meta->cwd[0] != '\0' && meta->cwd[0] != '/'))
        return "working directory";
    if (!STRBLOCK_VALID(&meta->args) || (meta->args.count > 0 && meta->args.data[0] == '\0'))
        return "arguments";
    if (!STRBLOCK_VALID(&meta->env) || !env_ok(meta))
        return "environment";
    return NULL;
}

int image_record_check(const struct image_record *record, struct err *err)
{
    const char *fault = fault_of(record);
    if (fault != NULL)
        return err_set(err, EINVAL, "the record of the image has no valid %s", fault);
    return 0;
}

int image_record_read(int dir, const char *name, struct image_record *out, struct err *err)
{
    fd_owner fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open the record of image %.16s:", name);
    struct image_record record;
    ssize_t size = fd_read_all(fd, &record, sizeof(record));
    if (size < 0)
        return err_set(err, (int)-size, "read the record of image %.16s:", name);
    if (size != (ssize_t)sizeof(record))
        return err_set(err, EINVAL, "the record of image %.16s is cut off: import it again", name);
    int result = image_record_check(&record, err);
    if (result < 0)
        return result;
    if (strcmp(record.meta.digest, name) != 0)
        return err_set(err, EINVAL, "the record of image %.16s is that of another", name);
    *out = record;
    return 0;
}
