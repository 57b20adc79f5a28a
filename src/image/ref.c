/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images and the files that hold them; see ref.h. */
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "._/:@-";
/* one for one, so that the file name is no longer than the reference */
static const char from_ref[] = "/:@";
static const char to_file[] = "+=,";

/* what other tools put before a name that was given without a registry */
static const char *const implied[] = {"docker.io/library/", "localhost/"};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int ref_check(const char *ref, struct err *err)
{
    size_t length = strlen(ref);
    if (length == 0 || length >= IMAGE_REF_MAX)
        return err_set(err, EINVAL, "the name of an image has 1 to %d characters, not %zu",
                       IMAGE_REF_MAX - 1, length);
    if (!is_alnum(ref[0]) || strspn(ref, alphabet) != length)
        return err_set(err, EINVAL,
                       "'%.60s' cannot name an image: use letters, digits and . _ / : @ -, "
                       "and begin with a letter or digit",
                       ref);
    if (strncmp(ref, "sha256:", 7) == 0)
        return err_set(err, EINVAL, "'%.80s' is a digest, not a name for an image", ref);
    return 0;
}

void ref_to_file(const char *ref, char out_file[IMAGE_REF_MAX])
{
    size_t i = 0;
    for (; i < IMAGE_REF_MAX - 1 && ref[i] != '\0'; i++) {
        const char *at = strchr(from_ref, ref[i]);
        out_file[i] = at == NULL ? ref[i] : to_file[at - from_ref];
    }
    out_file[i] = '\0';
}

bool ref_from_file(const char *file, char out_ref[IMAGE_REF_MAX])
{
    char ref[IMAGE_REF_MAX];
    size_t i = 0;
    for (; file[i] != '\0'; i++) {
        if (i == sizeof(ref) - 1 || strchr(from_ref, file[i]) != NULL)
            return false;
        const char *at = strchr(to_file, file[i]);
        ref[i] = at == NULL ? file[i] : from_ref[at - to_file];
    }
    ref[i] = '\0';
    if (ref_check(ref, NULL) < 0)
        return false;
    memcpy(out_ref, ref, i + 1);
    return true;
}

bool ref_has_tag(const char *ref)
{
    const char *slash = strrchr(ref, '/');
    return strchr(slash == NULL ? ref : slash, ':') != NULL;
}

/* "My_App.tar.gz" gives "My_App": the length of that part of the first size bytes of base. */
static size_t length_without_suffixes(const char *base, size_t size)
{
    static const char *const suffixes[] = {".tar", ".gz", ".tgz", ".zst", ".tzst", ".oci"};
    bool again = true;
    while (again) {
        again = false;
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
            size_t length = strlen(suffixes[i]);
            if (size > length && strncmp(base + size - length, suffixes[i], length) == 0) {
                size -= length;
                again = true;
            }
        }
    }
    return size;
}

int ref_derive(const char *path, const char *archive_name, char out_ref[IMAGE_REF_MAX],
               struct err *err)
{
    char ref[2 * IMAGE_REF_MAX];
    const char *said = archive_name == NULL ? "" : archive_name;
    for (size_t i = 0; i < sizeof(implied) / sizeof(implied[0]); i++) {
        if (strncmp(said, implied[i], strlen(implied[i])) == 0)
            said += strlen(implied[i]);
    }
    if (strpbrk(said, "/:") != NULL) {
        snprintf(ref, sizeof(ref), "%s", said);
    } else {
        size_t end = strlen(path);
        while (end > 1 && path[end - 1] == '/')
            end--;
        size_t start = end;
        while (start > 0 && path[start - 1] != '/')
            start--;
        size_t length = length_without_suffixes(path + start, end - start);
        snprintf(ref, sizeof(ref), "%.*s%s%s", (int)length, path + start,
                 said[0] == '\0' ? "" : ":", said);
    }
    if (ref_check(ref, NULL) < 0)
        return err_set(err, EINVAL, "%.200s names no image that we could call it: give a name",
                       path);
    memcpy(out_ref, ref, strlen(ref) + 1);
    return 0;
}
