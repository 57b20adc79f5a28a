/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups are made from the top of a hierarchy down: a v1 cpuset takes nobody before it is filled
 * from its parent, and a v2 group has the controllers that its parent passes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/cgroup_mounts.h"
#include "oci/cgroup_tree.h"

/* What one call made, for taking it back: the length of the path that was there before. */
struct made {
    size_t kept; /* bytes of tree->path that existed */
    bool leaf;   /* the group itself is ours */
};

/* The tree cut off after length bytes of its path. */
static struct oci_cgroup_tree cut(const struct oci_cgroup_tree *tree, size_t length)
{
    struct oci_cgroup_tree part = *tree;
    part.path[length] = '\0';
    return part;
}

/* An empty v1 cpuset takes what its parent has. */
static int fill_cpuset(const struct oci_cgroup_tree *parent, const struct oci_cgroup_tree *group)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    for (size_t i = 0; i < 2; i++) {
        char text[4096];
        ssize_t size = cgroup_tree_read(group, files[i], text, sizeof(text));
        if (size < 0)
            return (int)size;
        if (size > 1) /* more than a newline */
            continue;
        size = cgroup_tree_read(parent, files[i], text, sizeof(text));
        int result = size < 0 ? (int)size : cgroup_tree_write(group, files[i], text);
        if (result < 0)
            return result;
    }
    return 0;
}

/*
 * Passes on every controller that the group has. Some may be refused (a parent with processes of
 * its own); a limit that needs one says so when it finds no file.
 */
static void enable_controllers(const struct oci_cgroup_tree *group)
{
    char all[256];
    char passed[256];
    if (cgroup_tree_read(group, "cgroup.controllers", all, sizeof(all)) < 0 ||
        cgroup_tree_read(group, "cgroup.subtree_control", passed, sizeof(passed)) < 0)
        return;
    for (char *word = all; *word != '\0';) {
        char text[64];
        size_t length = strcspn(word, " \n");
        snprintf(text, sizeof(text), "+%.*s", (int)length, word);
        if (length > 0 && !cgroup_has_word(passed, text + 1))
            cgroup_tree_write(group, "cgroup.subtree_control", text);
        word += length + (word[length] != '\0');
    }
}

/* Makes what is missing of the group at path[0..length]; parent is complete. */
static int make_level(const struct oci_cgroup_tree *parent, const struct oci_cgroup_tree *group,
                      bool *created)
{
    char path[CGROUP_FILE_MAX];
    if (!cgroup_tree_path(group, "", path))
        return -ENAMETOOLONG;
    if (group->v2)
        enable_controllers(parent);
    *created = mkdir(path, 0755) == 0;
    if (!*created && errno != EEXIST)
        return -errno;
    return cgroup_has_word(group->controllers, "cpuset") && !group->v2 ? fill_cpuset(parent, group)
                                                                       : 0;
}

/* Where the parent is there already one call is enough; not for who must look at the parents. */
static bool make_leaf(const struct oci_cgroup_tree *tree, struct made *made)
{
    char path[CGROUP_FILE_MAX];
    if (tree->v2 || cgroup_has_word(tree->controllers, "cpuset") ||
        !cgroup_tree_path(tree, "", path) || mkdir(path, 0755) < 0)
        return false;
    made->leaf = true;
    made->kept = (size_t)(strrchr(tree->path, '/') - tree->path);
    return true;
}

static int make_tree(const struct oci_cgroup_tree *tree, struct made *made)
{
    size_t length = strlen(tree->path);
    if (make_leaf(tree, made))
        return 0;
    struct oci_cgroup_tree parent = cut(tree, 0);
    made->kept = length;
    for (size_t at = 0; at < length;) {
        at += 1 + strcspn(tree->path + at + 1, "/");
        struct oci_cgroup_tree group = cut(tree, at);
        bool created = false;
        int result = make_level(&parent, &group, &created);
        if (created && made->kept == length)
            made->kept = strlen(parent.path);
        made->leaf = created;
        if (result < 0)
            return result;
        parent = group;
    }
    return 0;
}

