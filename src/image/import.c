/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An import as the caller's process does it: it parses nothing. It starts the confined importer,
 * opens the files that this asks for by name, pours their bytes into a stream, and commits what was
 * built once the child is gone and the tree it left has been checked.
 */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "image/child.h"
#include "image/digest.h"
#include "image/import_link.h"
#include "image/importer.h"
#include "image/path.h"
#include "image/ref.h"
#include "image/staging.h"
#include "image/store_dirs.h"
#include "image/tree.h"

#define DEFAULT_MAX_BYTES (UINT64_C(4) << 30)
#define DEFAULT_MAX_FILES UINT64_C(400000)
#define CHILD_MEM_BYTES   (UINT64_C(1) << 30)
#define POUR_BUFFER       65536
#define TELL_EVERY_NS     (100 * NS_PER_MS)

struct import {
    const struct image_import_options *options;
    struct image_store *store;
    struct staging staging;
    int source; /* the archive, or the layout directory */
    bool archive;
    bool is_pipe; /* its size is not known: it is copied into a file first */
    const char *wanted;
    int link;   /* to the importer */
    int stream; /* bytes of files to it; non-blocking */
    int file;   /* what is being poured, or -1 */
    uint64_t file_left;
    size_t held; /* bytes of buffer that wait for room in the stream */
    size_t sent; /* of them */
    uint64_t told_ns;
    bool known; /* the store had the image already */
    bool done;  /* result holds */
    struct import_done result;
    char buffer[POUR_BUFFER];
};

static void tell_progress(struct import *import, const struct import_ask *ask)
{
    const struct image_import_options *options = import->options;
    uint64_t now = clock_now_ns();
    if (options == NULL || options->progress == NULL ||
        (now - import->told_ns < TELL_EVERY_NS && import->told_ns != 0))
        return;
    import->told_ns = now;
    options->progress(options->progress_arg, ask->reading ? "reading" : "unpacking", ask->done,
                      ask->total);
}

static uint64_t max_bytes(const struct import *import)
{
    const struct image_import_options *options = import->options;
    return options != NULL && options->max_bytes != 0 ? options->max_bytes : DEFAULT_MAX_BYTES;
}

/* FILE, or FILE:NAME where FILE:NAME itself is no file. Fills out_path; *out_wanted is in it. */
static int find_source(const char *path, char out_path[PATH_MAX], const char **out_wanted,
                       struct err *err)
{
    struct stat status;
    *out_wanted = NULL;
    if (strlen(path) >= PATH_MAX)
        return err_set(err, ENAMETOOLONG, "open the image %.100s...:", path);
    memcpy(out_path, path, strlen(path) + 1);
    if (stat(path, &status) == 0)
        return 0;
    int code = errno;
    for (char *at = strchr(out_path, ':'); at != NULL; at = strchr(at + 1, ':')) {
        *at = '\0';
        if (stat(out_path, &status) == 0) {
            *out_wanted = at + 1;
            return 0;
        }
        *at = ':';
    }
    return err_set(err, code, "open the image %.300s:", path);
}

static int open_source(struct import *import, const char *path, struct err *err)
{
    struct stat status;
    import->source = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (import->source < 0 || fstat(import->source, &status) < 0)
        return err_set(err, errno, "open the image %.300s:", path);
    import->archive = !S_ISDIR(status.st_mode);
    import->is_pipe = S_ISFIFO(status.st_mode);
    if (import->archive && !import->is_pipe && !S_ISREG(status.st_mode))
        return err_set(err, EINVAL,
                       "%.300s is neither an archive nor the directory of an OCI image layout",
                       path);
    return 0;
}

