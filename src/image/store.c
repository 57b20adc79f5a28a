/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: its directories, its lock, and what is asked of it; see store.h for the layout.
 *
 * A reader takes no lock: each file in refs/ and meta/ appears whole, by a rename, and the
 * reference comes last. Writers take the lock for the moment in which they change names
 * (staging.c).
 */
#include "image/store.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/digest.h"
#include "image/meta.h"
#include "image/ref.h"
#include "image/staging.h"
#include "image/store_dirs.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static int open_images(struct image_store *store)
{
    if (store->images < 0)
        store->images = open(store->path, DIR_FLAGS);
    return store->images < 0 ? -errno : store->images;
}

int store_open_dir(struct image_store *store, const char *name)
{
    int images = open_images(store);
    if (images < 0)
        return images;
    int fd = openat(images, name, DIR_FLAGS | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int store_lock(struct image_store *store, struct err *err)
{
    fd_owner lock = store_open_dir(store, ".");
    if (lock < 0)
        return err_set(err, -lock, "open the image store %s:", store->path);
    while (flock(lock, LOCK_EX) < 0) {
        if (errno != EINTR)
            return err_set(err, errno, "lock the image store %s:", store->path);
    }
    return fd_steal(&lock);
}

/*
 * Root file systems must be reachable for sandboxes of other uids; all else is the owner's alone.
 */
static int make_dirs(struct image_store *store, struct err *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } dirs[] = {{"blobs", 0700},    {STORE_BLOBS, 0700}, {STORE_ROOTFS, 0711},
                {STORE_META, 0700}, {STORE_REFS, 0700},  {STORE_STAGING, 0700}};
    if (mkdir(store->path, 0711) < 0 && errno != EEXIST)
        return err_set(err, errno, "make the image store %s:", store->path);
    int images = open_images(store);
    if (images < 0)
        return err_set(err, -images, "open the image store %s:", store->path);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        if (mkdirat(images, dirs[i].name, dirs[i].mode) < 0 && errno != EEXIST)
            return err_set(err, errno, "make %s in the image store %s:", dirs[i].name, store->path);
    }
    return 0;
}

static int collect_and_sweep(struct image_store *store, struct err *err)
{
    fd_owner lock = store_lock(store, err);
    if (lock < 0)
        return lock;
    int result = store_collect(store, err);
    fd_close(&lock);
    staging_sweep(store);
    return result;
}

static int open_for_writing(struct image_store *store, struct err *err)
{
    int result = make_dirs(store, err);
    if (result < 0)
        return result;
    return collect_and_sweep(store, err);
}

/* state_dir, absolute; it is made when the store is to be written and it is not there. */
static int find_path(const char *state_dir, int writable, char **out, struct err *err)
{
    char absolute[PATH_MAX];
    if (writable && mkdir(state_dir, 0711) < 0 && errno != EEXIST)
        return err_set(err, errno, "make the state directory %s:", state_dir);
    const char *here = "";
    const char *base = state_dir;
    if (realpath(state_dir, absolute) != NULL)
        base = absolute;
    else if (writable || errno != ENOENT)
        return err_set(err, errno, "find the state directory %s:", state_dir);
    else if (state_dir[0] != '/' && getcwd(absolute, sizeof(absolute)) != NULL)
        here = absolute; /* it may be made later, and the caller may go elsewhere */
    char *path;
    if (asprintf(&path, "%s%s%s/images", here, here[0] == '\0' ? "" : "/", base) < 0)
        return err_set(err, ENOMEM, "open the image store:");
    *out = path;
    return 0;
}

int image_store_open(const char *state_dir, int writable, struct image_store **out, struct err *err)
{
    struct image_store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return err_set(err, ENOMEM, "open the image store:");
    store->images = -1;
    store->writable = writable != 0;
    int result = find_path(state_dir, writable, &store->path, err);
    if (store->path != NULL && writable)
        result = open_for_writing(store, err);
    if (result < 0) {
        image_store_close(store);
        return result;
    }
    *out = store;
    return 0;
}

void image_store_close(struct image_store *store)
{
    if (store == NULL)
        return;
    fd_close(&store->images);
    free(store->path);
    free(store);
}

