/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's root. It is a detached copy of the mount that the runtime opened, put on top of
 * "/" of the new mount namespace: no path leads to it, so none has to be reachable for (or is
 * trusted to) the container's user. Everything below it is made while the host's tree is still
 * there; then pivot_root exchanges the two and the host's goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/device.h"
#include "oci/in_root.h"
#include "oci/init.h"
#include "oci/mask.h"
#include "oci/mount.h"
#include "oci/sys.h"

/* Rootless the runtime cannot copy mounts, but here we are root of a user namespace. */
static int open_root_late(struct oci_container *container, struct err *err)
{
    /* descriptors of the runtime are of its mount namespace, whose mounts we may not copy */
    if (chdir(container->state.bundle) < 0)
        return err_set(err, errno, "enter the bundle %s:", container->state.bundle);
    fd_close(&container->bundle);
    container->bundle = AT_FDCWD;
    container->root = sys_open_tree(AT_FDCWD, container->spec.root.path,
                                    OPEN_TREE_CLONE | SYS_AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
    if (container->root < 0)
        return err_set(err, -container->root, "root.path: open %s:", container->spec.root.path);
    return 0;
}

static int attach_root(struct oci_container *container, struct err *err)
{
    uint64_t propagation = oci_mount_propagation(&container->spec);
    int result = sys_mount_setattr(AT_FDCWD, "/", SYS_AT_RECURSIVE, 0, 0, propagation, -1);
    /* a mount may not be put on, nor pivot_root change, one that is shared */
    if (result == 0 && propagation == MS_SHARED)
        result = sys_mount_setattr(AT_FDCWD, "/", 0, 0, 0, MS_PRIVATE, -1);
    if (result < 0)
        return err_set(err, -result, "set the propagation of the host's mounts:");
    if (container->root < 0) {
        result = open_root_late(container, err);
        if (result < 0)
            return result;
    }
    if (propagation != MS_SHARED)
        sys_mount_setattr(container->root, "", SYS_AT_RECURSIVE, 0, 0, propagation, -1);
    result = sys_move_mount(container->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
    return result < 0 ? err_set(err, -result, "mount the root file system:") : 0;
}

/* Clients expect the working directory to be made. */
static int make_cwd(const struct oci_container *container, struct err *err)
{
    fd_owner cwd = in_root_make(container->root, container->spec.process->cwd, true, false);
    /* what is no directory or loops is told when it is entered */
    if (cwd == -EROFS || cwd == -EACCES || cwd == -ENOTDIR || cwd == -ELOOP || cwd >= 0)
        return 0;
    return err_set(err, -cwd, "process.cwd: make %s:", container->spec.process->cwd);
}

int oci_rootfs_build(struct oci_container *container, struct err *err)
{
    int result = container->state.shared_mounts ? 0 : attach_root(container, err);
    if (result == 0)
        result = oci_mount_all(container, err);
    if (result == 0)
        result = oci_device_make_all(container, err);
    if (result == 0)
        result = make_cwd(container, err);
    return result;
}

/* --no-pivot, for a host whose root is a ramdisk, which pivot_root cannot change: the container's
 * root is on top of "/" already. And without a mount namespace of the container's own. What can
 * leave a chroot is not confined by it. */
static int change_root(struct err *err)
{
    if (chroot(".") < 0 || chdir("/") < 0)
        return err_set(err, errno, "change to the root of the container:");
    return 0;
}

static int pivot(struct oci_container *container, struct err *err)
{
    if (fchdir(container->root) < 0)
        return err_set(err, errno, "enter the root of the container:");
    if (container->set->no_pivot || container->state.shared_mounts)
        return change_root(err);
    if (raw2(SYS_pivot_root, ".", ".") < 0)
        return err_set(err, errno, "pivot_root into the root of the container:");
    /* what is below "." now is the host's tree: unmounting it must not reach the host's peers */
    int result = 0;
    if (oci_mount_propagation(&container->spec) == MS_SHARED)
        result = sys_mount_setattr(AT_FDCWD, ".", SYS_AT_RECURSIVE, 0, 0, MS_SLAVE, -1);
    if (result < 0 || umount2(".", MNT_DETACH) < 0)
        return err_set(err, result < 0 ? -result : errno, "drop the host's mounts:");
    if (chdir("/") < 0)
        return err_set(err, errno, "enter the root of the container:");
    return 0;
}

int oci_rootfs_enter(struct oci_container *container, struct err *err)
{
    const struct oci_spec *spec = &container->spec;
    unsigned long propagation = spec->linux_.rootfs_propagation;
    int result = oci_mask_paths(container, err);
    if (result < 0)
        return result;
    if (spec->root.readonly)
        result = sys_mount_setattr(container->root, "", 0, MOUNT_ATTR_RDONLY, 0, 0, -1);
    if (result < 0)
        return err_set(err, -result, "root.readonly:");
    result = pivot(container, err);
    if (result < 0 || propagation == 0)
        return result;
    result = sys_mount_setattr(AT_FDCWD, "/", propagation & MS_REC ? SYS_AT_RECURSIVE : 0, 0, 0,
                               propagation & ~(unsigned long)MS_REC, -1);
    return result < 0 ? err_set(err, -result, "linux.rootfsPropagation:") : 0;
}

/* What is no mount (any more) is left alone: the kernel says EINVAL. */
static int drop_mount(int root, const char *destination, struct err *err)
{
    char path[40];
    struct stat at, top;
    fd_owner target = in_root_open(root, destination, O_PATH);
    if (target < 0 || fstat(target, &at) < 0 || fstat(root, &top) < 0)
        return 0;
    if (at.st_dev == top.st_dev && at.st_ino == top.st_ino)
        return 0; /* the root's own mount is the caller's */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
    if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL)
        return err_set(err, errno, "unmount %s:", destination);
    return 0;
}

int oci_rootfs_unmount(const struct oci_spec *spec, const char *rootfs, struct err *err)
{
    int result = 0;
    fd_owner root = open(rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return 0;
    if (spec->process != NULL && spec->process->terminal)
        result = drop_mount(root, "/dev/console", err);
    for (size_t i = spec->mount_count; result == 0 && i > 0; i--)
        result = drop_mount(root, spec->mounts[i - 1].destination, err);
    return result;
}