/* What comes through a pipe (podman save | ...) becomes a file first: its size must be known. */
static int take_pipe(struct import *import, struct err *err)
{
    struct import_ask progress = {.kind = IMPORT_PROGRESS, .reading = 1};
    fd_owner file =
        openat(import->staging.dir, "input", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || unlinkat(import->staging.dir, "input", 0) < 0)
        return err_set(err, errno, "make a file for what comes through the pipe:");
    int flags = fcntl(import->source, F_GETFL);
    if (flags < 0 || fcntl(import->source, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return err_set(err, errno, "wait for the pipe:");
    /* A named pipe that nobody has opened for writing yet reads as one at its end. */
    struct pollfd writer = {.fd = import->source, .events = POLLIN};
    if (poll(&writer, 1, -1) < 0 && errno != EINTR)
        return err_set(err, errno, "wait for the pipe:");
    for (;;) {
        ssize_t count = fd_read_all(import->source, import->buffer, sizeof(import->buffer));
        if (count <= 0) {
            fd_close(&import->source);
            import->source = fd_steal(&file);
            off_t start = lseek(import->source, 0, SEEK_SET);
            count = start < 0 ? -errno : count;
            return count < 0 ? err_set(err, (int)-count, "read the pipe:") : 0;
        }
        progress.done += (uint64_t)count;
        if (progress.done > max_bytes(import))
            return err_set(err, EFBIG, "more came through the pipe than the limit allows");
        int result = fd_write_all(file, import->buffer, (size_t)count);
        if (result < 0)
            return err_set(err, -result, "keep what comes through the pipe:");
        tell_progress(import, &progress);
    }
}

/* Opens a file of the layout directory: never through a link, and only a regular file. */
static int open_layout_file(const struct import *import, const struct import_ask *ask)
{
    char path[16 + IMAGE_HEX_MAX];
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = (uint64_t)RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    if (ask->kind == IMPORT_ASK_LAYOUT)
        snprintf(path, sizeof(path), "oci-layout");
    else if (ask->kind == IMPORT_ASK_INDEX)
        snprintf(path, sizeof(path), "index.json");
    else if (digest_hex_valid(ask->hex))
        snprintf(path, sizeof(path), "blobs/sha256/%s", ask->hex);
    else
        return -EINVAL;
    long fd = syscall(SYS_openat2, import->source, path, &how, sizeof(how));
    return fd < 0 ? -errno : (int)fd;
}

/* Opens what was asked for; its bytes follow in the stream. The answer's code tells a failure. */
static struct import_answer begin_file(struct import *import, const struct import_ask *ask)
{
    struct stat status = {0};
    struct import_answer answer = {.code = EPROTO};
    if (import->file_left > 0 || import->held > 0 ||
        (ask->kind == IMPORT_ASK_ARCHIVE) != import->archive)
        return answer;
    fd_owner fd =
        import->archive ? fcntl(import->source, F_DUPFD_CLOEXEC, 3) : open_layout_file(import, ask);
    answer.code = fd < 0 ? (import->archive ? errno : -fd) : 0;
    if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)))
        answer.code = EINVAL;
    if (answer.code != 0)
        return answer;
    fd_close(&import->file);
    import->file = fd_steal(&fd);
    import->file_left = (uint64_t)status.st_size;
    answer.size = import->file_left;
    return answer;
}