int store_read_ref(struct image_store *store, const char *file, char out_hex[IMAGE_HEX_MAX])
{
    fd_owner refs = store_open_dir(store, STORE_REFS);
    if (refs < 0)
        return refs;
    char text[IMAGE_HEX_MAX + 2];
    ssize_t size = fd_read_file_at(refs, file, text, sizeof(text));
    if (size < 0)
        return (int)size;
    text[strcspn(text, "\n")] = '\0';
    if (!digest_hex_valid(text))
        return -EINVAL;
    memcpy(out_hex, text, IMAGE_HEX_MAX);
    return 0;
}

static int read_ref_variant(struct image_store *store, const char *ref, const char *suffix,
                            char out_hex[IMAGE_HEX_MAX])
{
    char variant[2 * IMAGE_REF_MAX];
    char file[IMAGE_REF_MAX];
    snprintf(variant, sizeof(variant), "%s%s", ref, suffix);
    if (strlen(variant) >= IMAGE_REF_MAX)
        return -ENOENT;
    ref_to_file(variant, file);
    return store_read_ref(store, file, out_hex);
}

/* The digest that ref means: itself, its reference file, or that of "ref:latest". */
static int find_hex(struct image_store *store, const char *ref, char out_hex[IMAGE_HEX_MAX],
                    struct err *err)
{
    const char *hex = digest_parse(ref);
    if (hex != NULL) {
        memcpy(out_hex, hex, IMAGE_HEX_MAX);
        return 0;
    }
    int result = ref_check(ref, err);
    if (result < 0)
        return result;
    result = read_ref_variant(store, ref, "", out_hex);
    if (result == -ENOENT && !ref_has_tag(ref))
        result = read_ref_variant(store, ref, ":latest", out_hex);
    if (result == -EINVAL)
        return err_set(err, EINVAL, "the reference of image '%.200s' is damaged: import it again",
                       ref);
    if (result < 0 && result != -ENOENT)
        return err_set(err, -result, "look for image '%.200s' in %s:", ref, store->path);
    return result;
}

static int no_such_image(const char *ref, struct err *err)
{
    return err_set(err, ENOENT,
                   "there is no image '%.150s': import one by skerry image import FILE --name "
                   "%.150s (skerry image list shows those that are there)",
                   ref, digest_parse(ref) == NULL ? ref : "NAME");
}

static int read_record(struct image_store *store, const char *hex, struct image_record *out,
                       struct err *err)
{
    fd_owner dir = store_open_dir(store, STORE_META);
    if (dir < 0)
        return err_set(err, -dir, "open the image store %s:", store->path);
    return image_record_read(dir, hex, out, err);
}

int image_store_lookup(struct image_store *store, const char *ref, struct image_meta *out_meta,
                       char *out_rootfs, size_t room, struct err *err)
{
    char hex[IMAGE_HEX_MAX];
    struct image_record record;
    int result = find_hex(store, ref, hex, err);
    if (result == 0)
        result = read_record(store, hex, &record, err);
    if (result == -ENOENT)
        return no_such_image(ref, err);
    if (result < 0)
        return result;
    int length = snprintf(out_rootfs, room, "%s/" STORE_ROOTFS "/%s", store->path, hex);
    if (length < 0 || (size_t)length >= room)
        return err_set(err, ENAMETOOLONG, "the path of image '%.200s' is too long", ref);
    *out_meta = record.meta;
    return 0;
}

