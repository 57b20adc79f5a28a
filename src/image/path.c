/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths as text. Cleaning is what other engines do with the names in a layer ("a/../b" is "b" even
 * when a is a symbolic link); that the kernel then stays below the root is openat2's work, not
 * ours.
 */
#include "image/path.h"

#include <errno.h>
#include <string.h>

int path_clean(const char *path, char out[IMAGE_PATH_MAX])
{
    size_t length = 0;
    unsigned int depth = 0;
    char clean[IMAGE_PATH_MAX];
    clean[0] = '\0';
    for (const char *at = path; *at != '\0';) {
        size_t size = strcspn(at, "/");
        const char *component = at;
        at += size;
        at += strspn(at, "/");
        if (size == 0 || (size == 1 && component[0] == '.'))
            continue;
        if (size == 2 && component[0] == '.' && component[1] == '.') {
            if (depth == 0)
                return -EXDEV;
            while (length > 0 && clean[length - 1] != '/')
                length--;
            if (length > 0)
                length--; /* the '/' before the component that goes */
            depth--;
            continue;
        }
        if (size > IMAGE_NAME_BYTES || length + size + 2 > sizeof(clean))
            return -ENAMETOOLONG;
        if (depth == IMAGE_DEPTH_MAX)
            return -ELOOP;
        if (length > 0)
            clean[length++] = '/';
        memcpy(clean + length, component, size);
        length += size;
        depth++;
    }
    memcpy(out, clean, length);
    out[length] = '\0';
    return 0;
}

const char *path_fault(int code)
{
    switch (code) {
    case EXDEV:
        return "leads out of the root";
    case ENAMETOOLONG:
        return "is too long";
    case ELOOP:
        return "leads through too many directories or links";
    case ENOENT:
        return "does not exist";
    case ENOTDIR:
        return "leads through a file";
    case EISDIR:
        return "is a directory";
    default:
        return strerror(code);
    }
}

const char *path_split(const char *clean, char out_parent[IMAGE_PATH_MAX])
{
    const char *slash = strrchr(clean, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - clean);
    memcpy(out_parent, clean, length);
    out_parent[length] = '\0';
    return slash == NULL ? clean : slash + 1;
}

void path_make_printable(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
}
