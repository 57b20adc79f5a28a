/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a struct oci_mount to a mount. Every mount is made detached (open_tree of a bind's source,
 * fsmount of a new file system), gets all its attributes while nobody sees it, and is then moved
 * onto a target that was opened below the root by openat2. No path is used twice, so nothing can be
 * exchanged in between (CVE-2021-30465), and a failure leaves nothing behind.
 */
#include "oci/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/in_root.h"
#include "oci/mount_copy.h"
#include "oci/sys.h"
#include "oci/userns.h"

/* classic flags that O2's table stores as the kernel has them */
#define CLASSIC_RDONLY    1ul
#define CLASSIC_SYNC      16ul
#define CLASSIC_MANDLOCK  64ul
#define CLASSIC_DIRSYNC   128ul
#define CLASSIC_REC       16384ul
#define CLASSIC_SLAVE     (1ul << 19)
#define CLASSIC_SHARED    (1ul << 20)
#define CLASSIC_I_VERSION (1ul << 23)
#define CLASSIC_LAZYTIME  (1ul << 25)

uint64_t oci_mount_propagation(const struct oci_spec *spec)
{
    unsigned long asked = spec->linux_.rootfs_propagation;
    return asked != 0 ? asked & ~CLASSIC_REC : CLASSIC_SLAVE;
}

/* --- sources --- */

/* What binds share with the host: as rootfsPropagation says; it is shared only if both ask. */
static int detach_from_host(const struct oci_container *container, const struct oci_mount *mount,
                            int tree)
{
    uint64_t base = oci_mount_propagation(&container->spec);
    if (base == CLASSIC_SHARED && (mount->propagation & CLASSIC_SHARED) != 0)
        return 0;
    if (base == CLASSIC_SHARED)
        base = CLASSIC_SLAVE;
    return sys_mount_setattr(tree, "", SYS_AT_RECURSIVE, 0, 0, base, -1);
}

static int map_ids(const struct oci_mount *mount, int tree, struct err *err)
{
    if ((mount->flags & (OCI_MOUNT_IDMAP | OCI_MOUNT_RIDMAP)) == 0)
        return 0;
    fd_owner userns = oci_userns_with(&mount->uid_maps, &mount->gid_maps, err);
    if (userns < 0)
        return err_prefix(err, "mount %s: idmap", mount->destination);
    int result = sys_mount_setattr(tree, "", mount->flags & OCI_MOUNT_RIDMAP ? SYS_AT_RECURSIVE : 0,
                                   MOUNT_ATTR_IDMAP, 0, 0, userns);
    if (result < 0)
        return err_set(err, -result,
                       "mount %s: map the ids of %s (its file system must support it):",
                       mount->destination, mount->source);
    return 0;
}

static int open_source(const struct oci_container *container, const struct oci_mount *mount,
                       struct err *err)
{
    unsigned int recursive = mount->flags & OCI_MOUNT_RBIND ? SYS_AT_RECURSIVE : 0;
    if (mount->source == NULL)
        return err_set(err, EINVAL, "mount %s: a bind needs a source", mount->destination);
    fd_owner tree = sys_open_tree(container->bundle, mount->source, OPEN_TREE_CLONE | recursive);
    if (tree < 0)
        return err_set(err, -tree, "mount %s: open its source %s:", mount->destination,
                       mount->source);
    int result = detach_from_host(container, mount, tree);
    if (result < 0)
        return err_set(err, -result, "mount %s: set its propagation:", mount->destination);
    result = map_ids(mount, tree, err);
    return result < 0 ? result : fd_steal(&tree);
}

static bool is_bind(const struct oci_mount *mount)
{
    return (mount->flags & (OCI_MOUNT_BIND | OCI_MOUNT_RBIND)) != 0;
}

int oci_mount_open_source(const struct oci_container *container, const struct oci_mount *mount,
                          int *out, struct err *err)
{
    *out = -1;
    if (!is_bind(mount) || (mount->flags & OCI_MOUNT_REMOUNT) != 0)
        return 0;
    int tree = open_source(container, mount, err);
    if (tree == -EPERM && container->rootless)
        return 0;
    if (tree < 0)
        return tree;
    *out = tree;
    return 0;
}

/* --- new file systems --- */

static int configure(int fs, const struct oci_mount *mount)
{
    static const struct {
        unsigned long flag;
        const char *name;
    } flags[] = {{CLASSIC_RDONLY, "ro"},         {CLASSIC_SYNC, "sync"},
                 {CLASSIC_DIRSYNC, "dirsync"},   {CLASSIC_MANDLOCK, "mand"},
                 {CLASSIC_LAZYTIME, "lazytime"}, {CLASSIC_I_VERSION, "iversion"}};
    int result = 0;
    if (mount->source != NULL && mount->source[0] != '\0')
        result = sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", mount->source, 0);
    for (size_t i = 0; result >= 0 && i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (mount->sb_flags & flags[i].flag)
            result = sys_fsconfig(fs, FSCONFIG_SET_FLAG, flags[i].name, NULL, 0);
        /* mount(2) takes this one for every file system, and most do nothing with it */
        if (result == -EINVAL && flags[i].flag == CLASSIC_I_VERSION)
            result = 0;
    }
    for (size_t i = 0; result >= 0 && i < mount->data.count; i++) {
        char key[256];
        const char *option = mount->data.items[i];
        size_t length = strcspn(option, "=");
        if (length >= sizeof(key))
            return -ENAMETOOLONG;
        memcpy(key, option, length);
        key[length] = '\0';
        result = option[length] == '='
                     ? sys_fsconfig(fs, FSCONFIG_SET_STRING, key, option + length + 1, 0)
                     : sys_fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
    }
    return result;
}

