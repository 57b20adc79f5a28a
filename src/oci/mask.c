/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A masked file is covered by the null device: the very inode that the runtime opened and checked
 * on the host, not whatever the container has at /dev/null (CVE-2025-31133). A masked directory is
 * covered by an empty read-only tmpfs, one for all of them. Runs before the root is entered: the
 * host's /dev is in this mount namespace until then.
 */
#include "oci/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/device.h"
#include "oci/in_root.h"
#include "oci/mount.h"
#include "oci/sys.h"

/* A detached copy of a mount; O_PATH descriptors will do. */
static int copy_mount(int fd)
{
    return sys_open_tree(fd, "", OPEN_TREE_CLONE | SYS_AT_EMPTY_PATH);
}

static int make_empty(struct err *err)
{
    char size[] = "size=4096", inodes[] = "nr_inodes=2", mode[] = "mode=755";
    char *options[] = {size, inodes, mode, NULL};
    struct oci_mount mount = {.destination = "maskedPaths",
                              .source = "tmpfs",
                              .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                          MOUNT_ATTR_NOEXEC,
                              .data = {.count = 3, .items = options}};
    return oci_mount_new("tmpfs", &mount, err);
}

struct covers {
    int null;  /* O_PATH of the host's, in this mount namespace */
    int empty; /* the tmpfs once it is attached: only then it can be copied everywhere */
};

static int mask_one(const struct oci_container *container, const char *path, struct covers *covers,
                    struct err *err)
{
    struct stat status;
    fd_owner target = in_root_open(container->root, path, O_PATH);
    if (target == -ENOENT || target == -ENOTDIR || target == -EACCES)
        return 0;
    if (target < 0 || fstat(target, &status) < 0)
        return err_set(err, target < 0 ? -target : errno, "mask %s:", path);
    if (S_ISDIR(status.st_mode) && covers->empty < 0) {
        covers->empty = make_empty(err);
        if (covers->empty < 0)
            return covers->empty;
        int result = sys_move_tree(covers->empty, target);
        return result < 0 ? err_set(err, -result, "mask %s:", path) : 0;
    }
    fd_owner cover = copy_mount(S_ISDIR(status.st_mode) ? covers->empty : covers->null);
    int result = cover < 0 ? cover : sys_move_tree(cover, target);
    return result < 0 ? err_set(err, -result, "mask %s:", path) : 0;
}

static int protect_one(int root, const char *path, struct err *err)
{
    fd_owner target = in_root_open(root, path, O_PATH);
    if (target == -ENOENT || target == -ENOTDIR || target == -EACCES)
        return 0;
    fd_owner tree =
        target < 0
            ? target
            : sys_open_tree(target, "", OPEN_TREE_CLONE | SYS_AT_EMPTY_PATH | SYS_AT_RECURSIVE);
    int result = tree < 0
                     ? tree
                     : sys_mount_setattr(tree, "", SYS_AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0, -1);
    if (result == 0)
        result = sys_move_tree(tree, target);
    return result < 0 ? err_set(err, -result, "make %s read-only:", path) : 0;
}

int oci_mask_paths(const struct oci_container *container, struct err *err)
{
    const struct oci_linux *config = &container->spec.linux_;
    int result = 0;
    for (size_t i = 0; result == 0 && i < config->readonly_paths.count; i++)
        result = protect_one(container->root, config->readonly_paths.items[i], err);
    if (result < 0 || config->masked_paths.count == 0)
        return result;
    struct covers covers = {.null = oci_device_open_null(err), .empty = -1};
    result = covers.null < 0 ? covers.null : 0;
    for (size_t i = 0; result == 0 && i < config->masked_paths.count; i++)
        result = mask_one(container, config->masked_paths.items[i], &covers, err);
    fd_close(&covers.null);
    fd_close(&covers.empty);
    return result;
}
