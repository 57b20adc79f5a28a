/* SPDX-License-Identifier: Apache-2.0 */
/* See cgroup_mounts.h. */
#include "jail/cgroup_mounts.h"

#include <stdio.h>
#include <string.h>

bool cgroup_has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strstr(list, word); at; at = strstr(at + 1, word)) {
        bool begins = at == list || strchr(", \n", at[-1]) != NULL;
        bool ends = strchr(", \n", at[length]) != NULL; /* also the end of the text */
        if (begins && ends)
            return true;
    }
    return false;
}

/* What a v1 mount's options name besides its controllers. */
static bool is_plain_option(const char *word, size_t length)
{
    static const char *const plain[] = {"rw",       "ro",           "xattr",      "clone_children",
                                        "noprefix", "favordynmods", "nsdelegate", "seclabel"};
    if (length > 14 && strncmp(word, "release_agent=", 14) == 0)
        return true;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (strlen(plain[i]) == length && memcmp(plain[i], word, length) == 0)
            return true;
    }
    return false;
}

static bool keep_controllers(const char *super, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *word = super; *word != '\0';) {
        size_t length = strcspn(word, ",");
        if (length > 0 && !is_plain_option(word, length)) {
            if (used + length + 2 > room)
                return false;
            if (used > 0)
                out[used++] = ',';
            memcpy(out + used, word, length);
            used += length;
            out[used] = '\0';
        }
        word += length + (word[length] == ',');
    }
    return true;
}

/* "... ROOT MOUNTPOINT OPTIONS ... - TYPE SOURCE SUPEROPTIONS" */
bool cgroup_mount_line(const char *line, struct cgroup_mount *out)
{
    char type[16];
    char super[512];
    const char *separator = strstr(line, " - ");
    const char *end = strchr(line, '\n');
    if (separator == NULL || (end != NULL && separator > end))
        return false;
    if (sscanf(separator + 3, "%15s %*s %511s", type, super) != 2 ||
        strncmp(type, "cgroup", 6) != 0)
        return false;
    struct cgroup_mount mount = {.v2 = strcmp(type, "cgroup2") == 0};
    if (!mount.v2 && strcmp(type, "cgroup") != 0)
        return false;
    if (sscanf(line, "%*d %*d %*s %511s %255s", mount.root, mount.point) != 2)
        return false;
    if (!mount.v2 && (!keep_controllers(super, mount.controllers, sizeof(mount.controllers)) ||
                      mount.controllers[0] == '\0'))
        return false;
    *out = mount;
    return true;
}
