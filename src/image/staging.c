/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work in progress and its commit. What a killed import leaves is a staging directory that nobody
 * locks, or an image that no reference names: both go when the store is next opened for writing.
 */
#include "image/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/digest.h"
#include "image/ref.h"
#include "image/tree.h"

void staging_name(const char *what, char out[STAGING_NAME_MAX])
{
    unsigned long long number = 0;
    if (getrandom(&number, sizeof(number), 0) < 0)
        number = (unsigned long long)getpid();
    snprintf(out, STAGING_NAME_MAX, "%.16s-%016llx", what, number);
}

int staging_open(struct image_store *store, struct staging *out, struct err *err)
{
    struct staging staging = {.store = store, .dir = -1};
    staging_name("import", staging.name);
    fd_owner lock = store_lock(store, err); /* against a sweep before our own lock is taken */
    if (lock < 0)
        return lock;
    fd_owner parent = store_open_dir(store, STORE_STAGING);
    if (parent < 0)
        return err_set(err, -parent, "open the image store %s:", store->path);
    if (mkdirat(parent, staging.name, 0700) < 0)
        return err_set(err, errno, "make a directory in %s:", store->path);
    fd_owner dir = tree_open_dir(parent, staging.name);
    /* the umask must not decide who may enter the root file system */
    if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0 || mkdirat(dir, "rootfs", 0700) < 0 ||
        fchmodat(dir, "rootfs", 0755, 0) < 0 || mkdirat(dir, "blobs", 0700) < 0) {
        int code = dir < 0 ? -dir : errno;
        tree_remove(parent, staging.name);
        return err_set(err, code, "prepare a directory in %s:", store->path);
    }
    staging.dir = fd_steal(&dir);
    *out = staging;
    return 0;
}

void staging_close(struct staging *staging)
{
    if (staging->store == NULL)
        return;
    fd_close(&staging->dir);
    fd_owner parent = store_open_dir(staging->store, STORE_STAGING);
    if (parent >= 0)
        tree_remove(parent, staging->name);
    staging->store = NULL;
}

/*
 * Takes over a staging directory whose owner is gone: a descriptor that holds its lock, or -errno.
 * The store's lock is held for this moment only, so that no import is met between making and
 * locking.
 */
static int claim(struct image_store *store, int parent, const char *name)
{
    fd_owner lock = store_lock(store, NULL);
    if (lock < 0)
        return lock;
    fd_owner dir = tree_open_dir(parent, name);
    if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    return fd_steal(&dir);
}

void staging_sweep(struct image_store *store)
{
    fd_owner parent = store_open_dir(store, STORE_STAGING);
    char **names = NULL;
    int count = store_names(store, STORE_STAGING, &names);
    for (int i = 0; names != NULL && i < count && parent >= 0; i++) {
        fd_owner claimed = claim(store, parent, names[i]);
        if (claimed >= 0) /* a large one takes minutes: others go on meanwhile */
            tree_remove(parent, names[i]);
    }
    store_names_free(names, count);
}

/* Writes a file of the staging directory and flushes it. */
static int write_file(int dir, const char *name, const void *data, size_t size)
{
    fd_owner fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = fd_write_all(fd, data, size);
    if (result == 0 && fsync(fd) < 0)
        result = -errno;
    return result;
}

/* Moves name of from below the store's directory place; what is there already stays. */
static int move_into(struct image_store *store, int from, const char *name, const char *place,
                     const char *new_name)
{
    fd_owner to = store_open_dir(store, place);
    if (to < 0)
        return to;
    if (renameat2(from, name, to, new_name, RENAME_NOREPLACE) < 0 && errno != EEXIST)
        return -errno;
    return fsync(to) < 0 ? -errno : 0;
}

static int replace_in(struct image_store *store, int from, const char *name, const char *place,
                      const char *new_name)
{
    fd_owner to = store_open_dir(store, place);
    if (to < 0)
        return to;
    if (renameat(from, name, to, new_name) < 0)
        return -errno;
    return fsync(to) < 0 ? -errno : 0;
}

static int move_content(struct staging *staging, const struct image_record *record)
{
    struct image_store *store = staging->store;
    fd_owner blobs = tree_open_dir(staging->dir, "blobs");
    if (blobs < 0)
        return blobs;
    for (size_t i = 0; i < IMAGE_BLOBS_MAX && record->blobs[i][0] != '\0'; i++) {
        const char *hex = record->blobs[i];
        int result = move_into(store, blobs, hex, STORE_BLOBS, hex);
        if (result < 0)
            return result;
    }
    const char *hex = record->meta.digest;
    int result = move_into(store, staging->dir, "rootfs", STORE_ROOTFS, hex);
    if (result == 0)
        result = write_file(staging->dir, "meta", record, sizeof(*record));
    if (result == 0)
        result = replace_in(store, staging->dir, "meta", STORE_META, hex);
    return result;
}

static int write_ref(struct image_store *store, int dir, const char *hex, const char *ref)
{
    char file[IMAGE_REF_MAX];
    char line[IMAGE_HEX_MAX + 1];
    snprintf(line, sizeof(line), "%s\n", hex);
    ref_to_file(ref, file);
    int result = write_file(dir, "ref", line, strlen(line));
    return result < 0 ? result : replace_in(store, dir, "ref", STORE_REFS, file);
}

int staging_commit(struct staging *staging, const struct image_record *record, const char *ref,
                   struct err *err)
{
    struct image_store *store = staging->store;
    /* all files of the image before the first name that leads to them */
    if (syncfs(staging->dir) < 0)
        return err_set(err, errno, "flush the image to disk:");
    fd_owner lock = store_lock(store, err);
    if (lock < 0)
        return lock;
    int result = move_content(staging, record);
    if (result == 0)
        result = write_ref(store, staging->dir, record->meta.digest, ref);
    if (result < 0)
        return err_set(err, -result, "put the image into %s:", store->path);
    return 0;
}

int staging_commit_known(struct image_store *store, const char *hex, const char *ref,
                         struct err *err)
{
    staging_owner staging = {0};
    int result = staging_open(store, &staging, err);
    if (result < 0)
        return result;
    fd_owner lock = store_lock(store, err);
    if (lock < 0)
        return lock;
    fd_owner held = image_store_hold(store, hex, err); /* collected since we saw it? */
    if (held < 0)
        return held;
    result = write_ref(store, staging.dir, hex, ref);
    return result < 0 ? err_set(err, -result, "name the image in %s:", store->path) : 0;
}
