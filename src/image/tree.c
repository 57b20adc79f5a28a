/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees filled by somebody else. Removal uses no recursion: a directory within a directory is moved
 * up to the top and found there by the next pass, so that a tree of any depth needs two
 * descriptors. Each directory moves at most once.
 */
#include "image/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/path.h"

#define OWNER_MAX 65535u

int tree_open_dir(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A stream of its own over dir, from the first entry; the caller closes it. */
static DIR *stream_open(int dir)
{
    fd_owner own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = own < 0 ? NULL : fdopendir(own);
    if (stream != NULL)
        fd_steal(&own);
    return stream;
}

static void stream_cleanup(DIR **stream)
{
    if (*stream != NULL)
        closedir(*stream);
}
#define stream_owner __attribute__((cleanup(stream_cleanup))) DIR

/* The next entry that is not "." or "..", or NULL at the end (*error 0) or on a failure. */
static const char *stream_next(DIR *stream, int *error)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        *error = entry == NULL ? errno : 0;
        if (entry == NULL)
            return NULL;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry->d_name;
    }
}

/* Removes a file or an empty directory. 0, -ENOTEMPTY for a directory with entries, or -errno. */
static int remove_one(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    return errno == EEXIST ? -ENOTEMPTY : -errno;
}

/* Moves the directory name of from to the directory top, under a name that is free there. */
static int move_up(int from, const char *name, int top, unsigned int *serial)
{
    for (;;) {
        char target[32];
        snprintf(target, sizeof(target), "removed-%u", (*serial)++);
        if (renameat2(from, name, top, target, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
}

/* Empties the directory name of top into top, and removes it. */
static int flatten(int top, const char *name, unsigned int *serial)
{
    fd_owner dir = tree_open_dir(top, name);
    if (dir < 0)
        return dir;
    stream_owner *stream = stream_open(dir);
    if (stream == NULL)
        return -errno;
    int error;
    const char *entry;
    while ((entry = stream_next(stream, &error)) != NULL) {
        int result = remove_one(dir, entry);
        if (result == -ENOTEMPTY)
            result = move_up(dir, entry, top, serial);
        if (result < 0)
            return result;
    }
    if (error != 0)
        return -error;
    /* a long directory may show an entry only in a second reading: the next pass has it */
    int result = remove_one(top, name);
    return result == -ENOTEMPTY ? 0 : result;
}

static int empty_dir(int top)
{
    unsigned int serial = 0;
    for (bool found = true; found;) {
        found = false;
        stream_owner *stream = stream_open(top);
        if (stream == NULL)
            return -errno;
        int error;
        const char *entry;
        while ((entry = stream_next(stream, &error)) != NULL) {
            found = true;
            int result = remove_one(top, entry);
            if (result == -ENOTEMPTY)
                result = flatten(top, entry, &serial);
            if (result < 0)
                return result;
        }
        if (error != 0)
            return -error;
    }
    return 0;
}

int tree_remove(int parent, const char *name)
{
    int result = remove_one(parent, name);
    if (result != -ENOTEMPTY)
        return result;
    fd_owner top = tree_open_dir(parent, name);
    if (top < 0)
        return top;
    result = empty_dir(top);
    return result < 0 ? result : remove_one(parent, name);
}

static int check_one(const struct stat *status, const char *name, struct err *err)
{
    char text[IMAGE_NAME_BYTES + 1];
    snprintf(text, sizeof(text), "%s", name);
    path_make_printable(text);
    if (!S_ISREG(status->st_mode) && !S_ISDIR(status->st_mode) && !S_ISLNK(status->st_mode))
        return err_set(err, EPERM, "'%s' of the image is neither file, directory nor link", text);
    if (!S_ISLNK(status->st_mode) && (status->st_mode & (S_ISUID | S_ISGID)))
        return err_set(err, EPERM, "'%s' of the image is set-user-id or set-group-id", text);
    bool strange = (status->st_uid > OWNER_MAX && status->st_uid != geteuid()) ||
                   (status->st_gid > OWNER_MAX && status->st_gid != getegid());
    if (strange)
        return err_set(err, EPERM, "'%s' of the image has owner %u:%u", text,
                       (unsigned)status->st_uid, (unsigned)status->st_gid);
    return 0;
}

static int check_dir(int dir, unsigned int depth, struct tree_facts *facts, struct err *err)
{
    if (depth > IMAGE_DEPTH_MAX)
        return err_set(err, EPERM, "the image has directories more than %d deep", IMAGE_DEPTH_MAX);
    stream_owner *stream = stream_open(dir);
    if (stream == NULL)
        return err_set(err, errno, "read a directory of the image:");
    int error;
    const char *name;
    while ((name = stream_next(stream, &error)) != NULL) {
        struct stat status;
        if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return err_set(err, errno, "look at a file of the image:");
        int result = check_one(&status, name, err);
        facts->files++;
        if (S_ISREG(status.st_mode))
            facts->bytes += (uint64_t)status.st_size / (uint64_t)status.st_nlink;
        if (result == 0 && S_ISDIR(status.st_mode)) {
            fd_owner child = tree_open_dir(dir, name);
            if (child < 0)
                return err_set(err, -child, "open a directory of the image:");
            result = check_dir(child, depth + 1, facts, err);
        }
        if (result < 0)
            return result;
    }
    return error == 0 ? 0 : err_set(err, error, "read a directory of the image:");
}

int tree_check(int top, struct tree_facts *out_facts, struct err *err)
{
    struct stat status;
    struct tree_facts facts = {0};
    if (fstat(top, &status) < 0)
        return err_set(err, errno, "look at the root of the image:");
    int result = check_one(&status, "/", err);
    if (result == 0)
        result = check_dir(top, 1, &facts, err);
    if (result == 0)
        *out_facts = facts;
    return result;
}
