/* SPDX-License-Identifier: Apache-2.0 */
/* Character devices: null, zero, full, random, urandom. */
#ifndef SKERRY_GUEST_DEVICE_H
#define SKERRY_GUEST_DEVICE_H

#include "file.h"
#include "tree.h"

/** device_ops(): what a device of this number does; NULL for one we do not have. */
const struct file_ops *device_ops(uint64_t rdev);

/** device_number(): as the kernel packs major and minor. */
static inline uint64_t device_number(uint64_t major, uint64_t minor)
{
    return (major << 8) | minor;
}

/** fs_mount_dev(), fs_mount_proc(): make what programs expect there. fs_dir(): a directory, made if
 * missing. */
int fs_mount_dev(struct dentry *root);
int fs_mount_proc(struct dentry *root);
int fs_dir(struct dentry *parent, const char *name, uint32_t mode, enum inode_dev dev,
           struct dentry **out);

#endif
