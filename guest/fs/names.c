// SPDX-License-Identifier: Apache-2.0
/* System calls that make, move and remove names. */
#include "../kernel/call.h"
#include "../kernel/process.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "device.h"
#include "open.h"

/* Where a new name may be made: 0, or why not. */
static int may_add(const struct path *path, bool directory)
{
    if (path->found)
        return -EEXIST;
    if (path->slash && !directory)
        return -ENOENT;
    if (path->dir->deleted)
        return -ENOENT;
    if (path->dir->inode->ops || path->dir->inode->dev == DEV_PROC)
        return -ENOENT;
    return open_may(path->dir->inode, 3) ? 0 : -EACCES;
}

/* Whether this entry may be taken away. */
static int may_remove(const struct path *path)
{
    if (path->dir->inode->ops)
        return -EPERM;
    const struct inode *dir = path->dir->inode;
    if (!open_may(dir, 3))
        return -EACCES;
    if (dir->mode & 01000 && process.uid && dir->uid != process.uid &&
        path->found->inode->uid != process.uid)
        return -EPERM;
    return 0;
}

static long make(int dirfd, uint64_t text, uint32_t mode, uint64_t rdev, char *target)
{
    struct path path;
    int rc = path_at(dirfd, text, PATH_PARENT, false, &path);
    if (rc == 0) {
        rc = may_add(&path, S_IS(mode, S_IFDIR));
        struct inode *inode = rc == 0 ? inode_new(mode, path.dir->inode->dev) : NULL;
        if (inode && (rc = inode_count(inode)) < 0) {
            inode_put(inode);
        } else if (inode) {
            inode->rdev = rdev;
            inode->target = target;
            inode->size = target ? strlen(target) : 0;
            target = NULL;
            inode->nlink = S_IS(mode, S_IFDIR) ? 2 : 1;
            rc = tree_add(path.dir, path.name, path.name_len, inode, NULL);
            if (rc == 0 && S_IS(mode, S_IFDIR))
                path.dir->inode->nlink++;
            inode_put(inode);
        } else if (rc == 0) {
            rc = -ENOMEM;
        }
        path_done(&path);
    }
    heap_free(target);
    return rc;
}

long sys_mkdirat(const uint64_t a[6])
{
    return make((int)a[0], a[1], S_IFDIR | ((uint32_t)a[2] & 01777 & ~process.umask), 0, NULL);
}

long sys_mkdir(const uint64_t a[6])
{
    const uint64_t b[6] = {(uint64_t)AT_FDCWD, a[0], a[1]};
    return sys_mkdirat(b);
}

long sys_mknodat(const uint64_t a[6])
{
    uint32_t mode = (uint32_t)a[2];
    if (!(mode & S_IFMT))
        mode |= S_IFREG;
    if (S_IS(mode, S_IFCHR) || S_IS(mode, S_IFBLK))
        return -EPERM;
    if (!S_IS(mode, S_IFREG) && !S_IS(mode, S_IFIFO) && !S_IS(mode, S_IFSOCK))
        return S_IS(mode, S_IFDIR) ? -EPERM : -EINVAL;
    return make((int)a[0], a[1], (mode & S_IFMT) | (mode & 07777 & ~process.umask), 0, NULL);
}

long sys_mknod(const uint64_t a[6])
{
    const uint64_t b[6] = {(uint64_t)AT_FDCWD, a[0], a[1], a[2]};
    return sys_mknodat(b);
}

long sys_symlinkat(const uint64_t a[6])
{
    char *target = heap_alloc(PATH_BYTES);
    if (!target)
        return -ENOMEM;
    long len = user_string(target, a[0], PATH_BYTES);
    char *copy = len > 0 ? heap_string(target, (size_t)len) : NULL;
    heap_free(target);
    if (len <= 0)
        return len ? len : -ENOENT;
    return copy ? make((int)a[1], a[2], S_IFLNK | 0777, 0, copy) : -ENOMEM;
}

long sys_symlink(const uint64_t a[6])
{
    const uint64_t b[6] = {a[0], (uint64_t)AT_FDCWD, a[1]};
    return sys_symlinkat(b);
}

long sys_linkat(const uint64_t a[6])
{
    struct path from, to;
    unsigned flags = (unsigned)a[4];
    if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int rc = path_at((int)a[0], a[1], flags & AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0,
                     flags & AT_EMPTY_PATH, &from);
    if (rc < 0)
        return rc;
    rc = path_at((int)a[2], a[3], PATH_PARENT, false, &to);
    if (rc == 0) {
        rc = may_add(&to, false);
        struct inode *inode = from.found->inode;
        if (rc == 0 && S_IS(inode->mode, S_IFDIR))
            rc = -EPERM;
        if (rc == 0 && inode->dev != to.dir->inode->dev)
            rc = -EXDEV;
        if (rc == 0 && (rc = inode_count(inode)) == 0) {
            rc = tree_add(to.dir, to.name, to.name_len, inode, NULL);
            if (rc < 0)
                inode_uncount(inode);
        }
        if (rc == 0) {
            inode->nlink++;
            inode->ctime = instant_now();
        }
        path_done(&to);
    }
    path_done(&from);
    return rc;
}

long sys_link(const uint64_t a[6])
{
    const uint64_t b[6] = {(uint64_t)AT_FDCWD, a[0], (uint64_t)AT_FDCWD, a[1], 0};
    return sys_linkat(b);
}

