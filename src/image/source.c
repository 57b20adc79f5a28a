/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an image, from the parent or from an archive; see source.h. */
#include "image/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "image/unpack.h"

#define TELL_EVERY_NS   (100 * NS_PER_MS)
#define MEMBER_LINKS    8
#define MEMBER_NAME_MAX 32

int source_ask(struct source *source, const struct import_ask *ask, struct import_answer *out,
               struct err *err)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)ask, .iov_len = sizeof(*ask)};
    struct import_answer answer;
    int result = packet_send(source->link, &part, 1, NULL, 0, 0);
    if (result < 0)
        return err_set(err, -result, "ask for a part of the image:");
    ssize_t size = packet_recv(source->link, &answer, sizeof(answer), NULL, 0, NULL, 0);
    if (size != (ssize_t)sizeof(answer))
        return err_set(err, EPROTO, "no answer to a question for a part of the image");
    *out = answer;
    return 0;
}

static const char *file_name(uint32_t kind)
{
    switch (kind) {
    case IMPORT_ASK_ARCHIVE:
        return "the archive";
    case IMPORT_ASK_LAYOUT:
        return "oci-layout";
    case IMPORT_ASK_INDEX:
        return "index.json";
    default:
        return "blob";
    }
}

int source_ask_file(struct source *source, uint32_t kind, const char *hex, struct blob *out,
                    struct err *err)
{
    struct import_ask ask = {.kind = kind};
    struct import_answer answer = {0};
    snprintf(ask.hex, sizeof(ask.hex), "%s", hex == NULL ? "" : hex);
    int result = source_ask(source, &ask, &answer, err);
    if (result < 0)
        return result;
    if (answer.code != 0)
        return err_set(err, answer.code, "open %s%s%s of the image layout:", file_name(kind),
                       hex == NULL ? "" : " sha256:", hex == NULL ? "" : hex);
    return blob_open(out, source->stream, false, answer.size, err);
}

static void tell_progress(void *arg, uint64_t done, uint64_t total)
{
    struct source *source = arg;
    struct import_ask ask = {
        .kind = IMPORT_PROGRESS, .reading = source->reading, .done = done, .total = total};
    struct iovec part = {.iov_base = &ask, .iov_len = sizeof(ask)};
    uint64_t now = clock_now_ns();
    if (source->link < 0 || (now - source->told_ns < TELL_EVERY_NS && done < total))
        return;
    source->told_ns = now;
    packet_send(source->link, &part, 1, NULL, 0, MSG_DONTWAIT); /* a lost one does no harm */
}

void source_expect(struct source *source, bool reading, uint64_t total)
{
    source->reading = reading;
    source->told_ns = 0;
    source->meter = (struct meter){.total = total, .tell = tell_progress, .arg = source};
}

