/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks: a root file system as one read-only file (EROFS, not compressed), for machines that cannot
 * share a directory with the host. One an image, made when it is first wanted, beside the image in
 * the store and collected with it.
 */
#ifndef SKERRY_IMAGE_DISK_H
#define SKERRY_IMAGE_DISK_H

#include <stddef.h>

#include "base/err.h"

/* Makes the file `disk` from a directory, by mkfs.erofs; it appears by one rename. 0 or -errno with
 * a sentence; -ENOENT when mkfs.erofs is not installed. Waits until it is done. */
int image_disk_make(const char *rootfs, const char *disk, struct err *err);

/* Finds, or makes, the disk of a root file system that image_store_lookup gave. out: its absolute
 * path, room bytes. 0 or -errno. */
int image_disk_of(const char *rootfs, char *out, size_t room, struct err *err);

#endif
