/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breadth first, as ld.so loads: all that the objects of one level name is opened and then read by
 * one confined child, until no new name comes up. A candidate of another class or machine is passed
 * over, as ld.so does; only files that are ELF for this machine are ever taken, so that a hostile
 * RPATH cannot make us copy any other file of the host.
 */
#include "image/closure.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/path.h"

#define CACHE_FILE    "/etc/ld.so.cache"
#define MUSL_PATHS    "/etc/ld-musl-x86_64.path"
#define PLATFORM      "x86_64"
#define SEARCHED_TEXT "RPATH, RUNPATH, " CACHE_FILE " and the default directories"

static const char *const glibc_dirs[] = {
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
};
static const char *const musl_dirs[] = {"/lib", "/usr/local/lib", "/usr/lib"};

static int add_object(struct closure *closure, int fd, const char *path, const char *name,
                      int needed_by, struct err *err)
{
    fd_owner own = fd;
    struct closure_object object = {.fd = -1, .needed_by = needed_by};
    if (closure->count == CLOSURE_MAX)
        return err_set(err, EFBIG, "the program needs more than %d libraries", CLOSURE_MAX);
    object.path = strdup(path);
    object.name = strdup(name);
    object.info = calloc(1, sizeof(*object.info));
    if (object.path == NULL || object.name == NULL || object.info == NULL) {
        free(object.path);
        free(object.name);
        free(object.info);
        return err_set(err, ENOMEM, "list the libraries of the program:");
    }
    object.fd = fd_steal(&own);
    closure->objects[closure->count++] = object;
    return 0;
}

/* Reads the objects from index first on by one confined child. */
static int read_objects(struct closure *closure, size_t first, struct err *err)
{
    int fds[CLOSURE_MAX];
    size_t count = closure->count - first;
    if (count == 0)
        return 0;
    struct elf_info *infos = calloc(count, sizeof(*infos));
    if (infos == NULL)
        return err_set(err, ENOMEM, "read the libraries of the program:");
    for (size_t i = 0; i < count; i++)
        fds[i] = closure->objects[first + i].fd;
    int result = probe_elf(fds, count, infos, err);
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct closure_object *object = &closure->objects[first + i];
        *object->info = infos[i];
        /* the program's own faults are told by elf_refuse */
        if (first + i > 0 && infos[i].verdict != ELF_PROGRAM)
            result = err_set(err, ENOEXEC, "the library %.200s is a damaged ELF file: %.100s",
                             object->path,
                             infos[i].why[0] != '\0' ? infos[i].why : "not a shared object");
    }
    free(infos);
    return result;
}

/* Opens path if it is a file for this machine: a descriptor, -ENOENT when it is not, -errno. */
static int open_native(const char *path)
{
    unsigned char head[ELF_HEAD_SIZE];
    fd_owner fd = probe_open_regular(path);
    if (fd < 0)
        return -ENOENT;
    if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) || !elf_is_native(head))
        return -ENOENT;
    return fd_steal(&fd);
}

/* Tries one directory. A descriptor and the path, or -ENOENT. */
static int try_dir(const char *dir, const char *name, char out_path[PATH_MAX])
{
    int length = snprintf(out_path, PATH_MAX, "%s/%s", dir, name);
    if (length < 0 || length >= PATH_MAX)
        return -ENOENT;
    return open_native(out_path);
}

/* Replaces $ORIGIN and the like in size bytes of text, as they stand in object. Absolute, or
 * -errno. */
static int expand(const struct closure *closure, const struct closure_object *object,
                  const char *text, size_t size, char out[PATH_MAX])
{
    char origin[PATH_MAX];
    snprintf(origin, sizeof(origin), "%s", object->path);
    char *slash = strrchr(origin, '/');
    if (slash != NULL)
        slash[slash == origin] = '\0';
    struct elf_tokens tokens = {origin, closure->lib_token, PLATFORM};
    int result = elf_expand(text, size, &tokens, out, PATH_MAX);
    /* a relative one means the directory in which the program is started: that is not here */
    return result == 0 && out[0] != '/' ? -ENOENT : result;
}

