/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of an image: index, manifest, configuration (OCI image specification 1.1) and
 * the manifest.json of a docker archive. Pure functions on buffers: they run in a confined child.
 */
#ifndef SKERRY_IMAGE_MANIFEST_H
#define SKERRY_IMAGE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strblock.h"
#include "image/store.h"

#define MANIFEST_JSON_MAX   (2u << 20) /* bytes of one document */
#define MANIFEST_LAYERS_MAX 256
#define MANIFEST_USER_MAX   256

#define MANIFEST_OS           "linux"
#define MANIFEST_ARCHITECTURE "amd64" /* the only one that Skerry runs on */

struct descriptor {
    char hex[IMAGE_HEX_MAX];
    uint64_t size;
};

struct index_choice {
    struct descriptor descriptor;
    bool nested;              /* it names another index, not a manifest */
    char name[IMAGE_REF_MAX]; /* what the index calls it (a reference or a bare tag), or "" */
};

struct manifest {
    struct descriptor config;
    uint32_t layer_count;
    struct descriptor layers[MANIFEST_LAYERS_MAX];
};

struct image_config {
    struct image_meta meta; /* args, env and cwd are filled */
    char user[MANIFEST_USER_MAX];
    uint32_t diff_id_count;
    char diff_ids[MANIFEST_LAYERS_MAX][IMAGE_HEX_MAX];
};

struct docker_choice {
    char name[IMAGE_REF_MAX]; /* the first of RepoTags, or "" */
    char config[1024];        /* name of a member of the archive */
    STRBLOCK(MANIFEST_LAYERS_MAX * 256) layers;
};

/*
 * Chooses from an index the manifest for this platform. wanted: the name that is asked for, NULL
 * when only one image is expected. 0, or -EINVAL, -ENOENT, -ENOTUNIQ with a sentence that lists
 * what there is.
 */
int index_choose(const char *json, size_t size, const char *wanted, struct index_choice *out,
                 struct err *err);

/* Reads a manifest: configuration and layers, in order from the base. 0 or -EINVAL. */
int manifest_parse(const char *json, size_t size, struct manifest *out, struct err *err);

/*
 * Reads a configuration; refuses one of another platform (-ENOEXEC). 0 or -EINVAL, -E2BIG: then
 * what is in out means nothing, as after a failure of docker_choose.
 */
int config_parse(const char *json, size_t size, struct image_config *out, struct err *err);

/* Chooses an image from a docker archive's manifest.json; as index_choose. */
int docker_choose(const char *json, size_t size, const char *wanted, struct docker_choice *out,
                  struct err *err);

#endif
