/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hierarchies there are and what the container's group is called in each. Reads, decides,
 * makes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/cgroup_mounts.h"
#include "oci/cgroup_tree.h"

/* --- paths --- */

/* Appends the components of `more` to the absolute path in out; ".." goes up, never above the root.
 */
static int path_append(char *out, size_t room, const char *more)
{
    while (*more != '\0') {
        size_t length = strcspn(more, "/");
        size_t used = strlen(out);
        if (length == 2 && more[0] == '.' && more[1] == '.') {
            char *slash = strrchr(out, '/');
            if (slash != NULL)
                *slash = '\0';
        } else if (length > 0 && !(length == 1 && more[0] == '.')) {
            if (length > 255 || used + length + 2 > room)
                return -ENAMETOOLONG;
            out[used] = '/';
            memcpy(out + used + 1, more, length);
            out[used + 1 + length] = '\0';
        }
        more += length + (more[length] == '/');
    }
    return 0;
}

/* Our own group in a tree: the line "N:CONTROLLERS:PATH" ("0::PATH" of v2). "" when there is none.
 */
static void own_path(const char *own, const struct cgroup_mount *mount, char *out, size_t room)
{
    out[0] = '\0';
    for (const char *line = own; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        const char *first = strchr(line, ':');
        const char *second = first != NULL ? strchr(first + 1, ':') : NULL;
        if (second == NULL || (end != NULL && second > end))
            return;
        size_t list = (size_t)(second - first) - 1;
        bool mine = mount->v2 ? list == 0
                              : list == strlen(mount->controllers) &&
                                    strncmp(first + 1, mount->controllers, list) == 0;
        if (mine) {
            size_t length = end != NULL ? (size_t)(end - second) - 1 : strlen(second + 1);
            if (length < room) {
                memcpy(out, second + 1, length);
                out[length] = '\0';
            }
            break;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    size_t root = strlen(mount->root); /* of a mount that shows a part of the hierarchy */
    if (root > 1 && strncmp(out, mount->root, root) == 0 && (out[root] == '/' || out[root] == '\0'))
        memmove(out, out + root, strlen(out + root) + 1);
}

/* --- systemd's names --- */

static bool unit_spelled(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr(":-_.\\@+", c) == NULL))
            return false;
    }
    return true;
}

/* "a-b.slice" lies in "a.slice": appends "/a.slice/a-b.slice". */
static int slice_append(char *out, size_t room, const char *slice)
{
    size_t stem = strlen(slice) - strlen(".slice");
    if (stem == 1 && slice[0] == '-')
        return 0; /* the root slice */
    for (size_t i = 1; i <= stem; i++) {
        char name[256];
        if (i < stem && slice[i] != '-')
            continue;
        snprintf(name, sizeof(name), "%.*s.slice", (int)i, slice);
        int result = path_append(out, room, name);
        if (result < 0)
            return result;
    }
    return 0;
}

static bool slice_spelled(const char *slice)
{
    size_t length = strlen(slice);
    if (length <= 6 || strcmp(slice + length - 6, ".slice") != 0 || !unit_spelled(slice, length))
        return false;
    if (strcmp(slice, "-.slice") == 0)
        return true;
    return slice[0] != '-' && slice[length - 7] != '-' && strstr(slice, "--") == NULL;
}

/* "SLICE:PREFIX:NAME" into unit and slice. */
static int systemd_names(const char *cgroups_path, const char *id, struct oci_cgroup *out,
                         struct err *err)
{
    const char *prefix = "skerry";
    size_t prefix_length = 6;
    const char *name = id;
    const char *slice = geteuid() == 0 ? "system.slice" : "user.slice";
    snprintf(out->slice, sizeof(out->slice), "%s", slice);
    if (cgroups_path != NULL && cgroups_path[0] != '\0') {
        const char *first = strchr(cgroups_path, ':');
        const char *second = first != NULL ? strchr(first + 1, ':') : NULL;
        if (second == NULL || strchr(second + 1, ':') != NULL)
            return err_set(err, EINVAL,
                           "linux.cgroupsPath: \"%.100s\" is not SLICE:PREFIX:NAME, as "
                           "--systemd-cgroup needs it",
                           cgroups_path);
        size_t length = (size_t)(first - cgroups_path);
        if (length >= sizeof(out->slice))
            return err_set(err, ENAMETOOLONG, "linux.cgroupsPath: the slice's name is too long");
        if (length > 0)
            snprintf(out->slice, sizeof(out->slice), "%.*s", (int)length, cgroups_path);
        prefix = first + 1;
        prefix_length = (size_t)(second - prefix);
        name = second + 1;
    }
    size_t length = strlen(name);
    bool is_slice = length > 6 && strcmp(name + length - 6, ".slice") == 0;
    if (!slice_spelled(out->slice))
        return err_set(err, EINVAL, "linux.cgroupsPath: \"%.100s\" is no name of a slice",
                       out->slice);
    if (length == 0 || !unit_spelled(name, length) || !unit_spelled(prefix, prefix_length) ||
        prefix_length + length + 8 > sizeof(out->unit))
        return err_set(err, EINVAL, "linux.cgroupsPath: \"%.100s\" makes no name of a unit", name);
    if (is_slice)
        snprintf(out->unit, sizeof(out->unit), "%s", name);
    else
        snprintf(out->unit, sizeof(out->unit), "%.*s%s%s.scope", (int)prefix_length, prefix,
                 prefix_length > 0 ? "-" : "", name);
    return 0;
}