/* Tries the directories of a RPATH or RUNPATH that stands in object. */
static int try_list(const struct closure *closure, const struct closure_object *object,
                    const char *list, const char *separators, const char *name,
                    char out_path[PATH_MAX])
{
    while (*list != '\0') {
        char dir[PATH_MAX];
        size_t size = strcspn(list, separators);
        if (expand(closure, object, list, size, dir) == 0) {
            int fd = try_dir(dir, name, out_path);
            if (fd >= 0)
                return fd;
        }
        list += size;
        list += *list != '\0';
    }
    return -ENOENT;
}

/*
 * RPATH of the object and of those that led to it. With glibc an object that has RUNPATH has no say
 * by RPATH; musl takes either for the same.
 */
static int try_rpaths(const struct closure *closure, int index, const char *name,
                      char out_path[PATH_MAX])
{
    if (!closure->is_musl && closure->objects[index].info->has_runpath)
        return -ENOENT;
    for (int i = index; i >= 0; i = closure->objects[i].needed_by) {
        const struct closure_object *object = &closure->objects[i];
        bool runpath = object->info->has_runpath;
        if (runpath && !closure->is_musl)
            continue;
        int fd = try_list(closure, object, runpath ? object->info->runpath : object->info->rpath,
                          ":", name, out_path);
        if (fd >= 0)
            return fd;
    }
    return -ENOENT;
}

static int try_dirs(const char *const *dirs, size_t count, const char *name,
                    char out_path[PATH_MAX])
{
    for (size_t i = 0; i < count; i++) {
        int fd = try_dir(dirs[i], name, out_path);
        if (fd >= 0)
            return fd;
    }
    return -ENOENT;
}

static int try_musl_dirs(const struct closure *closure, const char *name, char out_path[PATH_MAX])
{
    char list[PATH_MAX];
    if (fd_read_file_at(AT_FDCWD, MUSL_PATHS, list, sizeof(list)) >= 0)
        return try_list(closure, &closure->objects[0], list, ":\n", name, out_path);
    return try_dirs(musl_dirs, sizeof(musl_dirs) / sizeof(musl_dirs[0]), name, out_path);
}

static int try_defaults(const struct closure *closure, const struct closure_object *object,
                        const char *name, char out_path[PATH_MAX])
{
    if (closure->is_musl)
        return try_musl_dirs(closure, name, out_path);
    if (object->info->no_default_dirs)
        return -ENOENT;
    const char *cached = probe_cache_find(&closure->cache, name);
    if (cached != NULL && cached[0] == '/' && strlen(cached) < PATH_MAX) {
        int fd = open_native(cached);
        if (fd >= 0) {
            memcpy(out_path, cached, strlen(cached) + 1);
            return fd;
        }
    }
    return try_dirs(glibc_dirs, sizeof(glibc_dirs) / sizeof(glibc_dirs[0]), name, out_path);
}

static int find_library(const struct closure *closure, int index, const char *name,
                        char out_path[PATH_MAX])
{
    const struct closure_object *object = &closure->objects[index];
    if (strchr(name, '/') != NULL) /* a path: taken as it is */
        return expand(closure, object, name, strlen(name), out_path) == 0 ? open_native(out_path)
                                                                          : -ENOENT;
    int fd = try_rpaths(closure, index, name, out_path);
    if (fd < 0 && object->info->has_runpath)
        fd = try_list(closure, object, object->info->runpath, ":", name, out_path);
    if (fd < 0)
        fd = try_defaults(closure, object, name, out_path);
    return fd;
}

/* Whether the loader has it already: by the name it was asked for, or by its own. */
static bool is_loaded(const struct closure *closure, const char *name)
{
    static const char *const in_musl[] = {"libc.so", "libc.musl-"};
    for (size_t i = 0; closure->is_musl && i < sizeof(in_musl) / sizeof(in_musl[0]); i++) {
        if (strncmp(name, in_musl[i], strlen(in_musl[i])) == 0)
            return true; /* the loader is the library */
    }
    for (size_t i = 1; i < closure->count; i++) {
        const struct closure_object *object = &closure->objects[i];
        if (strcmp(object->name, name) == 0 || strcmp(object->info->soname, name) == 0)
            return true;
    }
    return false;
}

