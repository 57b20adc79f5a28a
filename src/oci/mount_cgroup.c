/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container sees of its cgroups. In a cgroup namespace of its own it gets a new mount of
 * each hierarchy, whose root is then its own group; without one, a bind of its group alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/in_root.h"
#include "oci/mount.h"
#include "oci/sys.h"

/* The group's directory as a detached bind, or a new mount in the own cgroup namespace. */
static int open_tree_of(const struct oci_container *container, const struct oci_cgroup_tree *tree,
                        const struct oci_mount *mount, struct err *err)
{
    char path[sizeof(tree->mount) + sizeof(tree->path)];
    if (oci_namespace_new(&container->spec, OCI_NS_CGROUP)) {
        struct oci_mount fresh = {.destination = mount->destination,
                                  .source = "cgroup",
                                  .attr_set = mount->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY};
        char *options[] = {(char *)(uintptr_t)tree->controllers, NULL};
        if (!tree->v2)
            fresh.data = (struct oci_strings){.count = 1, .items = options};
        int made = oci_mount_new(tree->v2 ? "cgroup2" : "cgroup", &fresh, err);
        if (made >= 0 && mount->attr_set & MOUNT_ATTR_RDONLY)
            sys_mount_setattr(made, "", 0, MOUNT_ATTR_RDONLY, 0, 0, -1);
        if (made >= 0)
            return made;
    }
    snprintf(path, sizeof(path), "%s%s", tree->mount, tree->path);
    fd_owner bind = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);
    int result = bind < 0 ? bind
                          : sys_mount_setattr(bind, "", 0, mount->attr_set, mount->attr_clear,
                                              oci_mount_propagation(&container->spec), -1);
    if (result < 0)
        return err_set(err, -result, "mount %s: bind the cgroup %s:", mount->destination, path);
    return fd_steal(&bind);
}

static int place(int dir, const char *name, int tree, const struct oci_mount *mount,
                 struct err *err)
{
    if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return err_set(err, errno, "mount %s: make %s:", mount->destination, name);
    fd_owner target = in_root_open_plain(dir, name, O_PATH | O_DIRECTORY);
    int result = target < 0 ? target : sys_move_tree(tree, target);
    return result < 0 ? err_set(err, -result, "mount %s/%s:", mount->destination, name) : 0;
}

/* "cpu,cpuacct" are one mount; each name leads there. */
static int link_names(int dir, const char *name, const char *directory,
                      const struct oci_mount *mount, struct err *err)
{
    char one[96];
    if (strchr(name, ',') == NULL || strcmp(name, directory) != 0)
        return 0;
    for (const char *at = name; *at != '\0';) {
        size_t length = strcspn(at, ",");
        memcpy(one, at, length);
        one[length] = '\0';
        if (symlinkat(directory, dir, one) < 0 && errno != EEXIST)
            return err_set(err, errno, "mount %s: link %s:", mount->destination, one);
        at += length + (at[length] == ',');
    }
    return 0;
}

/* A tmpfs with a directory for each hierarchy. */
static int mount_trees(struct oci_container *container, const struct oci_mount *mount, int target,
                       struct err *err)
{
    char *options[] = {(char *)(uintptr_t) "mode=755", NULL};
    struct oci_mount holder = {.destination = mount->destination,
                               .source = "tmpfs",
                               .attr_set = mount->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY,
                               .data = {.count = 1, .items = options}};
    const struct oci_cgroup *cgroup = &container->state.cgroup;
    fd_owner tmpfs = oci_mount_new("tmpfs", &holder, err);
    int result = tmpfs < 0 ? tmpfs : sys_move_tree(tmpfs, target);
    if (result < 0)
        return tmpfs < 0 ? result : err_set(err, -result, "mount %s:", mount->destination);
    for (unsigned int i = 0; result == 0 && i < cgroup->count; i++) {
        const struct oci_cgroup_tree *tree = &cgroup->trees[i];
        fd_owner mounted = open_tree_of(container, tree, mount, err);
        if (mounted < 0)
            return mounted;
        const char *name = tree->v2 ? "unified" : strrchr(tree->mount, '/') + 1;
        result = place(tmpfs, name, mounted, mount, err);
        if (result == 0 && !tree->v2)
            result = link_names(tmpfs, tree->controllers, name, mount, err);
    }
    if (result == 0 && mount->attr_set & MOUNT_ATTR_RDONLY)
        result = sys_mount_setattr(tmpfs, "", 0, MOUNT_ATTR_RDONLY, 0, 0, -1);
    return result;
}

int oci_mount_cgroup(struct oci_container *container, const struct oci_mount *mount,
                     struct err *err)
{
    const struct oci_cgroup *cgroup = &container->state.cgroup;
    fd_owner target = in_root_make(container->root, mount->destination, true, true);
    if (target < 0)
        return err_set(err, -target, "mount %s (%s):", mount->destination, mount->type);
    if (cgroup->count != 1 || !cgroup->trees[0].v2)
        return mount_trees(container, mount, target, err);
    fd_owner tree = open_tree_of(container, &cgroup->trees[0], mount, err);
    if (tree < 0)
        return tree;
    int result = sys_move_tree(tree, target);
    return result < 0 ? err_set(err, -result, "mount %s:", mount->destination) : 0;
}
