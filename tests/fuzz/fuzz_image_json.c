/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of an image: index, manifest, configuration, a docker archive's list; and its
 * users. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/digest.h"
#include "image/manifest.h"
#include "image/ref.h"
#include "image/user.h"

static void check_config(const struct image_config *config)
{
    if (!STRBLOCK_VALID(&config->meta.args) || !STRBLOCK_VALID(&config->meta.env) ||
        (config->meta.cwd[0] != '\0' && config->meta.cwd[0] != '/'))
        abort();
    for (uint32_t i = 0; i < config->diff_id_count; i++) {
        if (!digest_hex_valid(config->diff_ids[i]))
            abort();
    }
}

/* "USER\nPASSWD\0GROUP" */
static void resolve(const char *text, size_t size)
{
    struct err err;
    uint32_t uid = 0;
    uint32_t gid = 0;
    char *copy = malloc(size + 2);
    memcpy(copy, text, size);
    copy[size] = copy[size + 1] = '\0';
    char *passwd = strchr(copy, '\n');
    if (passwd != NULL) {
        *passwd++ = '\0';
        const char *group = passwd + strlen(passwd);
        group += group < copy + size;
        if (user_resolve(copy, passwd, group, &uid, &gid, &err) == 0 &&
            (uid > 65535 || gid > 65535))
            abort();
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct index_choice choice;
    static struct manifest manifest;
    static struct image_config config;
    static struct docker_choice docker;
    struct err err;
    const char *json = (const char *)data;
    if (index_choose(json, size, NULL, &choice, &err) == 0 &&
        (!digest_hex_valid(choice.descriptor.hex) ||
         (choice.name[0] != '\0' && ref_check(choice.name, NULL) < 0)))
        abort();
    index_choose(json, size, "v1", &choice, &err);
    if (manifest_parse(json, size, &manifest, &err) == 0 &&
        (manifest.layer_count > MANIFEST_LAYERS_MAX || !digest_hex_valid(manifest.config.hex)))
        abort();
    if (config_parse(json, size, &config, &err) == 0)
        check_config(&config);
    if (docker_choose(json, size, NULL, &docker, &err) == 0 &&
        (!STRBLOCK_VALID(&docker.layers) || docker.layers.count > MANIFEST_LAYERS_MAX))
        abort();
    resolve(json, size);
    return 0;
}
