/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collection of images that no reference names: what a commit that was killed half-way left, and
 * what a newer image of the same name replaced. An image that somebody runs from is held by a
 * shared flock on its directory and stays until the store is next written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/digest.h"
#include "image/meta.h"
#include "image/staging.h"
#include "image/store_dirs.h"
#include "image/tree.h"

typedef char hex_text[IMAGE_HEX_MAX];

struct hex_set {
    hex_text *items;
    size_t count;
};

static void hex_set_free(struct hex_set *set)
{
    free(set->items);
}
#define hex_set_owner __attribute__((cleanup(hex_set_free))) struct hex_set

static int hex_set_add(struct hex_set *set, const char *hex)
{
    if ((set->count & (set->count - 1)) == 0) { /* full at each power of two */
        size_t room = set->count == 0 ? 1 : 2 * set->count;
        hex_text *grown = realloc(set->items, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        set->items = grown;
    }
    memcpy(set->items[set->count++], hex, IMAGE_HEX_MAX);
    return 0;
}

static int compare_hex(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void hex_set_sort(struct hex_set *set)
{
    if (set->count > 0)
        qsort(set->items, set->count, sizeof(set->items[0]), compare_hex);
}

static bool hex_set_has(const struct hex_set *set, const char *hex)
{
    return set->count > 0 &&
           bsearch(hex, set->items, set->count, sizeof(set->items[0]), compare_hex) != NULL;
}

/* The digests that references name. A reference that cannot be read stops the collection. */
static int find_named(struct image_store *store, struct hex_set *out)
{
    char **files = NULL;
    int count = store_names(store, STORE_REFS, &files);
    int result = count < 0 ? count : 0;
    for (int i = 0; i < count && result == 0; i++) {
        hex_text hex;
        result = store_read_ref(store, files[i], hex);
        if (result == -EINVAL)
            result = 0; /* damaged: it names nothing */
        else if (result == 0)
            result = hex_set_add(out, hex);
    }
    store_names_free(files, count);
    hex_set_sort(out);
    return result;
}

/*
 * Moves a root file system away unless it is held; true when it is gone. By one rename, so that a
 * half-removed tree is never taken for an image; the sweep of staging removes it.
 */
static bool remove_rootfs(struct image_store *store, int parent, const char *name)
{
    char moved[STAGING_NAME_MAX];
    fd_owner dir = tree_open_dir(parent, name);
    if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) < 0)
        return false;
    fd_owner staging = store_open_dir(store, STORE_STAGING);
    staging_name("gone", moved);
    return staging >= 0 && renameat(parent, name, staging, moved) == 0;
}

/*
 * Adds the digests of a directory that are kept because they are named or held; removes the rest.
 */
static int collect_rootfs(struct image_store *store, struct hex_set *keep)
{
    char **names = NULL;
    int count = store_names(store, STORE_ROOTFS, &names);
    fd_owner parent = store_open_dir(store, STORE_ROOTFS);
    int result = count < 0 ? count : 0;
    size_t named = keep->count;
    for (int i = 0; i < count && result == 0 && parent >= 0; i++) {
        struct hex_set before = {keep->items, named};
        if (hex_set_has(&before, names[i]) || remove_rootfs(store, parent, names[i]))
            continue;
        if (digest_hex_valid(names[i]))
            result = hex_set_add(keep, names[i]);
    }
    store_names_free(names, count);
    hex_set_sort(keep);
    return result;
}

/* A disk that is being made: disk.c keeps it locked. */
static bool in_making(int dir, const char *name)
{
    fd_owner fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static int collect_files(struct image_store *store, const char *place, const struct hex_set *keep)
{
    char **names = NULL;
    int count = store_names(store, place, &names);
    fd_owner dir = store_open_dir(store, place);
    for (int i = 0; i < count && dir >= 0; i++) {
        if (!hex_set_has(keep, names[i]) && !in_making(dir, names[i]))
            unlinkat(dir, names[i], 0);
    }
    store_names_free(names, count);
    return count < 0 ? count : 0;
}

static int find_blobs(struct image_store *store, const struct hex_set *images, struct hex_set *out)
{
    fd_owner dir = store_open_dir(store, STORE_META);
    if (dir < 0)
        return dir;
    for (size_t i = 0; i < images->count; i++) {
        struct image_record record;
        if (image_record_read(dir, images->items[i], &record, NULL) < 0)
            continue;
        for (size_t b = 0; b < IMAGE_BLOBS_MAX && record.blobs[b][0] != '\0'; b++) {
            int result = hex_set_add(out, record.blobs[b]);
            if (result < 0)
                return result;
        }
    }
    hex_set_sort(out);
    return 0;
}

int store_collect(struct image_store *store, struct err *err)
{
    hex_set_owner images = {0};
    hex_set_owner blobs = {0};
    int result = find_named(store, &images);
    if (result == 0)
        result = collect_rootfs(store, &images);
    if (result == 0)
        result = collect_files(store, STORE_META, &images);
    if (result == 0 && collect_files(store, STORE_DISKS, &images) == -ENOMEM)
        result = -ENOMEM; /* a store without disks is fine */
    if (result == 0)
        result = find_blobs(store, &images, &blobs);
    if (result == 0)
        result = collect_files(store, STORE_BLOBS, &blobs);
    return result < 0 ? err_set(err, -result, "clean up the image store %s:", store->path) : 0;
}
