/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index and manifest. An index of several platforms gives the manifest of ours; one that holds
 * several images gives the one that was asked for, and none by guess.
 */
#include "image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/digest.h"
#include "image/json_text.h"

#define INDEX_OCI       "application/vnd.oci.image.index.v1+json"
#define INDEX_DOCKER    "application/vnd.docker.distribution.manifest.list.v2+json"
#define MANIFEST_OCI    "application/vnd.oci.image.manifest.v1+json"
#define MANIFEST_DOCKER "application/vnd.docker.distribution.manifest.v2+json"
#define CONFIG_OCI      "application/vnd.oci.image.config.v1+json"
#define CONFIG_DOCKER   "application/vnd.docker.container.image.v1+json"
#define LAYER_OCI       "application/vnd.oci.image.layer."
#define LAYER_DOCKER    "application/vnd.docker.image.rootfs."

static int descriptor_parse(const json_t *object, const char *what, struct descriptor *out,
                            struct err *err)
{
    const char *digest = json_text(object, "digest");
    const json_t *size = json_object_get(object, "size");
    if (digest == NULL)
        return err_set(err, EINVAL, "the %s has no digest", what);
    const char *hex = digest_parse(digest);
    if (hex == NULL)
        return err_set(err, EINVAL, "the digest '%.80s' of the %s is not a sha256", digest, what);
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return err_set(err, EINVAL, "the %s has no valid size", what);
    memcpy(out->hex, hex, IMAGE_HEX_MAX);
    out->size = (uint64_t)json_integer_value(size);
    return 0;
}

/* A list for a sentence: "a, b, c", cut off when it gets long. */
struct listing {
    char text[200];
    size_t length;
};

static void listing_add(struct listing *list, const char *word)
{
    int size = snprintf(list->text + list->length, sizeof(list->text) - list->length, "%s%s",
                        list->length == 0 ? "" : ", ", word);
    if (size > 0 && (size_t)size < sizeof(list->text) - list->length)
        list->length += (size_t)size;
    else
        list->text[list->length] = '\0';
}

static bool is_one_of(const char *text, const char *first, const char *second)
{
    return text != NULL && (strcmp(text, first) == 0 || strcmp(text, second) == 0);
}

/* How well an entry fits: 0 not at all, more is better. */
static int platform_rank(const json_t *entry, struct listing *others)
{
    char name[64];
    const json_t *platform = json_object_get(entry, "platform");
    if (!json_is_object(platform))
        return 1;
    const char *os = json_text(platform, "os");
    const char *architecture = json_text(platform, "architecture");
    const char *variant = json_text(platform, "variant");
    if (is_one_of(os, MANIFEST_OS, MANIFEST_OS) &&
        is_one_of(architecture, MANIFEST_ARCHITECTURE, MANIFEST_ARCHITECTURE))
        return variant == NULL ? 3 : 2; /* v2, v3: wants a newer CPU than every amd64 is */
    snprintf(name, sizeof(name), "%.20s/%.20s", os == NULL ? "?" : os,
             architecture == NULL ? "?" : architecture);
    listing_add(others, name);
    return 0;
}

struct choosing {
    const char *wanted;
    int rank;       /* of the best entry so far */
    bool ambiguous; /* another image has the same rank */
    json_t *best;   /* borrowed */
    struct listing names;
    struct listing platforms;
    struct listing refused; /* names that are not the wanted one */
};

static const char *entry_name(const json_t *entry, const char **out_tag)
{
    const json_t *annotations = json_object_get(entry, "annotations");
    const char *tag = json_text(annotations, "org.opencontainers.image.ref.name");
    const char *name = json_text(annotations, "io.containerd.image.name");
    *out_tag = tag;
    return name != NULL ? name : tag;
}

static bool is_image(const json_t *entry)
{
    const char *type = json_text(entry, "mediaType");
    const json_t *annotations = json_object_get(entry, "annotations");
    if (json_text(annotations, "vnd.docker.reference.type") != NULL)
        return false; /* an attestation about an image */
    return type == NULL || is_one_of(type, INDEX_OCI, INDEX_DOCKER) ||
           is_one_of(type, MANIFEST_OCI, MANIFEST_DOCKER);
}

static void consider(struct choosing *choosing, json_t *entry)
{
    const char *tag;
    const char *name = entry_name(entry, &tag);
    if (!is_image(entry))
        return;
    if (choosing->wanted != NULL && (name == NULL || strcmp(name, choosing->wanted) != 0) &&
        (tag == NULL || strcmp(tag, choosing->wanted) != 0)) {
        listing_add(&choosing->refused, name == NULL ? "(no name)" : name);
        return;
    }
    int rank = platform_rank(entry, &choosing->platforms);
    if (rank == 0 || rank < choosing->rank)
        return;
    listing_add(&choosing->names, name == NULL ? "(no name)" : name);
    const char *digest = json_text(entry, "digest");
    const char *before = json_text(choosing->best, "digest");
    bool other =
        rank == choosing->rank && digest != NULL && before != NULL && strcmp(digest, before) != 0;
    choosing->ambiguous = rank > choosing->rank ? false : choosing->ambiguous || other;
    choosing->rank = rank;
    choosing->best = entry;
}

