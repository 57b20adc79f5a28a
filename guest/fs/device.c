// SPDX-License-Identifier: Apache-2.0
/* Character devices and /dev. */
#include "device.h"

#include <linux/major.h>

#include "../kernel/random.h"
#include "../mm/heap.h"
#include "../mm/page.h"

static long null_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    (void)file, (void)to, (void)len, (void)pos;
    return 0;
}

static long null_write(struct file *file, const void *from, size_t len, uint64_t *pos)
{
    (void)file, (void)from, (void)pos;
    return (long)len;
}

static long zero_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    (void)file, (void)pos;
    memset(to, 0, len);
    return (long)len;
}

static int zero_frame(struct file *file, uint64_t index, bool write, paddr_t *out)
{
    (void)file, (void)index, (void)write;
    *out = page_alloc_zero(0);
    return *out ? 0 : -ENOMEM;
}

static long full_write(struct file *file, const void *from, size_t len, uint64_t *pos)
{
    (void)file, (void)from, (void)len, (void)pos;
    return -ENOSPC;
}

static long random_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    (void)file, (void)pos;
    random_bytes(to, len);
    return (long)len;
}

static long random_write(struct file *file, const void *from, size_t len, uint64_t *pos)
{
    (void)file, (void)pos;
    random_mix(from, len);
    return (long)len;
}

static const struct file_ops null_ops = {.read = null_read, .write = null_write, .seekable = true};
static const struct file_ops zero_ops = {
    .read = zero_read, .write = null_write, .frame = zero_frame, .seekable = true};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write, .seekable = true};
static const struct file_ops random_ops = {
    .read = random_read, .write = random_write, .seekable = true};

static const struct {
    const char *name;
    uint64_t minor;
    const struct file_ops *ops;
} devices[] = {
    {"null", 3, &null_ops},     {"zero", 5, &zero_ops},      {"full", 7, &full_ops},
    {"random", 8, &random_ops}, {"urandom", 9, &random_ops},
};

const struct file_ops *device_ops(uint64_t rdev)
{
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        if (rdev == device_number(MEM_MAJOR, devices[i].minor))
            return devices[i].ops;
    }
    return NULL;
}

int fs_dir(struct dentry *parent, const char *name, uint32_t mode, enum inode_dev dev,
           struct dentry **out)
{
    if (tree_lookup(parent, name, strlen(name), out) == 0) {
        if (S_IS((*out)->inode->mode, S_IFDIR))
            return 0;
        int rc = tree_remove(*out);
        dentry_put(*out);
        if (rc < 0)
            return rc;
    }
    struct inode *inode = inode_new(S_IFDIR | mode, dev);
    if (!inode)
        return -ENOMEM;
    inode->nlink = 2;
    inode->uid = inode->gid = 0;
    int rc = tree_add(parent, name, strlen(name), inode, out);
    inode_put(inode);
    return rc;
}

static int put_link(struct dentry *dir, const char *name, const char *target)
{
    struct inode *inode = inode_new(S_IFLNK | 0777, DEV_DEV);
    if (!inode)
        return -ENOMEM;
    inode->target = heap_string(target, strlen(target));
    inode->size = strlen(target);
    int rc = inode->target ? tree_add(dir, name, strlen(name), inode, NULL) : -ENOMEM;
    inode_put(inode);
    return rc;
}

/* /dev is made anew whatever the image has there: none of its device numbers is looked at. */
int fs_mount_dev(struct dentry *root)
{
    struct dentry *dir, *shm;
    int rc = tree_lookup(root, "dev", 3, &dir);
    if (rc == 0) {
        rc = tree_remove(dir);
        dentry_put(dir);
    }
    if (rc < 0 && rc != -ENOENT)
        return rc;
    rc = fs_dir(root, "dev", 0755, DEV_DEV, &dir);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(devices); i++) {
        struct inode *inode = inode_new(S_IFCHR | 0666, DEV_DEV);
        if (!inode)
            return -ENOMEM;
        inode->rdev = device_number(MEM_MAJOR, devices[i].minor);
        inode->uid = inode->gid = 0;
        rc = tree_add(dir, devices[i].name, strlen(devices[i].name), inode, NULL);
        inode_put(inode);
    }
    if (rc == 0)
        rc = put_link(dir, "fd", "/proc/self/fd");
    if (rc == 0)
        rc = put_link(dir, "stdin", "/proc/self/fd/0");
    if (rc == 0)
        rc = put_link(dir, "stdout", "/proc/self/fd/1");
    if (rc == 0)
        rc = put_link(dir, "stderr", "/proc/self/fd/2");
    if (rc == 0)
        rc = fs_dir(dir, "shm", 01777, DEV_SHM, &shm);
    return rc;
}
