/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on a root file system that the layers of an image fill; see rootfs.h. Every look-up goes
 * through open_in_root(), so that whatever links a layer makes, the kernel keeps us below the root.
 */
#include "image/rootfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/path.h"
#include "image/tree.h"

#define NOBODY        65534
#define ID_MAX        65535
#define RETRIES_MAX   10000
#define PROBE_NAME    ".skerry-owner"
#define OWN_DIR_BITS  0700 /* without privilege the owner must get in */
#define OWN_FILE_BITS 0400

int open_in_root(int root, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
                           .mode = mode,
                           .resolve = (uint64_t)RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    /* EAGAIN: a rename or mount somewhere on the machine while a ".." was walked */
    for (int i = 0; i < RETRIES_MAX; i++) {
        long fd = syscall(SYS_openat2, root, path[0] == '\0' ? "." : path, &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return -EAGAIN;
}

void rootfs_open(struct rootfs *root, int fd, uint64_t max_bytes, uint64_t max_files)
{
    *root = (struct rootfs){.fd = fd, .bytes_left = max_bytes, .files_left = max_files};
    fd_owner probe = openat(fd, PROBE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    root->keep_owner = probe >= 0 && fchown(probe, ID_MAX, ID_MAX) == 0;
    unlinkat(fd, PROBE_NAME, 0);
}

void rootfs_close(struct rootfs *root)
{
    inode_set_clear(&root->layer);
}

void rootfs_begin_layer(struct rootfs *root)
{
    inode_set_clear(&root->layer);
}

int rootfs_charge_file(struct rootfs *root, struct err *err)
{
    if (root->files_left == 0)
        return err_set(err, EFBIG, "the image has more files than the limit allows");
    root->files_left--;
    return 0;
}

int rootfs_charge_bytes(struct rootfs *root, uint64_t bytes, struct err *err)
{
    if (bytes > root->bytes_left)
        return err_set(err, EFBIG, "the image unpacks to more bytes than the limit allows");
    root->bytes_left -= bytes;
    return 0;
}

/*
 * A walk that makes what is missing: `done` holds no symbolic link, `todo` is still to be walked.
 */
struct walk {
    struct rootfs *root;
    char done[IMAGE_PATH_MAX];
    char todo[2 * IMAGE_PATH_MAX];
    unsigned int links;
};

/* Puts the target of the link before what is left to walk. */
static int walk_link(struct walk *walk, int dir, const char *name, const char *rest)
{
    char target[IMAGE_PATH_MAX];
    char todo[2 * IMAGE_PATH_MAX];
    ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);
    if (length < 0)
        return -errno;
    target[length] = '\0';
    if (++walk->links > IMAGE_SYMLINKS_MAX)
        return -ELOOP;
    int size = snprintf(todo, sizeof(todo), "%s/%s", target, rest);
    if (size < 0 || (size_t)size >= sizeof(todo))
        return -ENAMETOOLONG;
    if (target[0] == '/')
        walk->done[0] = '\0';
    memcpy(walk->todo, todo, (size_t)size + 1);
    return 0;
}

static int walk_step(struct walk *walk, const char *name, const char *rest)
{
    struct stat status;
    char next[IMAGE_PATH_MAX + IMAGE_NAME_BYTES + 2];
    fd_owner dir = open_in_root(walk->root->fd, walk->done, O_PATH | O_DIRECTORY, 0);
    if (dir < 0)
        return dir;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISLNK(status.st_mode))
            return walk_link(walk, dir, name, rest);
        if (!S_ISDIR(status.st_mode))
            return -ENOTDIR;
    } else {
        int result = errno == ENOENT ? rootfs_charge_file(walk->root, NULL) : -errno;
        if (result < 0)
            return result;
        if (mkdirat(dir, name, 0700) < 0 || fchmodat(dir, name, 0755, 0) < 0)
            return -errno;
    }
    int size = snprintf(next, sizeof(next), "%s/%s", walk->done, name);
    if (size < 0)
        return -EINVAL;
    int result = path_clean(next, walk->done);
    if (result == 0)
        memmove(walk->todo, rest, strlen(rest) + 1);
    return result;
}

