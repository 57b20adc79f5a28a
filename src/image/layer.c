/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's entries, one after the other. What is at an entry's name goes before the entry is made
 * (only a directory stays for a directory), so that nothing is ever written through a link. Times
 * of directories are set last: making what is in them would change them.
 */
#include "image/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/fd.h"
#include "image/path.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_META   ".wh..wh." /* other engines' own files */
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define TIME_MAX        INT64_C(0x3fffffffff) /* the year 10680; file systems clamp below it */

struct dir_time { /* a directory whose time is still to be set */
    struct dir_time *next;
    struct timespec mtime;
    char path[];
};

struct layer {
    struct rootfs *root;
    struct unpack *unpack;
    struct layer_facts *facts;
    struct dir_time *dir_times; /* first to last: of two entries for a directory the last counts */
    struct dir_time **dir_times_end;
};

struct entry { /* what is being made: name below the directory parent */
    struct archive_entry *entry;
    char path[IMAGE_PATH_MAX];
    const char *name; /* within path */
    int parent;
    struct rootfs_attributes attributes;
};

static int tell(const struct entry *entry, int code, const char *what, struct err *err)
{
    return err_set(err, code, "%s '%.200s' of a layer:", what, entry->path);
}

static int refuse(const struct entry *entry, const char *fault, struct err *err)
{
    return err_set(err, EBADMSG, "'%.200s' of a layer %s", entry->path, fault);
}

static struct timespec entry_time(struct archive_entry *entry)
{
    struct timespec time = {.tv_sec = archive_entry_mtime(entry),
                            .tv_nsec = archive_entry_mtime_nsec(entry)};
    if (time.tv_sec < 0 || time.tv_sec > TIME_MAX || time.tv_nsec < 0 || time.tv_nsec >= 1000000000)
        return (struct timespec){0};
    return time;
}

static int remember_time(struct layer *layer, const struct entry *entry)
{
    size_t size = strlen(entry->path) + 1;
    struct dir_time *time = malloc(sizeof(*time) + size);
    if (time == NULL)
        return -ENOMEM;
    time->mtime = entry->attributes.mtime;
    memcpy(time->path, entry->path, size);
    time->next = NULL;
    *layer->dir_times_end = time;
    layer->dir_times_end = &time->next;
    return 0;
}

static void set_dir_times(struct layer *layer)
{
    while (layer->dir_times != NULL) {
        struct dir_time *time = layer->dir_times;
        struct timespec times[2] = {time->mtime, time->mtime};
        char parent_path[IMAGE_PATH_MAX];
        const char *name = path_split(time->path, parent_path);
        if (name[0] == '\0')
            name = "."; /* the root itself */
        fd_owner parent = open_in_root(layer->root->fd, parent_path, O_PATH | O_DIRECTORY, 0);
        struct stat status;
        /* what became of the directory since is no error: a later entry may have replaced it */
        if (parent >= 0 && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode))
            utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
        layer->dir_times = time->next;
        free(time);
    }
}

