/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table. An option sets or clears bits of a word of the mount; access times are a field of two
 * bits within the attributes and go as one, which is why they have a kind of their own.
 */
#include "oci/mount_options.h"

#include <linux/mount.h>
#include <string.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum option_kind {
    OPTION_NOTHING = 0, /* known and without effect */
    OPTION_SET,         /* attributes of the mount (and of the superblock where `super` is given) */
    OPTION_CLEAR,
    OPTION_ATIME,
    OPTION_REC_SET, /* the same of all mounts below */
    OPTION_REC_CLEAR,
    OPTION_REC_ATIME,
    OPTION_SUPER_SET,
    OPTION_SUPER_CLEAR,
    OPTION_PROPAGATION,
    OPTION_FLAG,
};

struct mount_option {
    const char *name;
    enum option_kind kind;
    uint64_t bits;
};

static const struct mount_option options[] = {
    {"acl", OPTION_SUPER_SET, MS_POSIXACL},
    {"async", OPTION_SUPER_CLEAR, MS_SYNCHRONOUS},
    {"atime", OPTION_ATIME, MOUNT_ATTR_RELATIME}, /* the kernel's default, as without "noatime" */
    {"bind", OPTION_FLAG, OCI_MOUNT_BIND},
    {"defaults", OPTION_NOTHING, 0},
    {"dev", OPTION_CLEAR, MOUNT_ATTR_NODEV},
    {"diratime", OPTION_CLEAR, MOUNT_ATTR_NODIRATIME},
    {"dirsync", OPTION_SUPER_SET, MS_DIRSYNC},
    {"exec", OPTION_CLEAR, MOUNT_ATTR_NOEXEC},
    {"idmap", OPTION_FLAG, OCI_MOUNT_IDMAP},
    {"iversion", OPTION_SUPER_SET, MS_I_VERSION},
    {"lazytime", OPTION_SUPER_SET, MS_LAZYTIME},
    {"loud", OPTION_SUPER_CLEAR, MS_SILENT},
    {"mand", OPTION_SUPER_SET, MS_MANDLOCK},
    {"noacl", OPTION_SUPER_CLEAR, MS_POSIXACL},
    {"noatime", OPTION_ATIME, MOUNT_ATTR_NOATIME},
    {"nodev", OPTION_SET, MOUNT_ATTR_NODEV},
    {"nodiratime", OPTION_SET, MOUNT_ATTR_NODIRATIME},
    {"noexec", OPTION_SET, MOUNT_ATTR_NOEXEC},
    {"noiversion", OPTION_SUPER_CLEAR, MS_I_VERSION},
    {"nolazytime", OPTION_SUPER_CLEAR, MS_LAZYTIME},
    {"nomand", OPTION_SUPER_CLEAR, MS_MANDLOCK},
    {"norelatime", OPTION_NOTHING, 0}, /* mount(8): back to the default, which is relatime */
    {"nostrictatime", OPTION_ATIME, MOUNT_ATTR_RELATIME},
    {"nosuid", OPTION_SET, MOUNT_ATTR_NOSUID},
    {"nosymfollow", OPTION_SET, MOUNT_ATTR_NOSYMFOLLOW},
    {"private", OPTION_PROPAGATION, MS_PRIVATE},
    {"ratime", OPTION_REC_ATIME, MOUNT_ATTR_RELATIME},
    {"rbind", OPTION_FLAG, OCI_MOUNT_BIND | OCI_MOUNT_RBIND},
    {"rdev", OPTION_REC_CLEAR, MOUNT_ATTR_NODEV},
    {"rdiratime", OPTION_REC_CLEAR, MOUNT_ATTR_NODIRATIME},
    {"relatime", OPTION_ATIME, MOUNT_ATTR_RELATIME},
    {"remount", OPTION_FLAG, OCI_MOUNT_REMOUNT},
    {"rexec", OPTION_REC_CLEAR, MOUNT_ATTR_NOEXEC},
    {"ridmap", OPTION_FLAG, OCI_MOUNT_RIDMAP},
    {"rnoatime", OPTION_REC_ATIME, MOUNT_ATTR_NOATIME},
    {"rnodev", OPTION_REC_SET, MOUNT_ATTR_NODEV},
    {"rnodiratime", OPTION_REC_SET, MOUNT_ATTR_NODIRATIME},
    {"rnoexec", OPTION_REC_SET, MOUNT_ATTR_NOEXEC},
    {"rnorelatime", OPTION_REC_ATIME, MOUNT_ATTR_RELATIME},
    {"rnostrictatime", OPTION_REC_ATIME, MOUNT_ATTR_RELATIME},
    {"rnosuid", OPTION_REC_SET, MOUNT_ATTR_NOSUID},
    {"rnosymfollow", OPTION_REC_SET, MOUNT_ATTR_NOSYMFOLLOW},
    {"ro", OPTION_SET, MOUNT_ATTR_RDONLY},
    {"rprivate", OPTION_PROPAGATION, MS_PRIVATE | MS_REC},
    {"rrelatime", OPTION_REC_ATIME, MOUNT_ATTR_RELATIME},
    {"rro", OPTION_REC_SET, MOUNT_ATTR_RDONLY},
    {"rrw", OPTION_REC_CLEAR, MOUNT_ATTR_RDONLY},
    {"rshared", OPTION_PROPAGATION, MS_SHARED | MS_REC},
    {"rslave", OPTION_PROPAGATION, MS_SLAVE | MS_REC},
    {"rstrictatime", OPTION_REC_ATIME, MOUNT_ATTR_STRICTATIME},
    {"rsuid", OPTION_REC_CLEAR, MOUNT_ATTR_NOSUID},
    {"rsymfollow", OPTION_REC_CLEAR, MOUNT_ATTR_NOSYMFOLLOW},
    {"runbindable", OPTION_PROPAGATION, MS_UNBINDABLE | MS_REC},
    {"rw", OPTION_CLEAR, MOUNT_ATTR_RDONLY},
    {"shared", OPTION_PROPAGATION, MS_SHARED},
    {"silent", OPTION_SUPER_SET, MS_SILENT},
    {"slave", OPTION_PROPAGATION, MS_SLAVE},
    {"strictatime", OPTION_ATIME, MOUNT_ATTR_STRICTATIME},
    {"suid", OPTION_CLEAR, MOUNT_ATTR_NOSUID},
    {"symfollow", OPTION_CLEAR, MOUNT_ATTR_NOSYMFOLLOW},
    {"sync", OPTION_SUPER_SET, MS_SYNCHRONOUS},
    {"tmpcopyup", OPTION_FLAG, OCI_MOUNT_TMPCOPYUP},
    {"unbindable", OPTION_PROPAGATION, MS_UNBINDABLE},
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static void set_bits(uint64_t *set, uint64_t *clear, uint64_t bits)
{
    *set |= bits;
    *clear &= ~bits;
}

static void set_atime(uint64_t *set, uint64_t *clear, uint64_t bits)
{
    *set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | bits;
    *clear |= MOUNT_ATTR__ATIME;
}

/* Read-only is a property of the mount and, of a new file system, of its superblock. */
static void set_super(struct oci_mount *mount, uint64_t bits, bool on)
{
    unsigned long super = (unsigned long)bits;
    mount->sb_flags = on ? mount->sb_flags | super : mount->sb_flags & ~super;
    mount->sb_clear = on ? mount->sb_clear & ~super : mount->sb_clear | super;
}

static void apply(struct oci_mount *mount, const struct mount_option *option)
{
    switch (option->kind) {
    case OPTION_NOTHING:
        break;
    case OPTION_SET:
        set_bits(&mount->attr_set, &mount->attr_clear, option->bits);
        if (option->bits == MOUNT_ATTR_RDONLY)
            set_super(mount, MS_RDONLY, true);
        break;
    case OPTION_CLEAR:
        set_bits(&mount->attr_clear, &mount->attr_set, option->bits);
        if (option->bits == MOUNT_ATTR_RDONLY)
            set_super(mount, MS_RDONLY, false);
        break;
    case OPTION_ATIME:
        set_atime(&mount->attr_set, &mount->attr_clear, option->bits);
        break;
    case OPTION_REC_SET:
        set_bits(&mount->rec_attr_set, &mount->rec_attr_clear, option->bits);
        break;
    case OPTION_REC_CLEAR:
        set_bits(&mount->rec_attr_clear, &mount->rec_attr_set, option->bits);
        break;
    case OPTION_REC_ATIME:
        set_atime(&mount->rec_attr_set, &mount->rec_attr_clear, option->bits);
        break;
    case OPTION_SUPER_SET:
        set_super(mount, option->bits, true);
        break;
    case OPTION_SUPER_CLEAR:
        set_super(mount, option->bits, false);
        break;
    case OPTION_PROPAGATION:
        mount->propagation = (unsigned long)option->bits;
        break;
    case OPTION_FLAG:
        mount->flags |= (uint32_t)option->bits;
        break;
    }
}

bool oci_mount_option(struct oci_mount *mount, const char *name)
{
    size_t low = 0;
    size_t high = OPTIONS; /* sorted by name */
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, options[middle].name);
        if (order == 0) {
            apply(mount, &options[middle]);
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

unsigned long oci_propagation(const char *word)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].kind == OPTION_PROPAGATION && strcmp(options[i].name, word) == 0)
            return (unsigned long)options[i].bits;
    }
    return 0;
}

const char *oci_mount_option_name(size_t index)
{
    return index < OPTIONS ? options[index].name : NULL;
}