/* The kernel's own words about what was wrong, e.g. "tmpfs: Unknown parameter 'x'". */
static void add_reason(int fs, struct err *err)
{
    char text[200];
    ssize_t length = read(fs, text, sizeof(text) - 1);
    if (length <= 2 || err == NULL)
        return;
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, " (%s)", text + 2);
}

int oci_mount_new(const char *type, const struct oci_mount *mount, struct err *err)
{
    fd_owner fs = sys_fsopen(type);
    if (fs < 0)
        return err_set(err, -fs, "mount %s: file system type %s:", mount->destination, type);
    int result = configure(fs, mount);
    if (result >= 0)
        result = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (result < 0) {
        err_set(err, -result, "mount %s: make a file system of type %s:", mount->destination, type);
        add_reason(fs, err);
        return result;
    }
    result = sys_fsmount(fs, mount->attr_set);
    if (result < 0)
        err_set(err, -result, "mount %s (%s):", mount->destination, type);
    return result;
}

/* --- attributes and targets --- */

static int set_attributes(const struct oci_mount *mount, int tree, bool fresh, struct err *err)
{
    int result = 0;
    if (!fresh && (mount->attr_set | mount->attr_clear) != 0)
        result = sys_mount_setattr(tree, "", 0, mount->attr_set, mount->attr_clear, 0, -1);
    if (result == 0 && (mount->rec_attr_set | mount->rec_attr_clear) != 0)
        result = sys_mount_setattr(tree, "", SYS_AT_RECURSIVE, mount->rec_attr_set,
                                   mount->rec_attr_clear, 0, -1);
    return result < 0 ? err_set(err, -result, "mount %s: set its attributes:", mount->destination)
                      : 0;
}

/* After the move: a detached mount has no peers to speak of. */
static int set_propagation(const struct oci_mount *mount, int tree, struct err *err)
{
    if (mount->propagation == 0)
        return 0;
    int result =
        sys_mount_setattr(tree, "", mount->propagation & CLASSIC_REC ? SYS_AT_RECURSIVE : 0, 0, 0,
                          mount->propagation & ~CLASSIC_REC, -1);
    return result < 0 ? err_set(err, -result, "mount %s: set its propagation:", mount->destination)
                      : 0;
}

/* /proc and /sys must be what they say: the container's own security is written there. */
static bool must_be_plain(const struct oci_mount *mount)
{
    return mount->type != NULL &&
           (strcmp(mount->type, "proc") == 0 || strcmp(mount->type, "sysfs") == 0);
}

static int open_target(const struct oci_container *container, const struct oci_mount *mount,
                       bool directory, struct err *err)
{
    int target = in_root_make(container->root, mount->destination, directory, must_be_plain(mount));
    if (target == -ELOOP && must_be_plain(mount))
        return err_set(err, ELOOP,
                       "mount %s: a %s must be mounted on an ordinary directory, there is a "
                       "symbolic link in its path:",
                       mount->destination, mount->type);
    if (target < 0)
        return err_set(err, -target,
                       "mount %s: open or make it below the root file system:", mount->destination);
    return target;
}

static int attach(const struct oci_container *container, const struct oci_mount *mount, int tree,
                  struct err *err)
{
    struct stat status;
    if (fstat(tree, &status) < 0)
        return err_set(err, errno, "mount %s:", mount->destination);
    fd_owner target = open_target(container, mount, S_ISDIR(status.st_mode), err);
    if (target < 0)
        return target;
    if (mount->flags & OCI_MOUNT_TMPCOPYUP) {
        int copied = oci_mount_copy_up(target, tree, err);
        if (copied < 0)
            return err_prefix(err, "mount %s: tmpcopyup", mount->destination);
    }
    int result = sys_move_tree(tree, target);
    if (result < 0)
        return err_set(err, -result, "mount %s:", mount->destination);
    return set_propagation(mount, tree, err);
}

static int remount(const struct oci_container *container, const struct oci_mount *mount,
                   struct err *err)
{
    fd_owner target = in_root_open(container->root, mount->destination, O_PATH);
    if (target < 0)
        return err_set(err, -target, "remount %s:", mount->destination);
    int result = set_attributes(mount, target, false, err);
    return result == 0 ? set_propagation(mount, target, err) : result;
}

static int mount_one(struct oci_container *container, size_t index, struct err *err)
{
    const struct oci_mount *mount = &container->spec.mounts[index];
    if (mount->destination[strspn(mount->destination, "/.")] == '\0')
        return err_set(err, EINVAL, "mount %s: the root itself cannot be mounted on (see root)",
                       mount->destination);
    if (mount->flags & OCI_MOUNT_REMOUNT)
        return remount(container, mount, err);
    if (mount->type != NULL && !is_bind(mount) &&
        (strcmp(mount->type, "cgroup") == 0 || strcmp(mount->type, "cgroup2") == 0))
        return oci_mount_cgroup(container, mount, err);
    bool fresh = !is_bind(mount);
    fd_owner tree = -1;
    if (fresh && mount->type == NULL)
        return err_set(err, EINVAL, "mount %s: neither a type nor a bind", mount->destination);
    if (fresh) {
        tree = oci_mount_new(mount->type, mount, err);
    } else {
        tree = fd_steal(&container->sources[index]);
        if (tree < 0)
            tree = open_source(container, mount, err);
    }
    if (tree < 0)
        return tree;
    int result = set_attributes(mount, tree, fresh, err);
    return result == 0 ? attach(container, mount, tree, err) : result;
}

int oci_mount_all(struct oci_container *container, struct err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < container->spec.mount_count; i++)
        result = mount_one(container, i, err);
    return result;
}
