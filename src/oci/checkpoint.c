/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint and restore are CRIU's work; without it they are refused before anything is touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/verb.h"

static bool is_installed(const char *name)
{
    char path[4096];
    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0;
    const char *at = getenv("PATH");
    for (; at != NULL && *at != '\0'; at += strspn(at, ":")) {
        size_t length = strcspn(at, ":");
        snprintf(path, sizeof(path), "%.*s/%s", (int)length, at, name);
        if (access(path, X_OK) == 0)
            return true;
        at += length;
    }
    return false;
}

static int refuse(const struct oci_call *call, const char *verb, struct err *err)
{
    const char *criu = call->set.criu != NULL ? call->set.criu : "criu";
    if (!is_installed(criu))
        return err_set(err, ENOENT, "%s needs the program %s, which is not installed", verb, criu);
    return err_set(err, ENOTSUP, "%s by %s is not supported by this version", verb, criu);
}

int oci_checkpoint(struct oci_call *call, struct err *err)
{
    return refuse(call, "checkpoint", err);
}

int oci_restore(struct oci_call *call, struct err *err)
{
    return refuse(call, "restore", err);
}