static int tell_choice(const struct choosing *choosing, struct err *err)
{
    if (choosing->ambiguous)
        return err_set(err, ENOTUNIQ, "it holds several images (%s): name one of them as FILE:NAME",
                       choosing->names.text);
    if (choosing->best != NULL)
        return 0;
    if (choosing->platforms.length > 0)
        return err_set(err, ENOEXEC,
                       "it has no image for " MANIFEST_OS "/" MANIFEST_ARCHITECTURE ", only for %s",
                       choosing->platforms.text);
    if (choosing->wanted != NULL)
        return err_set(err, ENOENT, "it has no image named '%.100s', only %s", choosing->wanted,
                       choosing->refused.length == 0 ? "none" : choosing->refused.text);
    return err_set(err, ENOENT, "its index names no image");
}

int index_choose(const char *json, size_t size, const char *wanted, struct index_choice *out,
                 struct err *err)
{
    json_owner *top = json_parse(json, size, "image index", err);
    if (top == NULL)
        return -EINVAL;
    const json_t *manifests = json_object_get(top, "manifests");
    if (!json_is_array(manifests))
        return err_set(err, EINVAL, "the image index has no list of manifests");
    struct choosing choosing = {.wanted = wanted};
    struct index_choice choice = {0};
    size_t i;
    json_t *entry;
    json_array_foreach(manifests, i, entry)
    {
        consider(&choosing, entry);
    }
    int result = tell_choice(&choosing, err);
    if (result == 0)
        result = descriptor_parse(choosing.best, "image index's entry", &choice.descriptor, err);
    if (result < 0)
        return result;
    const char *tag;
    choice.nested = is_one_of(json_text(choosing.best, "mediaType"), INDEX_OCI, INDEX_DOCKER);
    snprintf(choice.name, sizeof(choice.name), "%s", json_name(entry_name(choosing.best, &tag)));
    *out = choice;
    return 0;
}

static int check_layer_type(const json_t *layer, struct err *err)
{
    const char *type = json_text(layer, "mediaType");
    if (type == NULL)
        return 0;
    bool known = strncmp(type, LAYER_OCI, strlen(LAYER_OCI)) == 0 ||
                 strncmp(type, LAYER_DOCKER, strlen(LAYER_DOCKER)) == 0;
    if (!known || strstr(type, "encrypted") != NULL)
        return err_set(err, EINVAL, "layers of the kind '%.100s' are not supported", type);
    return 0;
}

static int layers_parse(const json_t *layers, struct manifest *out, struct err *err)
{
    size_t i;
    json_t *layer;
    if (!json_is_array(layers))
        return err_set(err, EINVAL, "the image manifest has no list of layers");
    if (json_array_size(layers) > MANIFEST_LAYERS_MAX)
        return err_set(err, EFBIG, "the image has %zu layers, more than %d",
                       json_array_size(layers), MANIFEST_LAYERS_MAX);
    json_array_foreach(layers, i, layer)
    {
        int result = check_layer_type(layer, err);
        if (result == 0)
            result = descriptor_parse(layer, "layer", &out->layers[i], err);
        if (result < 0)
            return result;
    }
    out->layer_count = (uint32_t)json_array_size(layers);
    return 0;
}

int manifest_parse(const char *json, size_t size, struct manifest *out, struct err *err)
{
    json_owner *top = json_parse(json, size, "image manifest", err);
    if (top == NULL)
        return -EINVAL;
    const char *type = json_text(top, "mediaType");
    if (json_integer_value(json_object_get(top, "schemaVersion")) != 2 ||
        (type != NULL && !is_one_of(type, MANIFEST_OCI, MANIFEST_DOCKER)))
        return err_set(err, EINVAL, "the image manifest is of a kind that is not supported (%.80s)",
                       type == NULL ? "schema version 1" : type);
    const json_t *config = json_object_get(top, "config");
    const char *config_type = json_text(config, "mediaType");
    if (config_type != NULL && !is_one_of(config_type, CONFIG_OCI, CONFIG_DOCKER))
        return err_set(err, EINVAL, "it is not an image of a container but of the kind '%.100s'",
                       config_type);
    struct manifest manifest = {0};
    int result = descriptor_parse(config, "image configuration", &manifest.config, err);
    if (result == 0)
        result = layers_parse(json_object_get(top, "layers"), &manifest, err);
    if (result == 0)
        *out = manifest;
    return result;
}