/* Takes the last component of done away; at the root ".." stays there, as in the kernel. */
static void walk_up(struct walk *walk)
{
    char parent[IMAGE_PATH_MAX];
    if (walk->done[0] == '\0')
        return;
    path_split(walk->done, parent);
    memcpy(walk->done, parent, strlen(parent) + 1);
}

static int open_dir_making(struct rootfs *root, const char *path)
{
    struct walk walk = {.root = root};
    snprintf(walk.todo, sizeof(walk.todo), "%s", path);
    for (;;) {
        char name[IMAGE_NAME_BYTES + 1];
        size_t skip = strspn(walk.todo, "/");
        size_t length = strcspn(walk.todo + skip, "/");
        if (length == 0)
            return open_in_root(root->fd, walk.done, O_RDONLY | O_DIRECTORY, 0);
        if (length >= sizeof(name))
            return -ENAMETOOLONG;
        memcpy(name, walk.todo + skip, length);
        name[length] = '\0';
        const char *rest = walk.todo + skip + length;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            if (name[1] == '.')
                walk_up(&walk);
            memmove(walk.todo, rest, strlen(rest) + 1);
            continue;
        }
        int result = walk_step(&walk, name, rest);
        if (result < 0)
            return result;
    }
}

int rootfs_open_dir(struct rootfs *root, const char *path)
{
    int fd = open_in_root(root->fd, path, O_RDONLY | O_DIRECTORY, 0);
    return fd == -ENOENT ? open_dir_making(root, path) : fd;
}

int rootfs_clear(struct rootfs *root, int parent, const char *name)
{
    (void)root;
    return tree_remove(parent, name);
}

static int prune_below(struct rootfs *root, int dir, unsigned int depth);

static int prune(struct rootfs *root, int parent, const char *name, unsigned int depth)
{
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    bool ours = inode_set_has(&root->layer, status.st_ino);
    if (S_ISDIR(status.st_mode)) {
        if (depth >= IMAGE_DEPTH_MAX)
            return -ELOOP;
        fd_owner dir = tree_open_dir(parent, name);
        int result = dir < 0 ? dir : prune_below(root, dir, depth + 1);
        if (result < 0)
            return result;
        /* it stays when something of this layer is left in it */
        if (!ours && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY &&
            errno != EEXIST)
            return -errno;
        return 0;
    }
    return !ours && unlinkat(parent, name, 0) < 0 ? -errno : 0;
}

static int prune_below(struct rootfs *root, int dir, unsigned int depth)
{
    fd_owner own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = own < 0 ? NULL : fdopendir(own);
    if (stream == NULL)
        return -errno;
    fd_steal(&own);
    int result = 0;
    const struct dirent *entry;
    while (result == 0 && (entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = prune(root, dir, entry->d_name, depth);
    }
    closedir(stream);
    return result;
}

int rootfs_prune(struct rootfs *root, int parent, const char *name)
{
    return prune(root, parent, name, 0);
}

int rootfs_prune_dir(struct rootfs *root, int dir)
{
    return prune_below(root, dir, 0);
}

static uid_t id_of(int64_t id)
{
    return id < 0 || id > ID_MAX ? NOBODY : (uid_t)id;
}

int rootfs_dress(struct rootfs *root, int parent, const char *name,
                 const struct rootfs_attributes *attributes)
{
    struct stat status;
    struct timespec times[2] = {attributes->mtime, attributes->mtime};
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (root->keep_owner && fchownat(parent, name, id_of(attributes->uid), id_of(attributes->gid),
                                     AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISLNK(status.st_mode)) {
        mode_t mode = attributes->mode & (S_ISDIR(status.st_mode) ? 01777 : 0777);
        if (!root->keep_owner)
            mode |= S_ISDIR(status.st_mode) ? OWN_DIR_BITS : OWN_FILE_BITS;
        /* not a link, as was just seen, and nobody else writes here: nothing to follow */
        if (fchmodat(parent, name, mode, 0) < 0)
            return -errno;
    }
    if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return inode_set_add(&root->layer, status.st_ino);
}