/* Removes what make_tree made, leaf first. */
static void unmake_tree(const struct oci_cgroup_tree *tree, const struct made *made)
{
    struct oci_cgroup_tree group = *tree;
    char path[CGROUP_FILE_MAX];
    while (strlen(group.path) > made->kept && cgroup_tree_path(&group, "", path)) {
        rmdir(path);
        *strrchr(group.path, '/') = '\0';
    }
}

/* Somebody else's processes must not get our limits, nor be killed by our delete. */
static int refuse_used(const struct oci_cgroup_tree *tree, struct err *err)
{
    char text[64];
    ssize_t size = cgroup_tree_read(tree, "cgroup.procs", text, sizeof(text));
    if (size > 0 || size == -EFBIG)
        return err_set(err, EBUSY, "the container's cgroup %s%s holds processes already",
                       tree->mount, tree->path);
    return 0;
}

static bool is_no_right(int result)
{
    return result == -EPERM || result == -EACCES || result == -EROFS;
}

static void drop_tree(struct oci_cgroup *cgroup, unsigned int index)
{
    cgroup->count--;
    memmove(&cgroup->trees[index], &cgroup->trees[index + 1],
            (cgroup->count - index) * sizeof(cgroup->trees[0]));
}

/* `name=elogind` and the like hold no limit: what cannot be made there is left out. */
static bool may_drop(const struct oci_cgroup_tree *tree, int result)
{
    bool named = strncmp(tree->controllers, "name=", 5) == 0;
    return is_no_right(result) && (geteuid() != 0 || named);
}

static int make_all(struct oci_cgroup *cgroup, struct err *err)
{
    struct made made[OCI_CGROUP_TREES_MAX] = {0};
    int result = 0;
    unsigned int i = 0;
    while (result == 0 && i < cgroup->count) {
        const struct oci_cgroup_tree *tree = &cgroup->trees[i];
        result = make_tree(tree, &made[i]);
        if (result < 0 && may_drop(tree, result)) {
            unmake_tree(tree, &made[i]);
            drop_tree(cgroup, i);
            result = 0;
            continue;
        }
        if (result < 0)
            err_set(err, -result, "make the cgroup %s%s:", tree->mount, tree->path);
        else if (!made[i].leaf)
            result = refuse_used(tree, err);
        i++;
    }
    while (result < 0 && i > 0) {
        i--;
        unmake_tree(&cgroup->trees[i], &made[i]);
    }
    return result;
}

/* systemd makes v1 groups only in the trees that it manages: the others are ours to make. */
static int complete_systemd(struct oci_cgroup *cgroup, pid_t pid, struct err *err)
{
    for (unsigned int i = 0; i < cgroup->count;) {
        const struct oci_cgroup_tree *tree = &cgroup->trees[i];
        struct made made = {0};
        int result = make_tree(tree, &made);
        if (result < 0 && may_drop(tree, result)) {
            drop_tree(cgroup, i);
            continue;
        }
        if (result < 0)
            return err_set(err, -result, "make the cgroup %s%s:", tree->mount, tree->path);
        struct oci_cgroup one = {.count = 1, .trees = {*tree}};
        result = oci_cgroup_join_pid(&one, "", pid, err);
        if (result < 0)
            return result;
        i++;
    }
    return 0;
}

int oci_cgroup_make(struct oci_cgroup *cgroup, const struct oci_resources *resources, pid_t pid,
                    struct err *err)
{
    if (cgroup->driver == OCI_CGROUP_FS)
        return make_all(cgroup, err);
    int result = cgroup_systemd_start(cgroup, resources, pid, err);
    if (result == 0)
        result = complete_systemd(cgroup, pid, err);
    if (result < 0)
        oci_cgroup_remove(cgroup, NULL);
    return result;
}
