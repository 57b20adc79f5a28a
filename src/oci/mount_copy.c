/* SPDX-License-Identifier: Apache-2.0 */
/* A tmpfs that begins as a copy of what it covers (the mount option tmpcopyup). */
#include "oci/mount_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/in_root.h"

#define DEPTH_MAX 64

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *status)
{
    char buffer[16384];
    fd_owner from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    fd_owner to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return -errno;
    for (;;) {
        ssize_t n = read(from, buffer, sizeof(buffer));
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        int result = fd_write_all(to, buffer, (size_t)n);
        if (result < 0)
            return result;
    }
    if (fchown(to, status->st_uid, status->st_gid) < 0 || fchmod(to, status->st_mode & 07777) < 0)
        return -errno;
    return 0;
}

static int copy_tree(int from, int to, unsigned int depth);

static int copy_entry(int from, int to, const char *name, unsigned int depth)
{
    char link[PATH_MAX];
    struct stat status;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISREG(status.st_mode))
        return copy_file(from, to, name, &status);
    if (S_ISLNK(status.st_mode)) {
        ssize_t length = readlinkat(from, name, link, sizeof(link) - 1);
        if (length < 0)
            return -errno;
        link[length] = '\0';
        if (symlinkat(link, to, name) < 0 ||
            fchownat(to, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        return 0;
    }
    if (!S_ISDIR(status.st_mode))
        return 0; /* sockets and devices are not content */
    if (mkdirat(to, name, 0700) < 0)
        return -errno;
    fd_owner below_from = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    fd_owner below_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below_from < 0 || below_to < 0)
        return -errno;
    int result = copy_tree(below_from, below_to, depth + 1);
    if (result == 0 && (fchown(below_to, status.st_uid, status.st_gid) < 0 ||
                        fchmod(below_to, status.st_mode & 07777) < 0))
        result = -errno;
    return result;
}

static int copy_tree(int from, int to, unsigned int depth)
{
    if (depth > DEPTH_MAX)
        return -ELOOP;
    int own = dup(from);
    DIR *listing = own < 0 ? NULL : fdopendir(own);
    if (listing == NULL) {
        int saved = errno;
        fd_close(&own);
        return -saved;
    }
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(listing)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_entry(from, to, entry->d_name, depth);
    }
    closedir(listing);
    return result;
}

int oci_mount_copy_up(int from, int to, struct err *err)
{
    fd_owner readable = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status;
    if (readable < 0 || fstat(readable, &status) < 0)
        return err_set(err, errno, "open the directory:");
    int result = copy_tree(readable, to, 0);
    return result < 0 ? err_set(err, -result, "copy the directory:") : 0;
}