/* Pours the next bytes into the stream until it is full or the file ends. 0 or -errno. */
static int pour(struct import *import)
{
    while (import->held > 0 || import->file_left > 0) {
        if (import->held == 0) {
            size_t want = import->file_left < POUR_BUFFER ? (size_t)import->file_left : POUR_BUFFER;
            ssize_t got = read(import->file, import->buffer, want);
            if (got <= 0) /* it became shorter: the importer sees the end of the stream */
                return got == 0 ? -EIO : -errno;
            import->held = (size_t)got;
            import->sent = 0;
            import->file_left -= (uint64_t)got;
        }
        ssize_t put = send(import->stream, import->buffer + import->sent,
                           import->held - import->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        import->sent += (size_t)put;
        if (import->sent == import->held)
            import->held = 0;
    }
    return 0;
}

static bool is_known(struct image_store *store, const char *hex)
{
    char rootfs[PATH_MAX];
    char ref[8 + IMAGE_HEX_MAX];
    struct image_meta meta;
    if (!digest_hex_valid(hex))
        return false;
    snprintf(ref, sizeof(ref), "sha256:%s", hex);
    fd_owner held = image_store_hold(store, hex, NULL);
    return held >= 0 && image_store_lookup(store, ref, &meta, rootfs, sizeof(rootfs), NULL) == 0;
}

static int take_done(struct import *import, const struct import_done *done, struct err *err)
{
    import->result = *done;
    import->result.name[sizeof(import->result.name) - 1] = '\0';
    import->done = true;
    return image_record_check(&import->result.record, err);
}

/* One message of the importer. 1: handled, 0: it has hung up, -errno. */
static int serve_one(struct import *import, struct err *err)
{
    struct {
        struct import_ask ask;
        struct import_done done;
    } message;
    struct import_answer answer = {0};
    ssize_t size = packet_recv(import->link, &message, sizeof(message), NULL, 0, NULL, 0);
    if (size == 0 || size == -ECONNRESET)
        return 0;
    if (size < 0)
        return err_set(err, (int)-size, "hear the importer:");
    struct import_ask *ask = &message.ask;
    bool whole = (size_t)size == sizeof(*ask);
    bool is_done = (size_t)size == sizeof(message) && ask->kind == IMPORT_DONE;
    if ((!whole && !is_done) || (whole && ask->kind == IMPORT_DONE) || import->done)
        return err_set(err, EPROTO, "the importer sent what cannot be understood");
    ask->hex[sizeof(ask->hex) - 1] = '\0';
    if (is_done) {
        int result = take_done(import, &message.done, err);
        return result < 0 ? result : 1;
    }
    if (ask->kind == IMPORT_PROGRESS) {
        tell_progress(import, ask);
        return 1;
    }
    if (ask->kind == IMPORT_ASK_KNOWN)
        answer.known = import->known = is_known(import->store, ask->hex);
    else if (ask->kind >= IMPORT_ASK_ARCHIVE && ask->kind <= IMPORT_ASK_BLOB)
        answer = begin_file(import, ask);
    else
        answer.code = EPROTO;
    struct iovec part = {&answer, sizeof(answer)};
    packet_send(import->link, &part, 1, NULL, 0, 0); /* a failure shows as its end */
    return 1;
}

/* Serves the importer until it hangs up. */
static int serve(struct import *import, struct err *err)
{
    int result = 1;
    while (result > 0) {
        bool pouring = import->held > 0 || import->file_left > 0;
        struct pollfd ready[2] = {{.fd = import->link, .events = POLLIN},
                                  {.fd = pouring ? import->stream : -1, .events = POLLOUT}};
        if (poll(ready, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return err_set(err, errno, "wait for the importer:");
        }
        if (ready[1].revents != 0 && pour(import) < 0) {
            import->file_left = 0;
            import->held = 0;
            fd_close(&import->stream);
        }
        if (ready[0].revents != 0)
            result = serve_one(import, err);
    }
    return result;
}

static int start_importer(struct import *import, struct child *child, struct importer_job *job,
                          struct err *err)
{
    int links[2];
    int streams[2];
    int result = packet_pair(links);
    if (result < 0)
        return err_set(err, -result, "make a socket for the importer:");
    import->link = links[0];
    fd_owner their_link = links[1];
    /* a socket and no pipe: writing to an importer that died must not end us by SIGPIPE */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams) < 0)
        return err_set(err, errno, "make a stream for the importer:");
    import->stream = streams[0];
    fd_owner their_stream = streams[1];
    const int keep[] = {their_link, their_stream};
    struct confine_options confine = {
        .profile = CONFINE_IMPORT, .root_fd = import->staging.dir, .mem_bytes = CHILD_MEM_BYTES};
    job->link = their_link;
    job->stream = their_stream;
    return child_start(&confine, keep, 2, importer_run, job, child, err);
}

