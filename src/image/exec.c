/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image of one program of this machine: its closure, copied; the few files of /etc that
 * libraries ask for; and a cache for ld.so of exactly these libraries, so that they are found at
 * the first look wherever they came from.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/closure.h"
#include "image/digest.h"
#include "image/exec_tree.h"
#include "image/ldcache.h"
#include "image/path.h"
#include "image/ref.h"
#include "image/staging.h"
#include "image/store.h"
#include "image/store_dirs.h"
#include "image/tree.h"

#define APP_ID 1000

static const struct {
    const char *path;
    const char *text;
} etc_files[] = {
    {"/etc/passwd", "root:x:0:0:root:/:/sbin/nologin\napp:x:1000:1000:app:/:/sbin/nologin\n"
                    "nobody:x:65534:65534:nobody:/:/sbin/nologin\n"},
    {"/etc/group", "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n"},
    {"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
    {"/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"},
};

struct exec_import {
    struct closure closure;
    struct exec_tree tree;
    char given[PATH_MAX];     /* the program as it was named, absolute */
    char canonical[PATH_MAX]; /* without symbolic links */
    char command[PATH_MAX];   /* what the image runs */
};

static int find_program(struct exec_import *exec, const char *program, struct err *err)
{
    char absolute[2 * PATH_MAX];
    char here[PATH_MAX] = "";
    struct stat status;
    if (realpath(program, exec->canonical) == NULL || stat(exec->canonical, &status) < 0)
        return err_set(err, errno, "find the program %.300s:", program);
    if (!S_ISREG(status.st_mode))
        return err_set(err, EINVAL, "%.300s is not a file that could be run", program);
    if (program[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        return err_set(err, errno, "find the directory of %.300s:", program);
    snprintf(absolute, sizeof(absolute), "%s/%s", here, program);
    if (exec_tree_place(absolute, exec->given, sizeof(exec->given)) < 0)
        return err_set(err, ENAMETOOLONG, "the path %.200s cannot be in an image", program);
    return 0;
}

/* The program where its real name is, so that $ORIGIN is what it was; and a link where it was
 * named. */
static int add_program(struct exec_import *exec, struct err *err)
{
    char place[PATH_MAX];
    int result = exec_tree_place(exec->canonical, place, sizeof(place));
    if (result < 0)
        return err_set(err, -result, "the path %.200s cannot be in an image", exec->canonical);
    result = exec_tree_add_file(&exec->tree, place, exec->closure.objects[0].fd, 0755, err);
    if (result == 0)
        result = exec_tree_add_link(&exec->tree, exec->given, place, err);
    if (result == 0)
        memcpy(exec->command, exec->given, sizeof(exec->command));
    return result;
}

/* Libraries are put where the loader looked; entries (room for all) list them for its cache. */
static int add_libraries(struct exec_import *exec, struct ldcache_entry *entries,
                         char places[][PATH_MAX], struct err *err)
{
    for (size_t i = 1; i < exec->closure.count; i++) {
        const struct closure_object *object = &exec->closure.objects[i];
        int result = exec_tree_place(object->path, places[i], PATH_MAX);
        if (result < 0)
            return err_set(err, -result, "the path %.200s cannot be in an image", object->path);
        result = exec_tree_add_file(&exec->tree, places[i], object->fd, i == 1 ? 0755 : 0644, err);
        if (result < 0)
            return result;
        entries[i - 1] = (struct ldcache_entry){object->name, places[i]};
    }
    return 0;
}

static int add_cache(struct exec_import *exec, struct ldcache_entry *entries, struct err *err)
{
    void *cache = NULL;
    size_t size = 0;
    if (exec->closure.is_musl)
        return 0;
    int result = ldcache_make(entries, exec->closure.count - 1, &cache, &size);
    if (result < 0)
        return err_set(err, -result, "make the library cache of the image:");
    result = exec_tree_add_text(&exec->tree, "/etc/ld.so.cache", cache, size, err);
    free(cache);
    return result;
}

static int add_closure(struct exec_import *exec, struct err *err)
{
    size_t count = exec->closure.count;
    if (exec->closure.is_static)
        return 0;
    struct ldcache_entry *entries = calloc(count, sizeof(*entries));
    char(*places)[PATH_MAX] = calloc(count, sizeof(*places));
    int result = -ENOMEM;
    if (entries == NULL || places == NULL)
        err_set(err, ENOMEM, "list the libraries of the image:");
    else
        result = add_libraries(exec, entries, places, err);
    if (result == 0)
        result = add_cache(exec, entries, err);
    free(entries);
    free(places);
    return result;
}

static int fill_tree(struct exec_import *exec, struct err *err)
{
    int result = add_program(exec, err);
    if (result == 0)
        result = add_closure(exec, err);
    for (size_t i = 0; result == 0 && i < sizeof(etc_files) / sizeof(etc_files[0]); i++)
        result = exec_tree_add_text(&exec->tree, etc_files[i].path, etc_files[i].text,
                                    strlen(etc_files[i].text), err);
    return result;
}

/* Writes the list of files as the image's only blob; its digest names the image. */
static int write_list(struct exec_import *exec, int staging, struct image_record *record,
                      struct err *err)
{
    char path[16 + IMAGE_HEX_MAX];
    char *list = NULL;
    size_t size = 0;
    int result = exec_tree_list(&exec->tree, exec->command, &list, &size);
    if (result == 0)
        result = digest_of(list, size, record->blobs[0]);
    if (result == 0) {
        snprintf(path, sizeof(path), "blobs/%s", record->blobs[0]);
        fd_owner fd = openat(staging, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        result = fd < 0 ? -errno : fd_write_all(fd, list, size);
    }
    free(list);
    return result < 0 ? err_set(err, -result, "write the list of files of the image:") : 0;
}

static int fill_record(const struct exec_import *exec, int rootfs, struct image_record *record,
                       struct err *err)
{
    struct image_meta *meta = &record->meta;
    struct tree_facts facts;
    int result = tree_check(rootfs, &facts, err);
    if (result < 0)
        return result;
    meta->version = IMAGE_META_VERSION;
    meta->user_set = 1;
    meta->uid = meta->gid = APP_ID;
    meta->size_bytes = facts.bytes;
    meta->created_unix_s = (uint64_t)time(NULL);
    memcpy(meta->digest, record->blobs[0], IMAGE_HEX_MAX);
    if (STRBLOCK_ADD(&meta->args, exec->command) < 0 ||
        STRBLOCK_ADD(&meta->env, "PATH=/usr/local/bin:/usr/bin:/bin") < 0)
        return err_set(err, E2BIG, "the path of the program is too long");
    return image_record_check(record, err);
}

static int build(struct exec_import *exec, struct image_store *store, const char *ref,
                 struct err *err)
{
    staging_owner staging = {0};
    struct image_record record = {0};
    int result = staging_open(store, &staging, err);
    if (result < 0)
        return result;
    fd_owner rootfs = tree_open_dir(staging.dir, "rootfs");
    if (rootfs < 0)
        return err_set(err, -rootfs, "open the root file system of the image:");
    exec_tree_open(&exec->tree, rootfs);
    result = fill_tree(exec, err);
    if (result == 0)
        result = write_list(exec, staging.dir, &record, err);
    if (result == 0)
        result = fill_record(exec, rootfs, &record, err);
    exec_tree_close(&exec->tree);
    return result < 0 ? result : staging_commit(&staging, &record, ref, err);
}

int image_store_add_exec(struct image_store *store, const char *program, const char *ref,
                         char out_ref[IMAGE_REF_MAX], struct err *err)
{
    char name[IMAGE_REF_MAX];
    if (!store->writable)
        return err_set(err, EROFS, "the image store was not opened for writing");
    int result = ref == NULL ? ref_derive(program, "", name, err) : ref_check(ref, err);
    if (result < 0)
        return result;
    if (ref != NULL)
        snprintf(name, sizeof(name), "%s", ref);
    struct exec_import *exec = calloc(1, sizeof(*exec));
    if (exec == NULL)
        return err_set(err, ENOMEM, "make an image of %.300s:", program);
    result = find_program(exec, program, err);
    int fd = result < 0 ? result : probe_open_regular(exec->canonical);
    if (result == 0 && fd < 0)
        result = err_set(err, -fd, "open the program %.300s:", program);
    if (result == 0)
        result = closure_find(fd, exec->canonical, &exec->closure, err);
    if (result == 0)
        result = build(exec, store, name, err);
    closure_free(&exec->closure);
    free(exec);
    if (result == 0)
        memcpy(out_ref, name, sizeof(name));
    return result;
}
