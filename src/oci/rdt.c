/* SPDX-License-Identifier: Apache-2.0 */
/* See rdt.h; kernel documentation: filesystems/resctrl. */
#include "oci/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"

#define MOUNT         "/sys/fs/resctrl"
#define RESCTRL_MAGIC 0x7655821

static int open_mount(struct err *err)
{
    struct statfs facts;
    fd_owner dir = open(MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fstatfs(dir, &facts) < 0 || facts.f_type != RESCTRL_MAGIC)
        return err_set(err, ENOTSUP,
                       "linux.intelRdt: this machine has no resctrl file system at " MOUNT);
    return fd_steal(&dir);
}

/* The kernel takes one resource a line. */
static int write_schema(int class, const char *property, const char *schema, struct err *err)
{
    char text[1024];
    int length = snprintf(text, sizeof(text), "%s\n", schema);
    if (length < 0 || (size_t)length >= sizeof(text))
        return err_set(err, EINVAL, "linux.intelRdt.%s: too long", property);
    int result = fd_write_file_at(class, "schemata", text);
    if (result < 0)
        return err_set(err, -result, "linux.intelRdt.%s: write \"%.200s\":", property, schema);
    return 0;
}

static int write_schemata(int class, const char *l3, const char *bandwidth, struct err *err)
{
    int result = l3 != NULL ? write_schema(class, "l3CacheSchema", l3, err) : 0;
    return result == 0 && bandwidth != NULL ? write_schema(class, "memBwSchema", bandwidth, err)
                                            : result;
}

static int check_monitors(int mount, const struct oci_intel_rdt *rdt, struct err *err)
{
    char features[256] = "";
    fd_read_file_at(mount, "info/L3_MON/mon_features", features, sizeof(features));
    if (rdt->enable_cmt && strstr(features, "llc_occupancy") == NULL)
        return err_set(err, ENOTSUP, "linux.intelRdt.enableCMT: not supported by this machine");
    if (rdt->enable_mbm && strstr(features, "mbm_") == NULL)
        return err_set(err, ENOTSUP, "linux.intelRdt.enableMBM: not supported by this machine");
    return 0;
}

static int fill(int class, const struct oci_intel_rdt *rdt, pid_t pid, struct err *err)
{
    char text[24];
    int result = write_schemata(class, rdt->l3_cache_schema, rdt->mem_bw_schema, err);
    if (result < 0)
        return result;
    snprintf(text, sizeof(text), "%d", (int)pid);
    result = fd_write_file_at(class, "tasks", text);
    return result < 0 ? err_set(err, -result, "linux.intelRdt: enter the class:") : 0;
}

int oci_rdt_apply(const struct oci_intel_rdt *rdt, const char *id, pid_t pid, struct err *err)
{
    const char *name = rdt->clos_id != NULL ? rdt->clos_id : id;
    fd_owner mount = open_mount(err);
    if (mount < 0)
        return mount;
    int result = check_monitors(mount, rdt, err);
    if (result < 0)
        return result;
    bool bare = rdt->l3_cache_schema == NULL && rdt->mem_bw_schema == NULL;
    bool made = !(rdt->clos_id != NULL && bare) && mkdirat(mount, name, 0755) == 0;
    if (!made && errno != EEXIST && !(rdt->clos_id != NULL && bare))
        return err_set(err, errno, "linux.intelRdt: make the class %.100s:", name);
    fd_owner class = openat(mount, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    result = class >= 0
                 ? fill(class, rdt, pid, err)
                 : err_set(err, errno, "linux.intelRdt.closID: open the class %.100s:", name);
    if (result < 0 && made)
        unlinkat(mount, name, AT_REMOVEDIR);
    return result;
}

int oci_rdt_update(const char *name, const char *l3_cache_schema, const char *mem_bw_schema,
                   struct err *err)
{
    fd_owner mount = open_mount(err);
    if (mount < 0)
        return mount;
    fd_owner class = openat(mount, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (class < 0)
        return err_set(err, errno, "linux.intelRdt: open the class %.100s:", name);
    return write_schemata(class, l3_cache_schema, mem_bw_schema, err);
}

int oci_rdt_remove(const char *id, struct err *err)
{
    fd_owner mount = open_mount(NULL);
    if (mount < 0 || unlinkat(mount, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    return err_set(err, errno, "remove the class %.100s of " MOUNT ":", id);
}
