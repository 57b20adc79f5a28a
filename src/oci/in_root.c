/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/in_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/sys.h"

#define LINKS_MAX 40 /* as the kernel's */

static const char *relative(const char *path)
{
    path += strspn(path, "/");
    return path[0] != '\0' ? path : ".";
}

static int open_in(int root, const char *path, uint64_t flags, uint64_t resolve)
{
    int fd;
    do { /* -EAGAIN: something on the way was renamed meanwhile */
        fd = sys_openat2(root, relative(path), flags, 0,
                         RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve);
    } while (fd == -EAGAIN || fd == -EINTR);
    return fd;
}

int in_root_open(int root, const char *path, uint64_t flags)
{
    return open_in(root, path, flags, 0);
}

int in_root_open_plain(int root, const char *path, uint64_t flags)
{
    return open_in(root, path, flags, RESOLVE_NO_SYMLINKS);
}

static int make_path(int root, const char *path, bool directory, bool plain, int links);

/* path[0..end) names a symbolic link whose target is missing: makes the target. */
static int make_link_target(int root, int parent, const char *path, size_t name_at,
                            const char *name, bool directory, int links)
{
    char link[PATH_MAX];
    char target[2 * PATH_MAX];
    ssize_t length = readlinkat(parent, name, link, sizeof(link) - 1);
    if (length < 0)
        return -errno;
    link[length] = '\0';
    if (link[0] == '/')
        snprintf(target, sizeof(target), "%s", link);
    else
        snprintf(target, sizeof(target), "%.*s%s", (int)name_at, path, link);
    return links == 0 ? -ELOOP : make_path(root, target, directory, false, links - 1);
}

static int make_component(int root, int parent, const char *path, size_t name_at, size_t end,
                          bool directory, bool plain, int links)
{
    char name[NAME_MAX + 1];
    size_t length = end - name_at;
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, path + name_at, length);
    name[length] = '\0';
    int result;
    if (directory) {
        result = mkdirat(parent, name, 0755) < 0 ? -errno : 0;
    } else {
        fd_owner file =
            openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        result = file < 0 ? -errno : 0;
    }
    if (result != -EEXIST)
        return result;
    if (plain)
        return -ELOOP;
    int made = make_link_target(root, parent, path, name_at, name, directory, links);
    if (made >= 0)
        close(made);
    return made < 0 ? made : 0;
}

/* Walks path from the root, a component at a time, and makes those that are missing. */
static int make_path(int root, const char *path, bool directory, bool plain, int links)
{
    char prefix[2 * PATH_MAX];
    uint64_t resolve = plain ? RESOLVE_NO_SYMLINKS : 0;
    int length = snprintf(prefix, sizeof(prefix), "%s", relative(path));
    if (length < 0 || length >= PATH_MAX)
        return -ENAMETOOLONG;
    fd_owner at = open_in(root, ".", O_PATH | O_DIRECTORY, 0);
    size_t begin = 0;
    while (at >= 0 && prefix[begin] != '\0') {
        size_t end = begin + strcspn(prefix + begin, "/");
        bool last = prefix[end + strspn(prefix + end, "/")] == '\0';
        char saved = prefix[end];
        prefix[end] = '\0';
        int next = open_in(root, prefix, O_PATH | (last && !directory ? 0 : O_DIRECTORY), resolve);
        if (next == -ENOENT) {
            int result =
                make_component(root, at, prefix, begin, end, directory || !last, plain, links);
            if (result == 0)
                next = open_in(root, prefix, O_PATH, resolve);
            else
                next = result;
        }
        prefix[end] = saved;
        fd_close(&at);
        at = next;
        begin = end + strspn(prefix + end, "/");
    }
    return fd_steal(&at);
}

int in_root_make(int root, const char *path, bool directory, bool plain)
{
    int fd = open_in(root, path, O_PATH | (directory ? O_DIRECTORY : 0),
                     plain ? RESOLVE_NO_SYMLINKS : 0);
    return fd != -ENOENT ? fd : make_path(root, path, directory, plain, LINKS_MAX);
}

int in_root_parent(int root, const char *path, const char **out_name)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash[1] == '\0' || strcmp(slash, "/..") == 0 || strcmp(slash, "/.") == 0)
        return -EINVAL;
    size_t length = (size_t)(slash - path);
    if (length >= sizeof(parent))
        return -ENAMETOOLONG;
    memcpy(parent, path, length);
    parent[length] = '\0';
    int fd = in_root_make(root, parent, true, false);
    if (fd >= 0)
        *out_name = slash + 1;
    return fd;
}
