/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A planned cgroup in the state file. What is read back is not trusted to be ours: a path is only
 * taken if it is one that the plan could have made, for `delete` removes what stands here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "oci/cgroup.h"

static const char *const drivers[] = {
    [OCI_CGROUP_FS] = "cgroupfs", [OCI_CGROUP_SYSTEMD] = "systemd"};

void oci_cgroup_write_json(const struct oci_cgroup *cgroup, const char *key,
                           struct json_writer *out)
{
    json_write_object(out, key);
    json_write_text(out, "driver", drivers[cgroup->driver]);
    json_write_bool(out, "required", cgroup->required);
    if (cgroup->driver == OCI_CGROUP_SYSTEMD) {
        json_write_text(out, "unit", cgroup->unit);
        json_write_text(out, "slice", cgroup->slice);
    }
    json_write_list(out, "trees");
    for (unsigned int i = 0; i < cgroup->count; i++) {
        const struct oci_cgroup_tree *tree = &cgroup->trees[i];
        json_write_object(out, NULL);
        json_write_bool(out, "v2", tree->v2);
        json_write_text(out, "controllers", tree->controllers);
        json_write_text(out, "mount", tree->mount);
        json_write_text(out, "path", tree->path);
        json_write_object_end(out);
    }
    json_write_list_end(out);
    json_write_object_end(out);
}

/* Copies a text member; false when it is missing or too long. */
static bool take(const struct json *object, const char *key, char *out, size_t room)
{
    const char *text = json_get_text(object, key);
    if (text == NULL || strlen(text) >= room)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* Absolute, not the root, no empty component, no "." and "..". */
static bool clean(const char *path)
{
    if (path[0] != '/')
        return false;
    while (*path == '/') {
        size_t length = strcspn(++path, "/");
        if (length == 0 || (length == 1 && path[0] == '.') ||
            (length == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += length;
    }
    return true;
}

static bool take_flag(const struct json *object, const char *key, bool *out)
{
    const struct json *value = json_get(object, key);
    if (value == NULL || value->type != JSON_TYPE_BOOL)
        return false;
    *out = value->truth;
    return true;
}

static bool take_tree(const struct json *value, struct oci_cgroup_tree *tree)
{
    return take_flag(value, "v2", &tree->v2) &&
           take(value, "controllers", tree->controllers, sizeof(tree->controllers)) &&
           take(value, "mount", tree->mount, sizeof(tree->mount)) &&
           take(value, "path", tree->path, sizeof(tree->path)) && clean(tree->mount) &&
           clean(tree->path);
}

int oci_cgroup_from_json(const struct json *value, struct oci_cgroup *out, struct err *err)
{
    struct oci_cgroup cgroup = {0};
    const char *driver = json_get_text(value, "driver");
    const struct json *trees = json_get(value, "trees");
    bool systemd = driver != NULL && strcmp(driver, drivers[OCI_CGROUP_SYSTEMD]) == 0;
    if (!systemd && (driver == NULL || strcmp(driver, drivers[OCI_CGROUP_FS]) != 0))
        return err_set(err, EINVAL, "cgroup.driver: neither cgroupfs nor systemd");
    cgroup.driver = systemd ? OCI_CGROUP_SYSTEMD : OCI_CGROUP_FS;
    if (!take_flag(value, "required", &cgroup.required))
        return err_set(err, EINVAL, "cgroup.required: true or false is expected");
    if (systemd &&
        (!take(value, "unit", cgroup.unit, sizeof(cgroup.unit)) || cgroup.unit[0] == '\0' ||
         !take(value, "slice", cgroup.slice, sizeof(cgroup.slice))))
        return err_set(err, EINVAL, "cgroup.unit, cgroup.slice: names are expected");
    if (trees == NULL || trees->type != JSON_TYPE_ARRAY || trees->count > OCI_CGROUP_TREES_MAX)
        return err_set(err, EINVAL, "cgroup.trees: a list of at most %d is expected",
                       OCI_CGROUP_TREES_MAX);
    for (const struct json *tree = trees->child; tree != NULL; tree = tree->next) {
        if (!take_tree(tree, &cgroup.trees[cgroup.count]))
            return err_set(err, EINVAL, "cgroup.trees[%u]: not a cgroup of a container",
                           cgroup.count);
        cgroup.count++;
    }
    *out = cgroup;
    return 0;
}
