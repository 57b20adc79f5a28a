/* SPDX-License-Identifier: Apache-2.0 */
/* The merge of function, image and defaults; see function_plan.h. */
#include "control/function_plan.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/registry.h"
#include "control/tier.h"

#define USER_DEFAULT 1000

static const char path_default[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static const char home_default[] = "HOME=/tmp"; /* the one directory that can be written */

/* "UID[:GID]", already checked; without a group the group has the user's number. */
static void user_parse(const char *text, uint32_t *uid, uint32_t *gid)
{
    char *end;
    *uid = (uint32_t)strtoul(text, &end, 10);
    *gid = *end == ':' ? (uint32_t)strtoul(end + 1, NULL, 10) : *uid;
}

static int set_user(const struct function_spec *spec, const struct function_place *place,
                    struct jail_plan *out, struct err *err)
{
    out->uid = out->gid = USER_DEFAULT;
    if (spec->user[0] != '\0') {
        user_parse(spec->user, &out->uid, &out->gid);
    } else if (place->meta != NULL && place->meta->user_set) {
        out->uid = place->meta->uid;
        out->gid = place->meta->gid;
    }
    if (out->uid >= TENANT_UID_COUNT || out->gid >= TENANT_UID_COUNT)
        return err_set(err, EINVAL,
                       "the image %s runs as %" PRIu32 ":%" PRIu32 ", and ids from 0 to %d are "
                       "available; choose one with user",
                       spec->image, out->uid, out->gid, TENANT_UID_COUNT - 1);
    out->rootless = place->rootless;
    out->uid_base = place->uid_base;
    out->uid_count = TENANT_UID_COUNT;
    return 0;
}

static int set_args(const struct function_spec *spec, const struct function_place *place,
                    struct jail_plan *out, struct err *err)
{
    static_assert(sizeof(out->args) == sizeof(spec->args), "blocks of arguments are the same");
    static_assert(sizeof(out->args) == sizeof(place->meta->args), "... in images too");
    if (spec->args.count > 0) {
        memcpy(&out->args, &spec->args, sizeof(out->args));
        return 0;
    }
    if (place->meta == NULL || place->meta->args.count == 0 || place->meta->args.data[0] == '\0')
        return err_set(err, EINVAL,
                       "no program to run: the image %s names none, so give the program and its "
                       "arguments",
                       spec->image);
    memcpy(&out->args, &place->meta->args, sizeof(out->args));
    return 0;
}

static bool same_key(const char *a, const char *b)
{
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

static bool env_has(const struct function_spec *spec, const char *entry)
{
    for (STRBLOCK_EACH(&spec->env, var)) {
        if (same_key(entry, var))
            return true;
    }
    return false;
}

static bool plan_has(const struct jail_plan *plan, const char *entry)
{
    for (STRBLOCK_EACH(&plan->env, var)) {
        if (same_key(entry, var))
            return true;
    }
    return false;
}

static int set_env(const struct function_spec *spec, const struct function_place *place,
                   struct jail_plan *out, struct err *err)
{
    int rc = 0;
    if (place->meta != NULL) {
        for (STRBLOCK_EACH(&place->meta->env, var)) {
            if (rc == 0 && !env_has(spec, var))
                rc = STRBLOCK_ADD(&out->env, var);
        }
    }
    for (STRBLOCK_EACH(&spec->env, var)) {
        if (rc == 0)
            rc = STRBLOCK_ADD(&out->env, var);
    }
    if (rc == 0 && !plan_has(out, path_default))
        rc = STRBLOCK_ADD(&out->env, path_default);
    if (rc == 0 && !plan_has(out, home_default))
        rc = STRBLOCK_ADD(&out->env, home_default);
    if (rc < 0)
        return err_set(err, EINVAL,
                       "the environment of the image and of the function are together larger than "
                       "%zu bytes",
                       sizeof(out->env.data));
    return 0;
}

static int set_cwd(const struct function_spec *spec, const struct function_place *place,
                   struct jail_plan *out, struct err *err)
{
    static_assert(sizeof(out->cwd) == sizeof(spec->cwd), "a cwd fits");
    const char *image_cwd = place->meta == NULL ? "" : place->meta->cwd;
    const char *cwd = spec->cwd[0] != '\0' ? spec->cwd : image_cwd[0] != '\0' ? image_cwd : "/";
    if (cwd[0] != '/')
        return err_set(err, EINVAL,
                       "the image %s has '%.200s' as its working directory, which is "
                       "not absolute; choose one with cwd",
                       spec->image, cwd);
    snprintf(out->cwd, sizeof(out->cwd), "%s", cwd);
    return 0;
}

int plan_of_function(const struct function_spec *spec, const struct function_place *place,
                     struct jail_plan *out, struct err *err)
{
    jail_plan_init(out);
    out->flags = spec->flags & (FUNCTION_OWN_IPC | FUNCTION_RENEW_ALL);
    out->host_usr = (spec->flags & FUNCTION_HOST_USR) != 0;
    out->net = spec->net;
    out->proc = spec->proc;
    out->limits = spec->limits;
    out->bind_count = spec->bind_count;
    memcpy(out->binds, spec->binds, sizeof(out->binds));
    snprintf(out->name, sizeof(out->name), "%s.%s", spec->tenant, spec->name);
    snprintf(out->tenant, sizeof(out->tenant), "%s", spec->tenant);
    snprintf(out->hostname, sizeof(out->hostname), "%s", spec->name);
    if (place->rootfs != NULL && !out->host_usr) {
        if (strlen(place->rootfs) >= sizeof(out->rootfs))
            return err_set(err, ENAMETOOLONG, "the root file system's path '%.100s...' is too long",
                           place->rootfs);
        snprintf(out->rootfs, sizeof(out->rootfs), "%s", place->rootfs);
    }
    int rc = set_user(spec, place, out, err);
    if (rc == 0)
        rc = set_args(spec, place, out, err);
    if (rc == 0)
        rc = set_env(spec, place, out, err);
    if (rc == 0)
        rc = set_cwd(spec, place, out, err);
    const struct tier_ops *tier = tier_find(spec->tier);
    if (rc == 0)
        rc = tier != NULL ? tier->shape(spec, place, out, err)
                          : err_set(err, EINVAL, "there is no tier '%s'", spec->tier);
    return rc;
}