static int make_directory(struct layer *layer, struct entry *entry, struct err *err)
{
    struct stat status;
    bool there = fstatat(entry->parent, entry->name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    int result = 0;
    if (there && !S_ISDIR(status.st_mode))
        result = rootfs_clear(layer->root, entry->parent, entry->name);
    if (result == 0 && (!there || !S_ISDIR(status.st_mode)) &&
        mkdirat(entry->parent, entry->name, 0700) < 0)
        result = -errno;
    if (result == 0)
        result = rootfs_dress(layer->root, entry->parent, entry->name, &entry->attributes);
    if (result == 0)
        result = remember_time(layer, entry);
    return result < 0 ? tell(entry, -result, "make directory", err) : 0;
}

/* Writes one block at its offset; the file's size was promised by the header. */
static int write_block(int fd, const char *data, size_t size, la_int64_t at, la_int64_t promised)
{
    if (at < 0 || at > promised || (uint64_t)size > (uint64_t)(promised - at))
        return -EBADMSG;
    while (size > 0) {
        ssize_t count = pwrite(fd, data, size, at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        data += count;
        size -= (size_t)count;
        at += count;
    }
    return 0;
}

static int write_content(struct layer *layer, struct entry *entry, int fd, la_int64_t size,
                         struct err *err)
{
    for (;;) {
        const void *data = NULL;
        size_t length = 0;
        la_int64_t at = 0;
        int result = archive_read_data_block(layer->unpack->tar, &data, &length, &at);
        if (result == ARCHIVE_EOF)
            break;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            return unpack_fault(layer->unpack, "read a layer", err);
        result = write_block(fd, data, length, at, size);
        if (result < 0)
            return tell(entry, -result, "write file", err);
    }
    /* a sparse file may end in a hole */
    return ftruncate(fd, size) < 0 ? tell(entry, errno, "write file", err) : 0;
}

static int make_file(struct layer *layer, struct entry *entry, struct err *err)
{
    la_int64_t size = archive_entry_size(entry->entry);
    if (size < 0)
        return refuse(entry, "has a size below zero", err);
    int result = rootfs_charge_bytes(layer->root, (uint64_t)size, err);
    if (result < 0)
        return result;
    result = rootfs_clear(layer->root, entry->parent, entry->name);
    if (result < 0)
        return tell(entry, -result, "replace", err);
    fd_owner fd = openat(entry->parent, entry->name,
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return tell(entry, errno, "make file", err);
    result = write_content(layer, entry, fd, size, err);
    if (result < 0)
        return result;
    result = rootfs_dress(layer->root, entry->parent, entry->name, &entry->attributes);
    return result < 0 ? tell(entry, -result, "make file", err) : 0;
}

static int make_symlink(struct layer *layer, struct entry *entry, struct err *err)
{
    const char *target = archive_entry_symlink(entry->entry);
    if (target == NULL || target[0] == '\0')
        return refuse(entry, "is a symbolic link to nothing", err);
    int result = rootfs_clear(layer->root, entry->parent, entry->name);
    /* any target will do: it only ever means something within the root */
    if (result == 0 && symlinkat(target, entry->parent, entry->name) < 0)
        result = -errno;
    if (result == 0)
        result = rootfs_dress(layer->root, entry->parent, entry->name, &entry->attributes);
    return result < 0 ? tell(entry, -result, "make symbolic link", err) : 0;
}

static int bad_target(const struct entry *entry, const char *target, int code, struct err *err)
{
    return err_set(err, code, "'%.150s' of a layer is a hard link to '%.150s', which %s",
                   entry->path, target, path_fault(code));
}

static int make_hardlink(struct layer *layer, struct entry *entry, const char *target,
                         struct err *err)
{
    char path[IMAGE_PATH_MAX];
    char parent_path[IMAGE_PATH_MAX];
    struct stat status;
    struct stat old;
    int result = path_clean(target, path);
    if (result < 0)
        return bad_target(entry, target, -result, err);
    const char *name = path_split(path, parent_path);
    fd_owner parent = open_in_root(layer->root->fd, parent_path, O_PATH | O_DIRECTORY, 0);
    if (parent < 0)
        return bad_target(entry, target, -parent, err);
    if (name[0] != '\0' && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return bad_target(entry, target, errno, err);
    if (name[0] == '\0' || S_ISDIR(status.st_mode))
        return bad_target(entry, target, EISDIR, err);
    bool same = fstatat(entry->parent, entry->name, &old, AT_SYMLINK_NOFOLLOW) == 0 &&
                old.st_ino == status.st_ino;
    if (!same) /* a file that is linked to itself stays */
        result = rootfs_clear(layer->root, entry->parent, entry->name);
    if (result == 0 && !same && linkat(parent, name, entry->parent, entry->name, 0) < 0)
        result = -errno;
    if (result == 0)
        result = inode_set_add(&layer->root->layer, status.st_ino);
    return result < 0 ? tell(entry, -result, "make hard link", err) : 0;
}

/* 1 when the entry is a whiteout, which is then done; 0 when it is not; -errno. */
static int apply_whiteout(struct layer *layer, struct entry *entry, struct err *err)
{
    if (strncmp(entry->name, WHITEOUT, strlen(WHITEOUT)) != 0)
        return 0;
    bool opaque = strcmp(entry->name, WHITEOUT_OPAQUE) == 0;
    if (!opaque && strncmp(entry->name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0)
        return 1;
    const char *hidden = entry->name + strlen(WHITEOUT);
    if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return refuse(entry, "is a whiteout of no possible name", err);
    char parent_path[IMAGE_PATH_MAX];
    path_split(entry->path, parent_path);
    fd_owner parent = open_in_root(layer->root->fd, parent_path, O_RDONLY | O_DIRECTORY, 0);
    if (parent == -ENOENT || parent == -ENOTDIR)
        return 1; /* nothing is there to be hidden */
    int result = parent;
    if (parent >= 0)
        result = opaque ? rootfs_prune_dir(layer->root, parent)
                        : rootfs_prune(layer->root, parent, hidden);
    return result < 0 ? tell(entry, -result, "apply whiteout", err) : 1;
}

/* The entry for the root itself: only its owner, mode and time. */
static int apply_root(struct layer *layer, struct entry *entry, struct err *err)
{
    if (archive_entry_filetype(entry->entry) != AE_IFDIR ||
        archive_entry_hardlink(entry->entry) != NULL)
        return err_set(err, EBADMSG, "a layer wants something else to be its root directory");
    int result = rootfs_dress(layer->root, layer->root->fd, ".", &entry->attributes);
    if (result == 0)
        result = remember_time(layer, entry);
    return result < 0 ? err_set(err, -result, "dress the root directory of the image:") : 0;
}

static int make_entry(struct layer *layer, struct entry *entry, struct err *err)
{
    const char *hardlink = archive_entry_hardlink(entry->entry);
    if (hardlink != NULL)
        return make_hardlink(layer, entry, hardlink, err);
    switch (archive_entry_filetype(entry->entry)) {
    case AE_IFREG:
        return make_file(layer, entry, err);
    case AE_IFDIR:
        return make_directory(layer, entry, err);
    case AE_IFLNK:
        return make_symlink(layer, entry, err);
    default: /* never made, but what was there is not what the image wants either */
        layer->facts->skipped++;
        int result = rootfs_clear(layer->root, entry->parent, entry->name);
        return result < 0 ? tell(entry, -result, "replace", err) : 0;
    }
}

static int read_attributes(struct entry *entry)
{
    const char *name = archive_entry_pathname(entry->entry);
    if (name == NULL)
        return -EBADMSG;
    entry->attributes = (struct rootfs_attributes){
        .mode = (mode_t)archive_entry_perm(entry->entry),
        .uid = archive_entry_uid(entry->entry),
        .gid = archive_entry_gid(entry->entry),
        .mtime = entry_time(entry->entry),
    };
    return path_clean(name, entry->path);
}

static int apply_entry(struct layer *layer, struct archive_entry *of, struct err *err)
{
    struct entry entry = {.entry = of, .parent = -1};
    char parent_path[IMAGE_PATH_MAX];
    int result = read_attributes(&entry);
    if (result < 0) {
        const char *name = archive_entry_pathname(of);
        return err_set(err, -result, "the name '%.200s' in a layer %s", name == NULL ? "" : name,
                       path_fault(-result));
    }
    result = rootfs_charge_file(layer->root, err);
    if (result < 0)
        return result;
    if (entry.path[0] == '\0')
        return apply_root(layer, &entry, err);
    entry.name = path_split(entry.path, parent_path);
    if (strstr(parent_path, "/" WHITEOUT) != NULL ||
        strncmp(parent_path, WHITEOUT, strlen(WHITEOUT)) == 0)
        return strstr(parent_path, WHITEOUT_META) != NULL
                   ? 0
                   : refuse(&entry, "is below a whiteout", err);
    result = apply_whiteout(layer, &entry, err);
    if (result != 0)
        return result < 0 ? result : 0;
    fd_owner parent = rootfs_open_dir(layer->root, parent_path);
    if (parent < 0)
        return tell(&entry, -parent, "reach the directory of", err);
    entry.parent = parent;
    return make_entry(layer, &entry, err);
}

int layer_apply(struct rootfs *root, struct unpack *unpack, struct layer_facts *facts,
                struct err *err)
{
    struct layer layer = {.root = root, .unpack = unpack, .facts = facts};
    layer.dir_times_end = &layer.dir_times;
    struct archive_entry *entry;
    int result = 0;
    rootfs_begin_layer(root);
    for (;;) {
        int status = archive_read_next_header(unpack->tar, &entry);
        if (status == ARCHIVE_EOF)
            break;
        /* a warning is about names that do not fit the locale: they come as they are */
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
            result = unpack_fault(unpack, "read a layer", err);
        else
            result = apply_entry(&layer, entry, err);
        if (result < 0)
            break;
    }
    set_dir_times(&layer);
    return result;
}
