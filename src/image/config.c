/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of an image: what to run, and the digests of its unpacked layers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/digest.h"
#include "image/json_text.h"
#include "image/manifest.h"
#include "image/path.h"

static int check_platform(const json_t *top, struct err *err)
{
    const char *os = json_text(top, "os");
    const char *architecture = json_text(top, "architecture");
    if ((os != NULL && os[0] != '\0' && strcmp(os, MANIFEST_OS) != 0) ||
        (architecture != NULL && architecture[0] != '\0' &&
         strcmp(architecture, MANIFEST_ARCHITECTURE) != 0))
        return err_set(err, ENOEXEC,
                       "the image is for %.20s/%.20s, this machine is " MANIFEST_OS
                       "/" MANIFEST_ARCHITECTURE,
                       os == NULL ? "?" : os, architecture == NULL ? "?" : architecture);
    return 0;
}

static int diff_ids_parse(const json_t *top, struct image_config *out, struct err *err)
{
    const json_t *list = json_object_get(json_object_get(top, "rootfs"), "diff_ids");
    size_t i;
    json_t *item;
    if (!json_is_array(list) || json_array_size(list) > MANIFEST_LAYERS_MAX)
        return err_set(err, EINVAL,
                       "the image configuration has no list of diff_ids (at most %d): the layers "
                       "cannot be verified",
                       MANIFEST_LAYERS_MAX);
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        const char *hex = text == NULL ? NULL : digest_parse(text);
        if (hex == NULL)
            return err_set(err, EINVAL, "diff_id '%.80s' is not a sha256", text ? text : "");
        memcpy(out->diff_ids[i], hex, IMAGE_HEX_MAX);
    }
    out->diff_id_count = (uint32_t)json_array_size(list);
    return 0;
}

/* Appends the strings of a list (null and missing are empty) to the arguments. */
static int args_add(const json_t *list, const char *what, struct image_meta *meta, struct err *err)
{
    size_t i;
    json_t *item;
    if (list == NULL || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return err_set(err, EINVAL, "%s of the image is not a list", what);
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        if (text == NULL)
            return err_set(err, EINVAL, "%s of the image holds something that is no text", what);
        if (STRBLOCK_ADD(&meta->args, text) < 0)
            return err_set(err, E2BIG, "%s of the image is longer than %zu bytes", what,
                           sizeof(meta->args.data));
    }
    return 0;
}

static int env_add(const json_t *list, struct image_meta *meta, struct err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        const char *equals = text == NULL ? NULL : strchr(text, '=');
        if (equals == NULL || equals == text)
            continue; /* sets nothing: other engines drop it as well */
        if (STRBLOCK_ADD(&meta->env, text) < 0)
            return err_set(err, E2BIG, "the environment of the image is longer than %zu bytes",
                           sizeof(meta->env.data));
    }
    return 0;
}

static int cwd_set(const char *text, struct image_meta *meta, struct err *err)
{
    char clean[IMAGE_PATH_MAX];
    if (text == NULL || text[0] == '\0')
        return 0;
    if (path_clean(text, clean) < 0 || strlen(clean) + 2 > sizeof(meta->cwd))
        return err_set(err, EINVAL, "the working directory '%.100s' of the image cannot be used",
                       text);
    meta->cwd[0] = '/';
    memcpy(meta->cwd + 1, clean, strlen(clean) + 1);
    return 0;
}

static int process_parse(const json_t *process, struct image_config *out, struct err *err)
{
    const char *user = json_text(process, "User");
    int result =
        args_add(json_object_get(process, "Entrypoint"), "the entry point", &out->meta, err);
    if (result == 0)
        result = args_add(json_object_get(process, "Cmd"), "the command", &out->meta, err);
    if (result == 0)
        result = env_add(json_object_get(process, "Env"), &out->meta, err);
    if (result == 0)
        result = cwd_set(json_text(process, "WorkingDir"), &out->meta, err);
    if (result < 0)
        return result;
    if (user != NULL && strlen(user) >= sizeof(out->user))
        return err_set(err, EINVAL, "the user of the image has a name of %zu bytes", strlen(user));
    snprintf(out->user, sizeof(out->user), "%s", user == NULL ? "" : user);
    if (out->meta.args.count > 0 && out->meta.args.data[0] == '\0')
        return err_set(err, EINVAL, "the image wants to run a program without a name");
    return 0;
}

int config_parse(const char *json, size_t size, struct image_config *out, struct err *err)
{
    json_owner *top = json_parse(json, size, "image configuration", err);
    if (top == NULL)
        return -EINVAL;
    if (!json_is_object(top))
        return err_set(err, EINVAL, "the image configuration is not a JSON object");
    memset(out, 0, sizeof(*out));
    out->meta.version = IMAGE_META_VERSION;
    int result = check_platform(top, err);
    if (result == 0)
        result = diff_ids_parse(top, out, err);
    if (result == 0)
        result = process_parse(json_object_get(top, "config"), out, err);
    return result;
}