int image_store_hold(struct image_store *store, const char *digest, struct err *err)
{
    if (!digest_hex_valid(digest))
        return err_set(err, EINVAL, "'%.80s' is not the digest of an image", digest);
    fd_owner parent = store_open_dir(store, STORE_ROOTFS);
    if (parent < 0)
        return err_set(err, -parent, "open the image store %s:", store->path);
    fd_owner dir = openat(parent, digest, DIR_FLAGS | O_NOFOLLOW);
    if (dir < 0)
        return err_set(err, errno, "open the files of image %.16s:", digest);
    if (flock(dir, LOCK_SH | LOCK_NB) < 0)
        return err_set(err, ENOENT, "image %.16s is being removed", digest);
    /* it may have been moved away between the two calls: then its name means nothing, or another */
    struct stat ours;
    struct stat named;
    if (fstat(dir, &ours) < 0 || fstatat(parent, digest, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
        ours.st_ino != named.st_ino)
        return err_set(err, ENOENT, "image %.16s was removed", digest);
    return fd_steal(&dir);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void store_names_free(char **names, int count)
{
    for (int i = 0; names != NULL && i < count; i++)
        free(names[i]);
    free(names);
}

static int names_add(char ***names, int *count, const char *name)
{
    if ((*count & (*count - 1)) == 0) { /* full at each power of two */
        size_t room = *count == 0 ? 1 : 2 * (size_t)*count;
        char **grown = realloc(*names, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        *names = grown;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return -ENOMEM;
    (*names)[(*count)++] = copy;
    return 0;
}

int store_names(struct image_store *store, const char *dir, char ***out_names)
{
    fd_owner fd = store_open_dir(store, dir);
    if (fd < 0)
        return fd;
    DIR *stream = fdopendir(fd);
    if (stream == NULL)
        return -errno;
    fd_steal(&fd);
    char **names = NULL;
    int count = 0;
    int result = 0;
    const struct dirent *entry;
    while (result == 0 && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] != '.')
            result = names_add(&names, &count, entry->d_name);
    }
    closedir(stream);
    if (result < 0) {
        store_names_free(names, count);
        return result;
    }
    if (count > 0)
        qsort(names, (size_t)count, sizeof(*names), compare_names);
    *out_names = names;
    return count;
}

int image_store_each(struct image_store *store, image_each_fn each, void *arg, struct err *err)
{
    char **files = NULL;
    int count = store_names(store, STORE_REFS, &files);
    if (count == -ENOENT)
        return 0; /* a store that nobody has written yet */
    if (count < 0)
        return err_set(err, -count, "list the image store %s:", store->path);
    int result = 0;
    for (int i = 0; i < count && result == 0; i++) {
        char ref[IMAGE_REF_MAX];
        char hex[IMAGE_HEX_MAX];
        struct image_record record;
        /* an image that was removed since, or is damaged, is not one to list */
        if (!ref_from_file(files[i], ref) || store_read_ref(store, files[i], hex) < 0 ||
            read_record(store, hex, &record, NULL) < 0)
            continue;
        result = each(arg, ref, &record.meta);
    }
    store_names_free(files, count);
    return result;
}

/*
 * Unlinks the references: the one named file, or each that holds hex. Returns how many, or -errno.
 */
static int unlink_refs(struct image_store *store, const char *file, const char *hex)
{
    fd_owner refs = store_open_dir(store, STORE_REFS);
    if (refs < 0)
        return refs;
    char **files = NULL;
    int count = store_names(store, STORE_REFS, &files);
    int removed = 0;
    for (int i = 0; files != NULL && i < count && removed >= 0; i++) {
        char found[IMAGE_HEX_MAX] = "";
        bool wanted = file != NULL
                          ? strcmp(files[i], file) == 0
                          : store_read_ref(store, files[i], found) == 0 && strcmp(found, hex) == 0;
        if (wanted)
            removed = unlinkat(refs, files[i], 0) < 0 ? -errno : removed + 1;
    }
    store_names_free(files, count);
    if (count < 0)
        return count;
    return removed > 0 && fsync(refs) < 0 ? -errno : removed;
}

/* Unlinks what ref means, under the store's lock. How many references went, or -errno. */
static int remove_refs(struct image_store *store, const char *ref)
{
    char file[IMAGE_REF_MAX];
    char latest[2 * IMAGE_REF_MAX];
    const char *hex = digest_parse(ref);
    if (hex != NULL)
        return unlink_refs(store, NULL, hex);
    ref_to_file(ref, file);
    int removed = unlink_refs(store, file, NULL);
    snprintf(latest, sizeof(latest), "%s:latest", ref);
    if (removed == 0 && !ref_has_tag(ref) && strlen(latest) < IMAGE_REF_MAX) {
        ref_to_file(latest, file);
        removed = unlink_refs(store, file, NULL);
    }
    return removed;
}

int image_store_remove(struct image_store *store, const char *ref, struct err *err)
{
    if (!store->writable)
        return err_set(err, EROFS, "the image store was not opened for writing");
    if (digest_parse(ref) == NULL && ref_check(ref, err) < 0)
        return -EINVAL;
    fd_owner lock = store_lock(store, err);
    if (lock < 0)
        return lock;
    int removed = remove_refs(store, ref);
    fd_close(&lock);
    if (removed == 0)
        return no_such_image(ref, err);
    if (removed < 0)
        return err_set(err, -removed, "remove image '%.200s':", ref);
    return collect_and_sweep(store, err);
}
