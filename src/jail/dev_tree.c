/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev of a template: a tmpfs with the five nodes that programs need and nothing else. Only the
 * host's root can make device nodes, so it is made here, mounted nowhere, and handed to the zygote:
 * one mount that sandboxes copy instead of one a node.
 */
#include "jail/dev_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"

struct node {
    const char *name;
    unsigned int minor;
};

static int fill_dev(int dev, struct err *err)
{
    static const struct node nodes[] = {
        {"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}};
    static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"/tmp", "shm"}};
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        if (mknodat(dev, nodes[i].name, S_IFCHR | 0666, makedev(1, nodes[i].minor)) < 0 ||
            fchmodat(dev, nodes[i].name, 0666, 0) < 0)
            return err_set(err, errno, "make the sandboxes' /dev/%s:", nodes[i].name);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            return err_set(err, errno, "make the sandboxes' /dev/%s:", links[i][1]);
    }
    return 0;
}

/* KVM's node for a monitor: the host's own belongs to root or a group that has no id in there. */
static int add_kvm(int dev, struct err *err)
{
    struct stat host;
    if (stat("/dev/kvm", &host) < 0)
        return err_set(err, errno,
                       "the vm tier needs /dev/kvm (modprobe kvm_intel or kvm_amd; 'skerry doctor' "
                       "says what is there):");
    if (mknodat(dev, "kvm", S_IFCHR | 0666, host.st_rdev) < 0 || fchmodat(dev, "kvm", 0666, 0) < 0)
        return err_set(err, errno, "make the sandboxes' /dev/kvm:");
    return 0;
}

int dev_tree_make(int with_kvm, struct err *err)
{
    fd_owner context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "size", "64k", 0) < 0 ||
        syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_set(err, errno, "make the sandboxes' /dev:");
    fd_owner tree =
        (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (tree < 0)
        return err_set(err, errno, "mount the sandboxes' /dev:");
    int result = fill_dev(tree, err);
    if (result == 0 && with_kvm)
        result = add_kvm(tree, err);
    if (result < 0)
        return result;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
        return err_set(err, errno, "make the sandboxes' /dev read-only:");
    return fd_steal(&tree);
}
