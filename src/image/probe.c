/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The confined readers of ELF files and of ld.so.cache. A whole level of a program's libraries goes
 * to one child: a child costs about a millisecond, most of it for its namespaces.
 */
#include "image/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/child.h"
#include "image/ldcache.h"
#include "image/path.h"

#define NOBODY          65534
#define PROBE_MEM_BYTES (UINT64_C(512) << 20)

struct probe_job {
    const int *fds;
    size_t count;
    int out; /* results go here */
};

static struct confine_options confinement(void)
{
    return (struct confine_options){.profile = CONFINE_PARSE,
                                    .uid = NOBODY,
                                    .gid = NOBODY,
                                    .root_fd = -1,
                                    .mem_bytes = PROBE_MEM_BYTES};
}

static ssize_t read_file(void *arg, void *data, size_t size, uint64_t at)
{
    const int *fd = arg;
    if (at > INT64_MAX)
        return -EINVAL;
    ssize_t count = pread(*fd, data, size, (off_t)at);
    return count < 0 ? -errno : count;
}

static int elf_child(void *arg, struct err *err)
{
    const struct probe_job *job = arg;
    struct elf_info *info = calloc(1, sizeof(*info));
    int result = info == NULL ? -ENOMEM : 0;
    for (size_t i = 0; result == 0 && i < job->count; i++) {
        struct stat status;
        int fd = job->fds[i];
        struct elf_input input = {.read = read_file, .arg = &fd};
        if (fstat(fd, &status) < 0 || status.st_size < 0) {
            result = -EINVAL;
            break;
        }
        input.size = (uint64_t)status.st_size;
        elf_parse(&input, info);
        result = fd_write_all(job->out, info, sizeof(*info));
    }
    free(info);
    return result < 0 ? err_set(err, -result, "read an ELF file:") : 0;
}

/* Runs a child over fds whose output is read to its end, at most room bytes. The count or -errno.
 */
static ssize_t run_child(const int *fds, size_t count, child_fn run, void *out, size_t room,
                         struct err *err)
{
    int ends[2];
    int keep[PROBE_MAX + 1];
    child_owner child = {0};
    if (count > PROBE_MAX)
        return err_set(err, EFBIG, "the program needs more than %d libraries", PROBE_MAX);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, errno, "make a pipe for a confined child:");
    fd_owner from = ends[0];
    fd_owner to = ends[1];
    memcpy(keep, fds, count * sizeof(fds[0]));
    keep[count] = to;
    struct probe_job job = {.fds = fds, .count = count, .out = to};
    struct confine_options confine = confinement();
    int result = child_start(&confine, keep, count + 1, run, &job, &child, err);
    if (result < 0)
        return result;
    fd_close(&to);
    ssize_t size = fd_read_all(from, out, room);
    fd_close(&from); /* a child that has more to say is ended by SIGPIPE */
    result = child_finish(&child, err);
    if (result < 0)
        return result;
    return size < 0 ? err_set(err, (int)-size, "read from a confined child:") : size;
}

int probe_elf(const int *fds, size_t count, struct elf_info *out, struct err *err)
{
    size_t room = count * sizeof(*out);
    ssize_t size = run_child(fds, count, elf_child, out, room, err);
    if (size < 0)
        return (int)size;
    bool valid = (size_t)size == room;
    for (size_t i = 0; valid && i < count; i++)
        valid = elf_info_valid(&out[i]);
    return valid ? 0 : err_set(err, EPROTO, "a confined child sent what cannot be understood");
}

struct cache_writer {
    char *text;
    size_t used;
};

static int write_entry(void *arg, const struct ldcache_entry *entry)
{
    struct cache_writer *writer = arg;
    size_t name = strlen(entry->name) + 1;
    size_t path = strlen(entry->path) + 1;
    if (name + path > LDCACHE_SIZE_MAX - writer->used)
        return -EFBIG;
    memcpy(writer->text + writer->used, entry->name, name);
    memcpy(writer->text + writer->used + name, entry->path, path);
    writer->used += name + path;
    return 0;
}

static int cache_child(void *arg, struct err *err)
{
    const struct probe_job *job = arg;
    struct cache_writer writer = {.text = malloc(LDCACHE_SIZE_MAX)};
    char *data = malloc(LDCACHE_SIZE_MAX);
    int result = -ENOMEM;
    if (writer.text != NULL && data != NULL) {
        ssize_t size = fd_read_all(job->fds[0], data, LDCACHE_SIZE_MAX);
        result = size < 0 ? (int)size : ldcache_each(data, (size_t)size, write_entry, &writer);
        if (result == -EINVAL || result == -EFBIG) { /* ld.so ignores such a cache as well */
            writer.used = 0;
            result = 0;
        }
    }
    if (result == 0)
        result = fd_write_all(job->out, writer.text, writer.used);
    free(data);
    free(writer.text);
    return result < 0 ? err_set(err, -result, "read ld.so.cache:") : 0;
}

int probe_cache_load(int fd, struct probe_cache *out, struct err *err)
{
    char *text = malloc(LDCACHE_SIZE_MAX);
    if (text == NULL)
        return err_set(err, ENOMEM, "read ld.so.cache:");
    ssize_t size = run_child(&fd, 1, cache_child, text, LDCACHE_SIZE_MAX, err);
    if (size > 0 && text[size - 1] != '\0')
        size = err_set(err, EPROTO, "a confined child sent what cannot be understood");
    if (size < 0) {
        free(text);
        return (int)size;
    }
    *out = (struct probe_cache){.text = text, .size = (size_t)size};
    return 0;
}

void probe_cache_free(struct probe_cache *cache)
{
    free(cache->text);
    *cache = (struct probe_cache){0};
}

const char *probe_cache_find(const struct probe_cache *cache, const char *name)
{
    const char *end = cache->text + cache->size;
    for (const char *at = cache->text; at < end;) {
        const char *path = at + strlen(at) + 1;
        if (path >= end) /* a name without a path */
            return NULL;
        if (strcmp(at, name) == 0)
            return path;
        at = path + strlen(path) + 1;
    }
    return NULL;
}

int probe_open_regular(const char *path)
{
    struct stat status;
    char link[32];
    fd_owner name = open(path, O_PATH | O_CLOEXEC);
    if (name < 0)
        return -errno;
    if (fstat(name, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", name);
    int fd = open(link, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}
