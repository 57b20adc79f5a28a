/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/helper.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef SKERRY_LIBEXEC
#define SKERRY_LIBEXEC "/usr/local/libexec/skerry"
#endif

int oci_helper_path(const char *name, char *out, size_t room, struct err *err)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        if (slash != NULL) {
            *slash = '\0';
            snprintf(out, room, "%s/%s", self, name);
            if (access(out, X_OK) == 0)
                return 0;
            snprintf(out, room, "%s/../libexec/skerry/%s", self, name);
            if (access(out, X_OK) == 0)
                return 0;
        }
    }
    snprintf(out, room, "%s/%s", SKERRY_LIBEXEC, name);
    if (access(out, X_OK) == 0)
        return 0;
    return err_set(err, ENOENT, "the program %s is missing (is the installation complete?)", name);
}
