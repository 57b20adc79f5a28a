/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/device.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/in_root.h"
#include "oci/sys.h"

static const struct oci_device defaults[] = {
    {.path = "/dev/null", .type = 'c', .major = 1, .minor = 3},
    {.path = "/dev/zero", .type = 'c', .major = 1, .minor = 5},
    {.path = "/dev/full", .type = 'c', .major = 1, .minor = 7},
    {.path = "/dev/random", .type = 'c', .major = 1, .minor = 8},
    {.path = "/dev/urandom", .type = 'c', .major = 1, .minor = 9},
    {.path = "/dev/tty", .type = 'c', .major = 5, .minor = 0},
};

static mode_t type_of(const struct oci_device *device)
{
    return device->type == 'b' ? S_IFBLK : device->type == 'p' ? S_IFIFO : S_IFCHR;
}

static bool is_device(const struct stat *status, const struct oci_device *device)
{
    return (status->st_mode & S_IFMT) == type_of(device) &&
           (device->type == 'p' || status->st_rdev == makedev(device->major, device->minor));
}

int oci_device_open_null(struct err *err)
{
    struct stat status;
    fd_owner null = open("/dev/null", O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (null < 0 || fstat(null, &status) < 0)
        return err_set(err, errno, "open /dev/null:");
    if (!is_device(&status, &defaults[0]))
        return err_set(err, ENODEV, "the host's /dev/null is not the null device");
    return fd_steal(&null);
}

/* The host's node of the same path, bound. */
static int bind_device(int dir, const char *name, const struct oci_device *device, struct err *err)
{
    struct stat status;
    fd_owner tree = sys_open_tree(AT_FDCWD, device->path, OPEN_TREE_CLONE);
    if (tree < 0)
        return err_set(err, -tree, "device %s: open the host's:", device->path);
    if (fstat(tree, &status) < 0 || !is_device(&status, device))
        return err_set(err, ENODEV, "device %s: the host's is another (%c %u:%u is asked for)",
                       device->path, device->type, device->major, device->minor);
    fd_owner target = in_root_make(dir, name, false, true);
    int result = target < 0 ? target : sys_move_tree(tree, target);
    return result < 0 ? err_set(err, -result, "device %s: bind the host's:", device->path) : 0;
}

/* One that is there already is fine when it is the same: a root file system may be used again. */
static int check_existing(int dir, const char *name, const struct oci_device *device,
                          struct err *err)
{
    struct stat status;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "device %s:", device->path);
    if (!is_device(&status, device))
        return err_set(err, EEXIST,
                       "device %s: the image has something else there; mount a tmpfs on /dev",
                       device->path);
    return 0;
}

static int make_in(struct oci_container *container, int dir, const char *name,
                   const struct oci_device *device, struct err *err)
{
    bool mapped = container->spec.linux_.namespaces[OCI_NS_USER].listed;
    mode_t mode = device->file_mode.set ? (mode_t)device->file_mode.value & 07777 : 0666;
    uid_t uid = device->uid.set ? (uid_t)device->uid.value : 0;
    gid_t gid = device->gid.set ? (gid_t)device->gid.value : 0;
    if ((mapped || container->rootless) && device->type != 'p')
        return bind_device(dir, name, device, err);
    if (mknodat(dir, name, type_of(device) | mode, makedev(device->major, device->minor)) < 0) {
        if (errno == EEXIST)
            return check_existing(dir, name, device, err);
        if (errno == EPERM && device->type != 'p')
            return bind_device(dir, name, device, err);
        return err_set(err, errno, "make device %s:", device->path);
    }
    if ((uid != 0 || gid != 0) && fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "make device %s: give it to %u:%u:", device->path, (unsigned)uid,
                       (unsigned)gid);
    return 0;
}

static int make_device(struct oci_container *container, int dev, const struct oci_device *device,
                       struct err *err)
{
    const char *name = device->path + 5;
    if (strncmp(device->path, "/dev/", 5) == 0 && strchr(name, '/') == NULL && name[0] != '\0' &&
        strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        return make_in(container, dev, name, device, err);
    fd_owner dir = in_root_parent(container->root, device->path, &name);
    if (dir < 0)
        return err_set(err, -dir, "device %s: open its directory:", device->path);
    return make_in(container, dir, name, device, err);
}

static int make_links(int dev, struct err *err)
{
    static const char *const links[][2] = {
        {"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
        {"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"},      {"pts/ptmx", "ptmx"}};
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (symlinkat(links[i][0], dev, links[i][1]) < 0 && errno != EEXIST)
            return err_set(err, errno, "link /dev/%s:", links[i][1]);
    }
    return 0;
}

static bool listed(const struct oci_spec *spec, const char *path)
{
    for (size_t i = 0; i < spec->linux_.device_count; i++) {
        if (strcmp(spec->linux_.devices[i].path, path) == 0)
            return true;
    }
    return false;
}

static bool dev_is_bound(const struct oci_spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct oci_mount *mount = &spec->mounts[i];
        if ((mount->flags & (OCI_MOUNT_BIND | OCI_MOUNT_RBIND)) != 0 &&
            (strcmp(mount->destination, "/dev") == 0 || strcmp(mount->destination, "/dev/") == 0))
            return true;
    }
    return false;
}

int oci_device_make_all(struct oci_container *container, struct err *err)
{
    const struct oci_spec *spec = &container->spec;
    if (dev_is_bound(spec))
        return 0;
    fd_owner dev = in_root_make(container->root, "/dev", true, false);
    if (dev < 0)
        return err_set(err, -dev, "open /dev of the container:");
    int result = 0;
    for (size_t i = 0; result == 0 && i < spec->linux_.device_count; i++)
        result = make_device(container, dev, &spec->linux_.devices[i], err);
    for (size_t i = 0; result == 0 && i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (!listed(spec, defaults[i].path))
            result = make_device(container, dev, &defaults[i], err);
    }
    return result == 0 ? make_links(dev, err) : result;
}