/* Where the manager of the caller has its units: "" for the system's, else up to
 * "user@UID.service". */
static void manager_path(const char *own, char *path)
{
    char *service = geteuid() != 0 ? strstr(own, "/user@") : NULL;
    char *end = service != NULL ? strstr(service, ".service") : NULL;
    if (end != NULL)
        snprintf(path, OCI_CGROUP_PATH_MAX, "%.*s", (int)(end + 8 - own), own);
}

/* --- one tree --- */

static int name_group(const char *own, const char *cgroups_path, const char *id,
                      const struct oci_cgroup *cgroup, struct oci_cgroup_tree *tree)
{
    size_t room = sizeof(tree->path);
    tree->path[0] = '\0';
    if (cgroup->driver == OCI_CGROUP_SYSTEMD) {
        manager_path(own, tree->path);
        int result = slice_append(tree->path, room, cgroup->slice);
        return result == 0 ? path_append(tree->path, room, cgroup->unit) : result;
    }
    bool given = cgroups_path != NULL && cgroups_path[0] != '\0';
    if (!given || cgroups_path[0] != '/') {
        int result = path_append(tree->path, room, own);
        /* our own group holds processes, so in v2 it cannot pass controllers on: go beside it */
        if (result == 0 && tree->v2)
            result = path_append(tree->path, room, "..");
        if (result < 0)
            return result;
    }
    return path_append(tree->path, room, given ? cgroups_path : id);
}

static bool seen(const struct oci_cgroup *cgroup, const struct cgroup_mount *mount)
{
    for (unsigned int i = 0; i < cgroup->count; i++) {
        const struct oci_cgroup_tree *tree = &cgroup->trees[i];
        if (tree->v2 == mount->v2 &&
            (mount->v2 || strcmp(tree->controllers, mount->controllers) == 0))
            return true;
    }
    return false;
}

static int add_tree(const struct cgroup_mount *mount, const char *own, const char *cgroups_path,
                    const char *id, struct oci_cgroup *out, struct err *err)
{
    char mine[OCI_CGROUP_PATH_MAX];
    if (out->count == OCI_CGROUP_TREES_MAX || seen(out, mount))
        return 0;
    struct oci_cgroup_tree *tree = &out->trees[out->count];
    *tree = (struct oci_cgroup_tree){.v2 = mount->v2};
    if (strlen(mount->point) >= sizeof(tree->mount))
        return 0;
    snprintf(tree->mount, sizeof(tree->mount), "%.127s", mount->point);
    snprintf(tree->controllers, sizeof(tree->controllers), "%s", mount->controllers);
    own_path(own, mount, mine, sizeof(mine));
    int result = name_group(mine, cgroups_path, id, out, tree);
    if (result < 0)
        return err_set(err, -result, "linux.cgroupsPath: name the cgroup:");
    if (tree->path[0] == '\0')
        return err_set(err, EINVAL, "linux.cgroupsPath: a container cannot own the root cgroup");
    if (mount->v2) {
        char file[sizeof(tree->mount) + 32];
        snprintf(file, sizeof(file), "%s/cgroup.controllers", tree->mount);
        if (fd_read_file_at(AT_FDCWD, file, tree->controllers, sizeof(tree->controllers)) < 0)
            tree->controllers[0] = '\0';
        tree->controllers[strcspn(tree->controllers, "\n")] = '\0';
    }
    out->count++;
    return 0;
}

int oci_cgroup_plan_from(const char *mountinfo, const char *own, const char *cgroups_path,
                         const char *id, bool systemd, struct oci_cgroup *out, struct err *err)
{
    struct oci_cgroup cgroup = {.driver = systemd ? OCI_CGROUP_SYSTEMD : OCI_CGROUP_FS,
                                .required = cgroups_path != NULL && cgroups_path[0] != '\0'};
    struct cgroup_mount mount;
    int result = systemd ? systemd_names(cgroups_path, id, &cgroup, err) : 0;
    for (const char *line = mountinfo; result == 0 && line != NULL && *line != '\0';) {
        if (cgroup_mount_line(line, &mount))
            result = add_tree(&mount, own, cgroups_path, id, &cgroup, err);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (result == 0)
        *out = cgroup;
    return result;
}

static char *read_text(const char *path, struct err *err)
{
    for (size_t room = 16384; room <= 4u << 20; room *= 4) {
        char *text = malloc(room);
        if (text == NULL)
            break;
        ssize_t size = fd_read_file_at(AT_FDCWD, path, text, room);
        if (size >= 0)
            return text;
        free(text);
        if (size != -EFBIG) {
            err_set(err, (int)-size, "read %s:", path);
            return NULL;
        }
    }
    err_set(err, ENOMEM, "read %s:", path);
    return NULL;
}

int oci_cgroup_plan(const char *cgroups_path, const char *id, bool systemd, struct oci_cgroup *out,
                    struct err *err)
{
    char *mountinfo = read_text("/proc/self/mountinfo", err);
    char *own = mountinfo != NULL ? read_text("/proc/self/cgroup", err) : NULL;
    int result = own != NULL
                     ? oci_cgroup_plan_from(mountinfo, own, cgroups_path, id, systemd, out, err)
                     : -(err != NULL && err->code > 0 ? err->code : EIO);
    free(own);
    free(mountinfo);
    return result;
}