static int run_importer(struct import *import, struct err *err)
{
    const struct image_import_options *options = import->options;
    child_owner child = {0};
    struct importer_job job = {.archive = import->archive, .wanted = import->wanted};
    job.max_bytes = max_bytes(import);
    job.max_files = options && options->max_files ? options->max_files : DEFAULT_MAX_FILES;
    int result = start_importer(import, &child, &job, err);
    if (result == 0)
        result = serve(import, err);
    fd_close(&import->link);
    fd_close(&import->stream);
    if (result == 0)
        result = child_finish(&child, err);
    if (result == 0 && !import->done)
        result = err_set(err, EPROTO, "the importer ended without an image");
    return result;
}

/* Checks what the importer left, as if it had been taken over by what it read. */
static int check_result(struct import *import, struct err *err)
{
    struct tree_facts facts;
    struct image_meta *meta = &import->result.record.meta;
    fd_owner rootfs = tree_open_dir(import->staging.dir, "rootfs");
    if (rootfs < 0)
        return err_set(err, -rootfs, "open the unpacked image:");
    int result = tree_check(rootfs, &facts, err);
    if (result < 0)
        return result;
    meta->size_bytes = facts.bytes;
    meta->created_unix_s = (uint64_t)time(NULL);
    if (strcmp(import->result.record.blobs[0], meta->digest) != 0)
        return err_set(err, EPROTO, "the importer's image has two digests");
    for (size_t i = 0; i < IMAGE_BLOBS_MAX && import->result.record.blobs[i][0] != '\0'; i++) {
        char path[8 + IMAGE_HEX_MAX];
        char found[IMAGE_HEX_MAX];
        snprintf(path, sizeof(path), "blobs/%s", import->result.record.blobs[i]);
        fd_owner fd = openat(import->staging.dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || digest_of_file(fd, found) < 0 ||
            strcmp(found, import->result.record.blobs[i]) != 0)
            return err_set(err, EPROTO, "the importer's blobs are not those of the image");
    }
    return 0;
}

static int import_into(struct import *import, const char *path, char out_ref[IMAGE_REF_MAX],
                       struct err *err)
{
    char ref[IMAGE_REF_MAX];
    const char *asked = import->options == NULL ? NULL : import->options->ref;
    int result = asked == NULL ? 0 : ref_check(asked, err);
    if (result == 0)
        result = open_source(import, path, err);
    if (result == 0)
        result = staging_open(import->store, &import->staging, err);
    if (result == 0 && import->is_pipe)
        result = take_pipe(import, err);
    if (result == 0)
        result = run_importer(import, err);
    if (result < 0)
        return result;
    if (asked != NULL)
        snprintf(ref, sizeof(ref), "%s", asked);
    else
        result = ref_derive(path, import->result.name, ref, err);
    if (result == 0 && import->known)
        result = staging_commit_known(import->store, import->result.record.meta.digest, ref, err);
    else if (result == 0 && (result = check_result(import, err)) == 0)
        result = staging_commit(&import->staging, &import->result.record, ref, err);
    if (result == 0)
        memcpy(out_ref, ref, sizeof(ref));
    return result;
}

int image_store_import(struct image_store *store, const char *path,
                       const struct image_import_options *options, char out_ref[IMAGE_REF_MAX],
                       struct err *err)
{
    char file[PATH_MAX];
    const char *wanted;
    if (!store->writable)
        return err_set(err, EROFS, "the image store was not opened for writing");
    int result = find_source(path, file, &wanted, err);
    if (result < 0)
        return result;
    struct import *import = calloc(1, sizeof(*import));
    if (import == NULL)
        return err_set(err, ENOMEM, "import %.300s:", file);
    *import = (struct import){.options = options, .store = store, .wanted = wanted};
    import->source = import->link = import->stream = import->file = -1;
    result = import_into(import, file, out_ref, err);
    staging_close(&import->staging);
    fd_close(&import->source);
    fd_close(&import->link);
    fd_close(&import->stream);
    fd_close(&import->file);
    free(import);
    return result < 0 ? err_prefix(err, "import %.200s", path) : 0;
}
