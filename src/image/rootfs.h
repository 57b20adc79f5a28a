/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root file system while layers are laid into it, by a confined child.
 *
 * Names are clean paths (path.h) below the root. Parents are resolved within the root as a program
 * in the image would see them (RESOLVE_IN_ROOT); the last component is never followed, and a file
 * is never opened for writing but when it was just made. Every file and byte is charged to a limit.
 */
#ifndef SKERRY_IMAGE_ROOTFS_H
#define SKERRY_IMAGE_ROOTFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "image/inode_set.h"

struct rootfs {
    int fd;          /* the root */
    bool keep_owner; /* we may give files to any uid: owners of layers are kept */
    uint64_t bytes_left;
    uint64_t files_left;
    struct inode_set layer; /* what the current layer made: its whiteouts spare it */
};

struct rootfs_attributes {
    mode_t mode; /* of it only 01777 is used */
    int64_t uid; /* outside 0..65535: 65534 */
    int64_t gid;
    struct timespec mtime;
};

/*
 * Opens path below root with openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS); "" is the root.
 * flags and mode as for open; O_CLOEXEC is added. A descriptor or -errno.
 */
int open_in_root(int root, const char *path, int flags, mode_t mode);

/*
 * Begins work on the directory fd, which stays the caller's. Finds out whether owners can be kept.
 */
void rootfs_open(struct rootfs *root, int fd, uint64_t max_bytes, uint64_t max_files);
void rootfs_close(struct rootfs *root);

/* Forgets what the layer before made. */
void rootfs_begin_layer(struct rootfs *root);

/* Charges one file, or bytes. 0, or -EFBIG with a sentence. */
int rootfs_charge_file(struct rootfs *root, struct err *err);
int rootfs_charge_bytes(struct rootfs *root, uint64_t bytes, struct err *err);

/* Opens the directory path, making what is missing on the way (0755). A descriptor or -errno. */
int rootfs_open_dir(struct rootfs *root, const char *path);

/* Removes name below parent, whatever it is and holds. 0 or -errno. */
int rootfs_clear(struct rootfs *root, int parent, const char *name);

/*
 * Removes name below parent but for what the current layer made: a whiteout. 0, -ELOOP when it is
 * too deep, or -errno.
 */
int rootfs_prune(struct rootfs *root, int parent, const char *name);

/* The same for all entries of the directory: an opaque whiteout. */
int rootfs_prune_dir(struct rootfs *root, int dir);

/* Gives name below parent its owner, mode (not of a symbolic link) and time, and marks it as the
 * current layer's. 0 or -errno. */
int rootfs_dress(struct rootfs *root, int parent, const char *name,
                 const struct rootfs_attributes *attributes);

#endif