static int remove_name(struct path *path, bool directory)
{
    if (!path->found)
        return -ENOENT;
    struct inode *inode = path->found->inode;
    bool is_dir = S_IS(inode->mode, S_IFDIR);
    int rc = may_remove(path);
    if (rc < 0)
        return rc;
    if (directory && !is_dir)
        return -ENOTDIR;
    if (!directory && is_dir)
        return -EISDIR;
    if (!directory && path->slash)
        return -ENOTDIR;
    if (directory && (inode->ops || path->found == tree_root()))
        return -EBUSY;
    if (directory && !tree_is_empty(path->found))
        return -ENOTEMPTY;
    rc = tree_remove(path->found);
    if (rc < 0)
        return rc;
    if (directory) {
        path->dir->inode->nlink--;
        inode->nlink = 0;
    } else {
        inode->nlink--;
        if (inode->nlink)
            inode_uncount(inode);
    }
    inode->ctime = instant_now();
    return 0;
}

static long unlink_at(int dirfd, uint64_t text, bool directory)
{
    struct path path;
    int rc = path_at(dirfd, text, PATH_PARENT, false, &path);
    if (rc < 0)
        return rc;
    if (path.dots && directory)
        rc = path.found == tree_root() && !path.name_len ? -EBUSY
             : path.name_len == 2                        ? -ENOTEMPTY
                                                         : -EINVAL;
    else
        rc = path.dots ? -EISDIR : remove_name(&path, directory);
    path_done(&path);
    return rc;
}

long sys_unlink(const uint64_t a[6])
{
    return unlink_at(AT_FDCWD, a[0], false);
}

long sys_rmdir(const uint64_t a[6])
{
    return unlink_at(AT_FDCWD, a[0], true);
}

long sys_unlinkat(const uint64_t a[6])
{
    if (a[2] & ~(uint64_t)AT_REMOVEDIR)
        return -EINVAL;
    return unlink_at((int)a[0], a[1], a[2] & AT_REMOVEDIR);
}

static bool is_below(const struct dentry *what, const struct dentry *dir)
{
    for (;; what = what->parent) {
        if (what == dir)
            return true;
        if (what == what->parent)
            return false;
    }
}

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u

static int rename_checked(struct path *from, struct path *to)
{
    struct inode *inode = from->found->inode;
    bool is_dir = S_IS(inode->mode, S_IFDIR);
    if (to->found) {
        if (to->found->inode == inode)
            return 0;
        bool over_dir = S_IS(to->found->inode->mode, S_IFDIR);
        if (is_dir != over_dir)
            return is_dir ? -ENOTDIR : -EISDIR;
        if (over_dir && !tree_is_empty(to->found))
            return -ENOTEMPTY;
        int rc = remove_name(to, over_dir);
        if (rc < 0)
            return rc;
    }
    struct dentry *old = from->found->parent;
    int rc = tree_move(from->found, to->dir, to->name, to->name_len);
    if (rc == 0 && is_dir) {
        old->inode->nlink--;
        to->dir->inode->nlink++;
    }
    inode->ctime = instant_now();
    return rc;
}

/* Two entries change places: each gets the other's inode. Entries of directories keep their
 * children. */
static int exchange(struct path *from, struct path *to)
{
    if (!to->found)
        return -ENOENT;
    if (is_below(to->dir, from->found) || is_below(from->dir, to->found))
        return -EINVAL;
    char *name = heap_string(to->found->name, strlen(to->found->name));
    struct dentry *dir = to->found->parent;
    if (!name)
        return -ENOMEM;
    dentry_get(dir);
    int rc = tree_move(to->found, from->dir, from->name, from->name_len);
    if (rc == 0)
        rc = tree_move(from->found, dir, name, strlen(name));
    dentry_put(dir);
    heap_free(name);
    return rc;
}

static long rename_at(int fromfd, uint64_t from_text, int tofd, uint64_t to_text, unsigned flags)
{
    struct path from, to;
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int rc = path_at(fromfd, from_text, PATH_PARENT, false, &from);
    if (rc < 0)
        return rc;
    rc = path_at(tofd, to_text, PATH_PARENT, false, &to);
    if (rc < 0) {
        path_done(&from);
        return rc;
    }
    if (from.dots || to.dots)
        rc = -EBUSY;
    else if (!from.found)
        rc = -ENOENT;
    else if (flags & RENAME_NOREPLACE && to.found)
        rc = -EEXIST;
    else if (from.dir->inode->dev != to.dir->inode->dev)
        rc = -EXDEV;
    else if (!S_IS(from.found->inode->mode, S_IFDIR) && (from.slash || to.slash))
        rc = -ENOTDIR;
    else if (is_below(to.dir, from.found))
        rc = -EINVAL;
    else if (to.found && is_below(from.dir, to.found) && !(flags & RENAME_EXCHANGE))
        rc = -ENOTEMPTY;
    else if (to.dir->inode->ops || !open_may(to.dir->inode, 3))
        rc = -EACCES;
    else
        rc = may_remove(&from);
    if (rc == 0)
        rc = flags & RENAME_EXCHANGE ? exchange(&from, &to) : rename_checked(&from, &to);
    path_done(&from);
    path_done(&to);
    return rc;
}

long sys_rename(const uint64_t a[6])
{
    return rename_at(AT_FDCWD, a[0], AT_FDCWD, a[1], 0);
}

long sys_renameat(const uint64_t a[6])
{
    return rename_at((int)a[0], a[1], (int)a[2], a[3], 0);
}

long sys_renameat2(const uint64_t a[6])
{
    return rename_at((int)a[0], a[1], (int)a[2], a[3], (unsigned)a[4]);
}