static int add_needed(struct closure *closure, int index, const char *name, struct err *err)
{
    char path[PATH_MAX];
    if (is_loaded(closure, name))
        return 0;
    int fd = find_library(closure, index, name, path);
    if (fd < 0)
        return err_set(err, ENOEXEC,
                       "the library %.100s, which %.150s needs, is not on this machine "
                       "(searched: " SEARCHED_TEXT "): install it, or use --image or --host-usr",
                       name, closure->objects[index].path);
    return add_object(closure, fd, path, name, index, err);
}

/* glibc loads it by itself when a thread is cancelled or ends: without it the program is aborted.
 */
static int add_unwinder(struct closure *closure, struct err *err)
{
    static const char name[] = "libgcc_s.so.1";
    char path[PATH_MAX];
    if (closure->is_musl || !is_loaded(closure, "libc.so.6") || is_loaded(closure, name))
        return 0;
    int fd = find_library(closure, 0, name, path);
    return fd < 0 ? 0 : add_object(closure, fd, path, name, 0, err);
}

/* $LIB is compiled into the loader; on all systems we know it is where the loader really lies. */
static void find_lib_token(struct closure *closure, const char *loader)
{
    char real[PATH_MAX];
    const char *token = "lib";
    if (realpath(loader, real) != NULL && strstr(real, "/lib/x86_64-linux-gnu/") != NULL)
        token = "lib/x86_64-linux-gnu";
    else if (strncmp(loader, "/lib64/", 7) == 0)
        token = "lib64";
    snprintf(closure->lib_token, sizeof(closure->lib_token), "%s", token);
}

static int add_loader(struct closure *closure, struct err *err)
{
    const char *path = closure->objects[0].info->interp;
    const char *name = strrchr(path, '/') + 1; /* it is an absolute path: elf.c saw to that */
    closure->is_musl = strncmp(name, "ld-musl-", 8) == 0;
    find_lib_token(closure, path);
    int fd = open_native(path);
    if (fd < 0)
        return err_set(err, ENOEXEC,
                       "the loader %.200s of the program is not on this machine: install it, or "
                       "link the program statically",
                       path);
    int result = add_object(closure, fd, path, name, -1, err);
    fd_owner cache = closure->is_musl ? -1 : probe_open_regular(CACHE_FILE);
    if (result == 0 && cache >= 0)
        result = probe_cache_load(cache, &closure->cache, err);
    return result;
}

static int add_libraries(struct closure *closure, struct err *err)
{
    bool unwinder = false;
    for (size_t next = 0; next < closure->count;) {
        size_t first = closure->count;
        for (; next < first; next++) {
            const struct elf_info *info = closure->objects[next].info;
            for (STRBLOCK_EACH(&info->needed, name)) {
                int result = add_needed(closure, (int)next, name, err);
                if (result < 0)
                    return result;
            }
        }
        if (closure->count == first && !unwinder) {
            unwinder = true;
            int result = add_unwinder(closure, err);
            if (result < 0)
                return result;
        }
        int result = read_objects(closure, first, err);
        if (result < 0)
            return result;
    }
    return 0;
}

int closure_find(int fd, const char *path, struct closure *out, struct err *err)
{
    memset(out, 0, sizeof(*out));
    int result = add_object(out, fd, path, "", -1, err);
    if (result == 0)
        result = read_objects(out, 0, err);
    if (result == 0)
        result = elf_refuse(out->objects[0].info, path, err);
    if (result < 0)
        return result;
    const struct elf_info *info = out->objects[0].info;
    out->is_static = !info->has_interp;
    if (out->is_static && info->needed.count > 0)
        return err_set(err, ENOEXEC, "%.200s needs libraries but names no loader", path);
    if (out->is_static)
        return 0;
    result = add_loader(out, err);
    if (result == 0)
        result = read_objects(out, 1, err);
    return result < 0 ? result : add_libraries(out, err);
}

void closure_free(struct closure *closure)
{
    for (size_t i = 0; i < closure->count; i++) {
        fd_close(&closure->objects[i].fd);
        free(closure->objects[i].path);
        free(closure->objects[i].name);
        free(closure->objects[i].info);
    }
    closure->count = 0;
    probe_cache_free(&closure->cache);
}
