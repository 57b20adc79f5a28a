/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/tier.h"

#include <errno.h>
#include <string.h>

#include "oci/exec.h"
#include "oci/spawn.h"
#include "oci/start.h"

const struct oci_tier_ops oci_tier_jail = {
    .name = "jail",
    .spawn = oci_spawn_init,
    .start = oci_start_created,
    .exec = oci_exec_in,
};

static const struct oci_tier_ops *const tiers[] = {&oci_tier_jail};

const struct oci_tier_ops *oci_tier_of(const struct json *annotations, struct err *err)
{
    const char *name = json_get_text(annotations, OCI_TIER_ANNOTATION);
    if (name == NULL)
        return &oci_tier_jail;
    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (strcmp(tiers[i]->name, name) == 0)
            return tiers[i];
    }
    err_set(err, ENOTSUP, "annotations." OCI_TIER_ANNOTATION ": there is no tier \"%.100s\"", name);
    return NULL;
}
