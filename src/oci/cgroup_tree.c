/* SPDX-License-Identifier: Apache-2.0 */
/* See cgroup_tree.h. */
#include "oci/cgroup_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/cgroup_mounts.h"

const struct oci_cgroup_tree *cgroup_tree_of(const struct oci_cgroup *cgroup,
                                             const char *controller)
{
    const struct oci_cgroup_tree *found = NULL;
    for (unsigned int i = 0; i < cgroup->count; i++) {
        const struct oci_cgroup_tree *tree = &cgroup->trees[i];
        if (cgroup_has_word(tree->controllers, controller) && (found == NULL || !tree->v2))
            found = tree;
    }
    return found;
}

const struct oci_cgroup_tree *cgroup_tree_v2(const struct oci_cgroup *cgroup)
{
    for (unsigned int i = 0; i < cgroup->count; i++) {
        if (cgroup->trees[i].v2)
            return &cgroup->trees[i];
    }
    return NULL;
}

bool cgroup_tree_path(const struct oci_cgroup_tree *tree, const char *file,
                      char out[CGROUP_FILE_MAX])
{
    int length = snprintf(out, CGROUP_FILE_MAX, "%s%s%s%s", tree->mount, tree->path,
                          file[0] != '\0' ? "/" : "", file);
    return length > 0 && length < CGROUP_FILE_MAX;
}

int cgroup_tree_write(const struct oci_cgroup_tree *tree, const char *file, const char *text)
{
    char path[CGROUP_FILE_MAX];
    return cgroup_tree_path(tree, file, path) ? fd_write_file_at(AT_FDCWD, path, text)
                                              : -ENAMETOOLONG;
}

ssize_t cgroup_tree_read(const struct oci_cgroup_tree *tree, const char *file, char *out,
                         size_t room)
{
    char path[CGROUP_FILE_MAX];
    out[0] = '\0';
    return cgroup_tree_path(tree, file, path) ? fd_read_file_at(AT_FDCWD, path, out, room)
                                              : -ENAMETOOLONG;
}

bool cgroup_tree_has(const struct oci_cgroup_tree *tree, const char *file)
{
    char path[CGROUP_FILE_MAX];
    return cgroup_tree_path(tree, file, path) && faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

int cgroup_tree_number(const struct oci_cgroup_tree *tree, const char *file, const char *key,
                       uint64_t *out)
{
    char text[8192];
    ssize_t size = cgroup_tree_read(tree, file, text, sizeof(text));
    if (size < 0)
        return (int)size;
    const char *at = text;
    size_t length = key != NULL ? strlen(key) : 0;
    while (key != NULL && (strncmp(at, key, length) != 0 || at[length] != ' ')) {
        at = strchr(at, '\n');
        if (at == NULL || *++at == '\0')
            return -ENOENT;
    }
    at += length;
    while (*at == ' ')
        at++;
    if (strncmp(at, "max", 3) == 0) {
        *out = UINT64_MAX;
        return 0;
    }
    if (*at == '-') { /* v1's "unlimited" */
        *out = UINT64_MAX;
        return 0;
    }
    if (*at < '0' || *at > '9')
        return -EINVAL;
    *out = strtoull(at, NULL, 10);
    return 0;
}
