/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/filter_get.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "oci/helper.h"

int oci_filter_get(const struct oci_seccomp *seccomp, struct oci_filter *out, struct err *err)
{
    char helper[PATH_MAX];
    char cache[PATH_MAX];
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
    if (seccomp == NULL)
        return 0;
    int result = oci_helper_path("skerry-oci-seccomp", helper, sizeof(helper), err);
    if (result < 0)
        return result;
    bool own = geteuid() != 0;
    if (!own)
        runtime_dir = "/run";
    if (runtime_dir == NULL || runtime_dir[0] != '/')
        return oci_seccomp_get(seccomp, NULL, helper, out, err);
    snprintf(cache, sizeof(cache), "%s/skerry-oci.cache", runtime_dir);
    return oci_seccomp_get(seccomp, cache, helper, out, err);
}
