/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.json of a docker archive (docker save): a list of images, their members named by path.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/json_text.h"
#include "image/manifest.h"

static bool has_tag(const json_t *image, const char *wanted)
{
    size_t i;
    json_t *tag;
    json_array_foreach(json_object_get(image, "RepoTags"), i, tag)
    {
        const char *text = json_string_value(tag);
        if (text != NULL && strcmp(text, wanted) == 0)
            return true;
    }
    return false;
}

static const char *first_tag(const json_t *image)
{
    return json_string_value(json_array_get(json_object_get(image, "RepoTags"), 0));
}

static int choose(const json_t *images, const char *wanted, const json_t **out, struct err *err)
{
    size_t i;
    json_t *image;
    const json_t *best = NULL;
    char names[200] = "";
    size_t found = 0;
    json_array_foreach(images, i, image)
    {
        const char *tag = first_tag(image);
        size_t length = strlen(names);
        snprintf(names + length, sizeof(names) - length, "%s%.100s", length == 0 ? "" : ", ",
                 tag == NULL ? "(no name)" : tag);
        if (wanted == NULL || has_tag(image, wanted)) {
            best = image;
            found++;
        }
    }
    if (found == 1) {
        *out = best;
        return 0;
    }
    if (found > 1)
        return err_set(err, ENOTUNIQ, "it holds several images (%s): name one of them as FILE:NAME",
                       names);
    if (wanted != NULL && names[0] != '\0')
        return err_set(err, ENOENT, "it has no image named '%.100s', only %s", wanted, names);
    return err_set(err, ENOENT, "its manifest.json names no image");
}

static int layers_add(const json_t *image, struct docker_choice *out, struct err *err)
{
    const json_t *layers = json_object_get(image, "Layers");
    size_t i;
    json_t *layer;
    if (!json_is_array(layers) || json_array_size(layers) > MANIFEST_LAYERS_MAX)
        return err_set(err, EINVAL, "manifest.json has no list of at most %d layers",
                       MANIFEST_LAYERS_MAX);
    json_array_foreach(layers, i, layer)
    {
        const char *text = json_string_value(layer);
        if (text == NULL || text[0] == '\0')
            return err_set(err, EINVAL, "manifest.json has a layer without a name");
        if (STRBLOCK_ADD(&out->layers, text) < 0)
            return err_set(err, E2BIG, "the names of layers in manifest.json are too long");
    }
    return 0;
}

int docker_choose(const char *json, size_t size, const char *wanted, struct docker_choice *out,
                  struct err *err)
{
    json_owner *top = json_parse(json, size, "manifest.json", err);
    if (top == NULL)
        return -EINVAL;
    const json_t *image = NULL;
    int result = choose(top, wanted, &image, err);
    if (result < 0)
        return result;
    memset(out, 0, sizeof(*out));
    const char *config = json_text(image, "Config");
    if (config == NULL || config[0] == '\0' || strlen(config) >= sizeof(out->config))
        return err_set(err, EINVAL, "manifest.json names no configuration");
    snprintf(out->config, sizeof(out->config), "%s", config);
    snprintf(out->name, sizeof(out->name), "%s", json_name(wanted ? wanted : first_tag(image)));
    return layers_add(image, out, err);
}
