/* SPDX-License-Identifier: Apache-2.0 */
/* The list `mounts` (config.md, "Mounts"). */
#include <string.h>

#include "oci/mount_options.h"
#include "oci/spec_read.h"

/* Wants in->spec's arena; relative destinations are what older configurations have. */
static int read_destination(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    if (value->text[0] == '\0')
        return spec_wrong(in, "is empty");
    if (value->text[0] == '/')
        return spec_read_text(in, value, out);
    result = spec_warn(in, "\"%.80s\" is not absolute; taken below /", value->text);
    char *absolute = json_arena_printf(&in->spec->arena, "/%s", value->text);
    if (absolute == NULL)
        return spec_no_memory(in);
    *(const char **)out = absolute;
    return result;
}

static int read_options(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_mount *mount = out;
    struct oci_strings all = {0};
    int result = spec_read_strings(in, value, &all);
    if (result < 0)
        return result;
    mount->data.items = json_arena_alloc(&in->spec->arena, (all.count + 1) * sizeof(char *));
    if (mount->data.items == NULL)
        return spec_no_memory(in);
    for (size_t i = 0; i < all.count; i++) {
        if (all.items[i][0] == '\0') {
            spec_enter_index(in, i);
            return spec_wrong(in, "is empty");
        }
        if (!oci_mount_option(mount, all.items[i]))
            mount->data.items[mount->data.count++] = all.items[i];
    }
    return 0;
}

static int check_id_maps(struct spec_reader *in, struct oci_mount *mount)
{
    bool maps = mount->uid_maps.count > 0;
    if (maps != (mount->gid_maps.count > 0))
        return spec_wrong(in, "uidMappings and gidMappings must both be given or both be left out");
    if (maps && (mount->flags & OCI_MOUNT_RIDMAP) == 0)
        mount->flags |= OCI_MOUNT_IDMAP;
    if ((mount->flags & (OCI_MOUNT_IDMAP | OCI_MOUNT_RIDMAP)) != 0 &&
        (mount->flags & OCI_MOUNT_BIND) == 0)
        return spec_unsupported(in, "ids can be mapped of bind mounts only");
    return 0;
}

static int check_mount(struct spec_reader *in, struct oci_mount *mount)
{
    if (mount->type != NULL && strcmp(mount->type, "bind") == 0)
        mount->flags |= OCI_MOUNT_BIND;
    bool bind = (mount->flags & OCI_MOUNT_BIND) != 0;
    if (bind && (mount->source == NULL || mount->source[0] == '\0') &&
        (mount->flags & OCI_MOUNT_REMOUNT) == 0)
        return spec_wrong(in, "a bind mount without a source");
    if (!bind && (mount->type == NULL || mount->type[0] == '\0') && mount->propagation == 0 &&
        (mount->flags & OCI_MOUNT_REMOUNT) == 0)
        return spec_wrong(in, "neither a type nor the option bind");
    if ((mount->flags & OCI_MOUNT_TMPCOPYUP) != 0 &&
        (mount->type == NULL || strcmp(mount->type, "tmpfs") != 0))
        return spec_wrong(in, "tmpcopyup is an option of tmpfs only");
    return check_id_maps(in, mount);
}

static int read_mount(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("destination", read_destination, struct oci_mount, destination),
        SPEC_FIELD("source", spec_read_text, struct oci_mount, source),
        SPEC_FIELD("type", spec_read_text, struct oci_mount, type),
        {"options", read_options, 0, false},
        SPEC_FIELD("uidMappings", spec_read_id_maps, struct oci_mount, uid_maps),
        SPEC_FIELD("gidMappings", spec_read_id_maps, struct oci_mount, gid_maps),
    };
    static char *no_data[] = {NULL};
    struct oci_mount *mount = out;
    mount->data.items = no_data;
    int result = SPEC_READ_OBJECT(in, value, fields, mount);
    return result == 0 ? check_mount(in, mount) : result;
}

int spec_read_mounts(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_spec *spec = out;
    return spec_read_list(in, value, sizeof(struct oci_mount), read_mount, &spec->mount_count,
                          &spec->mounts);
}