/* Remembers a member; of two with one name the later counts, as when tar extracts. */
static int member_add(struct source *source, const char *name, const char *link, uint64_t size)
{
    size_t count = source->member_count;
    if (count >= SOURCE_MEMBERS_MAX)
        return -EFBIG;
    if ((count & (count - 1)) == 0) { /* full at each power of two */
        size_t room = count == 0 ? 1 : 2 * count;
        struct member *grown = realloc(source->members, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        source->members = grown;
    }
    struct member member = {.name = strdup(name), .size = size};
    if (link != NULL)
        member.link = strdup(link);
    if (member.name == NULL || (link != NULL && member.link == NULL)) {
        free(member.name);
        free(member.link);
        return -ENOMEM;
    }
    source->members[source->member_count++] = member;
    return 0;
}

/* The member that name means, through the archive's own links; its index, or -ENOENT, -ELOOP. */
static ssize_t member_find(const struct source *source, const char *name)
{
    for (int links = 0; links < MEMBER_LINKS; links++) {
        size_t i = source->member_count;
        while (i > 0 && strcmp(source->members[i - 1].name, name) != 0)
            i--;
        if (i == 0)
            return -ENOENT;
        if (source->members[i - 1].link == NULL)
            return (ssize_t)i - 1;
        name = source->members[i - 1].link;
    }
    return -ELOOP;
}

/* The clean name that a link at path means: relative to its directory, or a hard link's own. */
static int link_target(struct archive_entry *entry, const char *path, char out[IMAGE_PATH_MAX])
{
    char parent[IMAGE_PATH_MAX];
    char joined[2 * IMAGE_PATH_MAX];
    const char *hard = archive_entry_hardlink(entry);
    const char *target = archive_entry_symlink(entry);
    if (hard != NULL)
        return path_clean(hard, out);
    if (target == NULL || strlen(target) >= IMAGE_PATH_MAX)
        return -ENAMETOOLONG;
    path_split(path, parent);
    snprintf(joined, sizeof(joined), "%s/%s", target[0] == '/' ? "" : parent, target);
    return path_clean(joined, out);
}

static int spool_file(struct source *source, struct unpack *unpack, const char *path,
                      uint64_t *bytes_left, struct err *err)
{
    char name[MEMBER_NAME_MAX];
    const void *data;
    size_t size;
    la_int64_t at;
    uint64_t total = 0;
    snprintf(name, sizeof(name), "%zu", source->member_count);
    fd_owner fd = openat(source->spool, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, errno, "spool '%.100s' of the archive:", path);
    for (;;) {
        int result = archive_read_data_block(unpack->tar, &data, &size, &at);
        if (result == ARCHIVE_EOF)
            break;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            return unpack_fault(unpack, "read the archive", err);
        if (at < 0 || (uint64_t)at != total)
            return err_set(err, EBADMSG, "'%.100s' of the archive is sparse", path);
        if (size > *bytes_left)
            return err_set(err, EFBIG, "the archive holds more bytes than the limit allows");
        *bytes_left -= size;
        total += size;
        result = fd_write_all(fd, data, size);
        if (result < 0)
            return err_set(err, -result, "spool '%.100s' of the archive:", path);
    }
    int result = member_add(source, path, NULL, total);
    return result < 0 ? err_set(err, -result, "list the members of the archive:") : 0;
}

static int spool_entry(struct source *source, struct unpack *unpack, struct archive_entry *entry,
                       uint64_t *bytes_left, struct err *err)
{
    char path[IMAGE_PATH_MAX];
    char target[IMAGE_PATH_MAX];
    const char *name = archive_entry_pathname(entry);
    /* a name that leads elsewhere names no part of an image: leave it */
    if (name == NULL || path_clean(name, path) < 0 || path[0] == '\0')
        return 0;
    if (archive_entry_hardlink(entry) != NULL || archive_entry_filetype(entry) == AE_IFLNK) {
        int result = link_target(entry, path, target);
        if (result == 0)
            result = member_add(source, path, target, 0);
        return result == -ENOMEM || result == -EFBIG
                   ? err_set(err, -result, "list the members of the archive:")
                   : 0;
    }
    if (archive_entry_filetype(entry) != AE_IFREG)
        return 0;
    return spool_file(source, unpack, path, bytes_left, err);
}

int source_spool(struct source *source, struct blob *archive, uint64_t max_bytes, struct err *err)
{
    struct archive_entry *entry;
    struct unpack *unpack = calloc(1, sizeof(*unpack));
    if (unpack == NULL)
        return err_set(err, ENOMEM, "read the archive:");
    int result = unpack_open(unpack, archive, err);
    for (size_t entries = 0; result == 0; entries++) {
        int status = archive_read_next_header(unpack->tar, &entry);
        if (status == ARCHIVE_EOF)
            break;
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
            result = unpack_fault(unpack, "read the archive", err);
        else if (entries >= SOURCE_MEMBERS_MAX)
            result = err_set(err, EFBIG, "the archive has more than %d members: it holds no image",
                             SOURCE_MEMBERS_MAX);
        else
            result = spool_entry(source, unpack, entry, &max_bytes, err);
    }
    unpack_close(unpack);
    free(unpack);
    return result;
}

bool source_has(const struct source *source, const char *name)
{
    return member_find(source, name) >= 0;
}

int source_open_member(struct source *source, const char *name, struct blob *out, struct err *err)
{
    char clean[IMAGE_PATH_MAX];
    char file[MEMBER_NAME_MAX];
    ssize_t index = path_clean(name, clean) < 0 ? -ENOENT : member_find(source, clean);
    if (index < 0)
        return err_set(err, (int)-index, "find '%.200s' in the archive:", name);
    snprintf(file, sizeof(file), "%zd", index);
    fd_owner fd = openat(source->spool, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open '%.200s' of the archive:", name);
    int result = blob_open(out, fd, true, source->members[index].size, err);
    if (result == 0)
        fd_steal(&fd);
    return result;
}

void source_close(struct source *source)
{
    for (size_t i = 0; i < source->member_count; i++) {
        free(source->members[i].name);
        free(source->members[i].link);
    }
    free(source->members);
    source->members = NULL;
    source->member_count = 0;
}
