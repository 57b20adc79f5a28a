/* SPDX-License-Identifier: Apache-2.0 */
/* The directories of containers: made, found, locked, removed. See state.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/state.h"

int oci_id_check(const char *id, struct err *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
    size_t length = strlen(id);
    if (length == 0)
        return err_set(err, EINVAL, "the container id is empty");
    if (length > OCI_ID_MAX)
        return err_set(err, EINVAL, "the container id is longer than %d characters", OCI_ID_MAX);
    if (id[strspn(id, allowed)] != '\0' || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
        return err_set(err, EINVAL,
                       "\"%s\" is no container id: letters, digits and _ + - . are allowed", id);
    return 0;
}

static void place_init(struct oci_place *place, const char *root, const char *id)
{
    place->dir = -1;
    place->lock = -1;
    place->root = root;
    snprintf(place->id, sizeof(place->id), "%s", id);
}

/* mkdir -p, 0700 for the last one. */
static int make_root(const char *root)
{
    char path[512];
    if (mkdir(root, 0700) == 0 || errno == EEXIST)
        return 0;
    snprintf(path, sizeof(path), "%s", root);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(root, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

static int take_lock(struct oci_place *place)
{
    struct stat ours;
    /* an own open file: the lock is the file's, and `dir` may have been inherited by a child */
    place->lock = openat(place->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->lock < 0)
        return -errno;
    while (flock(place->lock, LOCK_EX) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    /* whoever held it may have removed the container */
    if (fstat(place->lock, &ours) < 0)
        return -errno;
    return ours.st_nlink == 0 ? -ENOENT : 0;
}

static int open_dir(struct oci_place *place)
{
    char path[512];
    int length = snprintf(path, sizeof(path), "%s/%s", place->root, place->id);
    if (length < 0 || (size_t)length >= sizeof(path))
        return -ENAMETOOLONG;
    place->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return place->dir < 0 ? -errno : 0;
}

static int make_dir(const char *root, const char *id)
{
    char path[512];
    int length = snprintf(path, sizeof(path), "%s/%s", root, id);
    if (length < 0 || (size_t)length >= sizeof(path))
        return -ENAMETOOLONG;
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    int result = make_root(root);
    if (result < 0)
        return result;
    return mkdir(path, 0700) < 0 ? -errno : 0;
}

int oci_place_make(const char *root, const char *id, struct oci_place *out, struct err *err)
{
    int result = oci_id_check(id, err);
    if (result < 0)
        return result;
    place_init(out, root, id);
    do { /* a `delete` that came between found nothing in it and removed it: again */
        oci_place_close(out);
        result = make_dir(root, id);
        if (result == 0)
            result = open_dir(out);
        if (result == 0)
            result = take_lock(out);
    } while (result == -ENOENT);
    /* and what is there under our name now may be another's, made since */
    if (result == 0 && faccessat(out->dir, "state.json", F_OK, 0) == 0)
        result = -EEXIST;
    if (result == 0)
        return 0;
    oci_place_close(out);
    if (result == -EEXIST)
        return err_set(err, EEXIST, "container with id %s exists already", id);
    return err_set(err, -result, "make the directory %s/%s:", root, id);
}

int oci_place_open(const char *root, const char *id, bool lock, struct oci_place *out,
                   struct err *err)
{
    int result = oci_id_check(id, err);
    if (result < 0)
        return result;
    place_init(out, root, id);
    result = open_dir(out);
    if (result == 0 && lock)
        result = take_lock(out);
    if (result == 0)
        return 0;
    oci_place_close(out);
    if (result == -ENOENT || result == -ENOTDIR)
        return err_set(err, ENOENT, "container %s does not exist", id);
    return err_set(err, -result, "open the state of container %s:", id);
}

int oci_place_remove(struct oci_place *place, struct err *err)
{
    static const char *const files[] = {"start", "config.json", "state.json.new", "state.json"};
    char path[512];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (unlinkat(place->dir, files[i], 0) < 0 && errno != ENOENT)
            return err_set(err, errno, "remove %s of container %s:", files[i], place->id);
    }
    snprintf(path, sizeof(path), "%s/%s", place->root, place->id);
    if (rmdir(path) < 0 && errno != ENOENT)
        return err_set(err, errno, "remove %s:", path);
    return 0;
}

void oci_place_close(struct oci_place *place)
{
    fd_close(&place->dir);
    fd_close(&place->lock);
}
