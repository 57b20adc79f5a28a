/* SPDX-License-Identifier: Apache-2.0 */
/* `features` (runtime-spec, features.md): what this runtime can do, from the tables that do it. */
#include <errno.h>
#include <stdio.h>

#include "oci/json_write.h"
#include "oci/mount_options.h"
#include "oci/seccomp_names.h"
#include "oci/verb.h"

static void write_names(struct json_writer *out, const char *key, const struct oci_name *names)
{
    json_write_list(out, key);
    for (; names->name != NULL; names++)
        json_write_text(out, NULL, names->name);
    json_write_list_end(out);
}

static void write_enabled(struct json_writer *out, const char *key, bool enabled)
{
    json_write_object(out, key);
    json_write_bool(out, "enabled", enabled);
    json_write_object_end(out);
}

static void write_cgroup(struct json_writer *out)
{
    json_write_object(out, "cgroup");
    json_write_bool(out, "v1", true);
    json_write_bool(out, "v2", true);
    json_write_bool(out, "systemd", true);
    json_write_bool(out, "systemdUser", true);
    json_write_bool(out, "rdma", true);
    json_write_object_end(out);
}

static void write_seccomp(struct json_writer *out)
{
    static const char *const defaults[] = {NULL};
    json_write_object(out, "seccomp");
    json_write_bool(out, "enabled", true);
    write_names(out, "actions", oci_seccomp_action_names);
    write_names(out, "operators", oci_seccomp_operator_names);
    write_names(out, "archs", oci_seccomp_arch_names);
    write_names(out, "knownFlags", oci_seccomp_flag_names);
    write_names(out, "supportedFlags", oci_seccomp_flag_names);
    json_write_texts(out, "defaultFlags", defaults);
    json_write_object_end(out);
}

static void write_linux(struct json_writer *out)
{
    json_write_object(out, "linux");
    json_write_list(out, "namespaces");
    for (int i = 0; i < OCI_NAMESPACES; i++)
        json_write_text(out, NULL, oci_namespace_name((enum oci_namespace_kind)i));
    json_write_list_end(out);
    write_names(out, "capabilities", oci_capability_names);
    write_cgroup(out);
    write_seccomp(out);
    write_enabled(out, "apparmor", true);
    write_enabled(out, "selinux", true);
    write_enabled(out, "intelRdt", true);
    json_write_object(out, "mountExtensions");
    write_enabled(out, "idmap", true);
    json_write_object_end(out);
    json_write_object_end(out);
}

int oci_features(struct oci_call *call, struct err *err)
{
    struct json_writer out = {.indent = 4};
    (void)call;
    json_write_object(&out, NULL);
    json_write_text(&out, "ociVersionMin", "1.0.0");
    json_write_text(&out, "ociVersionMax", OCI_VERSION_SUPPORTED);
    json_write_list(&out, "hooks");
    for (int i = 0; i < OCI_HOOK_KINDS; i++)
        json_write_text(&out, NULL, oci_hook_kind_name((enum oci_hook_kind)i));
    json_write_list_end(&out);
    json_write_list(&out, "mountOptions");
    for (size_t i = 0; oci_mount_option_name(i) != NULL; i++)
        json_write_text(&out, NULL, oci_mount_option_name(i));
    json_write_list_end(&out);
    write_linux(&out);
    json_write_object(&out, "annotations");
    json_write_text(&out, "org.skerry.version", SKERRY_VERSION);
    json_write_object_end(&out);
    json_write_list(&out, "potentiallyUnsafeConfigAnnotations");
    json_write_list_end(&out);
    json_write_object_end(&out);
    int result = json_writer_finish(&out);
    if (result == 0 && (printf("%s\n", out.data) < 0 || fflush(stdout) != 0))
        result = -EIO;
    json_writer_free(&out);
    return result < 0 ? err_set(err, -result, "write the features:") : 0;
}
