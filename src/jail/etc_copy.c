/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded copy of a short list of /etc. A copy, not binds: each bind would be one more mount that
 * every sandbox copies and drops.
 */
#include "jail/etc_copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define DEPTH_MAX 4
#define FILES_MAX 2000
#define BYTES_MAX (8L << 20)

struct budget {
    int files;
    long bytes;
};

static const char *const wanted[] = {
    "ld.so.cache",   /* where libraries are */
    "alternatives",  /* what /usr/bin/awk, convert, ... point to */
    "fonts",         /* fontconfig */
    "ImageMagick-6", /* policies and delegates */
    "python3",       "python3.11",           "perl",      "mime.types", "magic",
    "ssl",           "ca-certificates.conf", "localtime", "timezone",   "inputrc",
};

static void copy_file(int from_dir, int to_dir, const char *name, mode_t mode, struct budget *left)
{
    fd_owner from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    fd_owner to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0755);
    char buffer[16384];
    if (from < 0 || to < 0)
        return;
    for (;;) {
        ssize_t n = read(from, buffer, sizeof(buffer));
        if (n <= 0 || left->bytes < n)
            return;
        left->bytes -= n;
        if (fd_write_all(to, buffer, (size_t)n) < 0)
            return;
    }
}

static void copy_entry(int from_dir, int to_dir, const char *name, int depth, struct budget *left);

static void copy_directory(int from_dir, int to_dir, const char *name, int depth,
                           struct budget *left)
{
    int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return;
    if (mkdirat(to_dir, name, 0755) < 0) {
        close(from);
        return;
    }
    fd_owner to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *listing = fdopendir(from);
    if (listing == NULL) {
        close(from);
        return;
    }
    for (struct dirent *entry; to >= 0 && (entry = readdir(listing)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            copy_entry(dirfd(listing), to, entry->d_name, depth + 1, left);
    }
    closedir(listing);
}

static void copy_entry(int from_dir, int to_dir, const char *name, int depth, struct budget *left)
{
    struct stat status;
    if (depth > DEPTH_MAX || left->files-- <= 0 ||
        fstatat(from_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISDIR(status.st_mode)) {
        copy_directory(from_dir, to_dir, name, depth, left);
    } else if (S_ISREG(status.st_mode)) {
        copy_file(from_dir, to_dir, name, status.st_mode, left);
    } else if (S_ISLNK(status.st_mode)) {
        char target[1024];
        ssize_t length = readlinkat(from_dir, name, target, sizeof(target) - 1);
        if (length <= 0)
            return;
        target[length] = '\0';
        int ignored = symlinkat(target, to_dir, name);
        (void)ignored; /* a missing link is a missing file */
    }
}

void etc_copy(const char *from, const char *to)
{
    struct budget left = {FILES_MAX, BYTES_MAX};
    fd_owner from_dir = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd_owner to_dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from_dir < 0 || to_dir < 0)
        return;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        copy_entry(from_dir, to_dir, wanted[i], 0, &left);
}
