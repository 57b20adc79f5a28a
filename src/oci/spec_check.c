/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must fit together across properties: things that belong to a namespace need that namespace
 * to be the container's own, or they would change the host.
 */
#include <string.h>

#include "oci/spec_read.h"

static bool own(const struct spec_reader *in, enum oci_namespace_kind kind)
{
    return in->spec->linux_.namespaces[kind].listed;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* --- names of the machine --- */

static int check_names(struct spec_reader *in)
{
    const char *const names[] = {in->spec->hostname, in->spec->domainname};
    static const char *const keys[] = {"hostname", "domainname"};
    for (size_t i = 0; i < 2; i++) {
        if (names[i] == NULL || names[i][0] == '\0')
            continue;
        spec_enter(in, keys[i]);
        if (!own(in, OCI_NS_UTS))
            return spec_wrong(in, "needs a uts namespace of the container's own");
        if (strlen(names[i]) > 64)
            return spec_wrong(in, "is longer than 64 bytes");
        spec_leave(in, 0);
    }
    return 0;
}

/* --- sysctl --- */

/* Which namespace holds a sysctl; -1: none, it is the host's. name with dots. */
static int sysctl_home(const char *name)
{
    static const char *const ipc[] = {
        "kernel.msgmax",      "kernel.msgmnb",      "kernel.msgmni",      "kernel.sem",
        "kernel.shmall",      "kernel.shmmax",      "kernel.shmmni",      "kernel.shm_rmid_forced",
        "kernel.msg_next_id", "kernel.sem_next_id", "kernel.shm_next_id", "kernel.auto_msgmni"};
    for (size_t i = 0; i < sizeof(ipc) / sizeof(ipc[0]); i++) {
        if (strcmp(name, ipc[i]) == 0)
            return OCI_NS_IPC;
    }
    if (begins(name, "fs.mqueue."))
        return OCI_NS_IPC;
    if (begins(name, "net."))
        return OCI_NS_NETWORK;
    if (strcmp(name, "kernel.hostname") == 0 || strcmp(name, "kernel.domainname") == 0)
        return OCI_NS_UTS;
    if (begins(name, "user."))
        return OCI_NS_USER;
    return -1;
}

static bool sysctl_spelled(const char *name)
{
    if (name[0] == '.' || name[0] == '/' || name[strlen(name) - 1] == '.')
        return false;
    if (strpbrk(name, " \n\t\\") != NULL || strstr(name, "..") != NULL ||
        strstr(name, "//") != NULL)
        return false;
    /* with slashes dots belong to names ("net/ipv4/conf/eth0.1/..."), and "." is never one */
    return strstr(name, "/./") == NULL;
}

static int check_sysctls(struct spec_reader *in)
{
    const struct oci_pairs *sysctls = &in->spec->linux_.sysctl;
    for (size_t i = 0; i < sysctls->count; i++) {
        const char *name = sysctls->items[i].key;
        char dotted[128];
        spec_enter(in, "linux.sysctl");
        spec_enter(in, name);
        size_t length = strlen(name);
        if (length >= sizeof(dotted) || !sysctl_spelled(name))
            return spec_wrong(in, "is no name of a sysctl");
        memcpy(dotted, name, length + 1);
        for (char *slash = dotted; (slash = strchr(slash, '/')) != NULL;)
            *slash = '.';
        int home = sysctl_home(dotted);
        if (home < 0)
            return spec_wrong(in, "belongs to no namespace; it would change the host");
        if (!own(in, (enum oci_namespace_kind)home))
            return spec_wrong(in, "needs a %s namespace of the container's own",
                              oci_namespace_name((enum oci_namespace_kind)home));
        spec_leave(in, 0);
    }
    return 0;
}

/* --- user and time namespace --- */

static int check_user(struct spec_reader *in)
{
    const struct oci_linux *linux_ = &in->spec->linux_;
    const struct oci_namespace *user = &linux_->namespaces[OCI_NS_USER];
    bool maps = linux_->uid_maps.count > 0 || linux_->gid_maps.count > 0;
    if (maps && !user->listed) {
        spec_enter(in, "linux.uidMappings");
        return spec_wrong(in, "ids are mapped, but no user namespace is listed");
    }
    if (maps && user->path != NULL) {
        spec_enter(in, "linux.uidMappings");
        int result = spec_warn(in, "the user namespace at %.100s has its own, ignored", user->path);
        spec_leave(in, 0);
        return result;
    }
    if (user->listed && user->path == NULL &&
        (linux_->uid_maps.count == 0 || linux_->gid_maps.count == 0)) {
        spec_enter(in, linux_->uid_maps.count == 0 ? "linux.uidMappings" : "linux.gidMappings");
        return spec_wrong(in, "a new user namespace needs mappings");
    }
    return 0;
}

static int check_time(struct spec_reader *in)
{
    const struct oci_linux *linux_ = &in->spec->linux_;
    const struct oci_namespace *time = &linux_->namespaces[OCI_NS_TIME];
    if ((!linux_->monotonic.set && !linux_->boottime.set) || (time->listed && time->path == NULL))
        return 0;
    spec_enter(in, "linux.timeOffsets");
    return spec_wrong(in, "needs a new time namespace");
}

/* --- mounts and devices --- */

static int check_mounts(struct spec_reader *in)
{
    for (size_t i = 0; i < in->spec->mount_count; i++) {
        const struct oci_mount *mount = &in->spec->mounts[i];
        if ((mount->flags & (OCI_MOUNT_IDMAP | OCI_MOUNT_RIDMAP)) == 0 ||
            mount->uid_maps.count > 0 || own(in, OCI_NS_USER))
            continue;
        spec_enter(in, "mounts");
        spec_enter_index(in, i);
        return spec_wrong(in, "ids shall be mapped, but there are neither mappings nor a user "
                              "namespace");
    }
    return 0;
}

static int check_devices(struct spec_reader *in)
{
    const struct oci_linux *linux_ = &in->spec->linux_;
    if (!own(in, OCI_NS_MOUNT) && linux_->device_count > 0) {
        spec_enter(in, "linux.devices");
        return spec_wrong(in, "needs a mount namespace of the container's own");
    }
    for (size_t i = 0; i < linux_->device_count; i++) {
        for (size_t j = i + 1; j < linux_->device_count; j++) {
            if (strcmp(linux_->devices[i].path, linux_->devices[j].path) != 0)
                continue;
            spec_enter(in, "linux.devices");
            spec_enter_index(in, j);
            int result = spec_warn(in, "the path %.100s stands twice", linux_->devices[j].path);
            spec_leave(in, 0);
            if (result < 0)
                return result;
        }
    }
    return 0;
}

static int check_joined(struct spec_reader *in)
{
    spec_enter(in, "mounts");
    int result = spec_warn(in, "the mount namespace that is joined has its own root and mounts");
    spec_leave(in, 0);
    return result;
}

/* What is done to a mount would be done to the host's, or to another container's. */
static int check_paths(struct spec_reader *in)
{
    const struct oci_linux *linux_ = &in->spec->linux_;
    const struct oci_namespace *mount = &linux_->namespaces[OCI_NS_MOUNT];
    if (mount->listed && mount->path == NULL)
        return 0;
    if (linux_->masked_paths.count > 0)
        spec_enter(in, "linux.maskedPaths");
    else if (linux_->readonly_paths.count > 0)
        spec_enter(in, "linux.readonlyPaths");
    else if (linux_->rootfs_propagation != 0)
        spec_enter(in, "linux.rootfsPropagation");
    else if (in->spec->root.readonly)
        spec_enter(in, "root.readonly");
    else if (mount->listed && in->spec->mount_count > 0)
        return check_joined(in);
    else
        return 0;
    return spec_wrong(in, "needs a new mount namespace");
}

/* One page size, one limit. */
static int check_hugepages(struct spec_reader *in)
{
    const struct oci_resources *resources = &in->spec->linux_.resources;
    for (size_t i = 0; i < resources->hugepage_count; i++) {
        for (size_t j = i + 1; j < resources->hugepage_count; j++) {
            if (strcmp(resources->hugepages[i].page_size, resources->hugepages[j].page_size) != 0)
                continue;
            spec_enter(in, "linux.resources.hugepageLimits");
            spec_enter_index(in, j);
            return spec_wrong(in, "the page size %s stands twice",
                              resources->hugepages[j].page_size);
        }
    }
    return 0;
}

int spec_check(struct spec_reader *in)
{
    int (*const checks[])(struct spec_reader *) = {
        check_names,  check_sysctls, check_user,  check_time,
        check_mounts, check_devices, check_paths, check_hugepages,
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(checks) / sizeof(checks[0]); i++)
        result = checks[i](in);
    return result;
}
