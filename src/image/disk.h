/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks: a root file system as one read-only file (EROFS, not compressed), for machines that cannot
 * share a directory with the host. One an image, made when it is first wanted, beside the image in
 * the store and collected with it.
 */
#ifndef SKERRY_IMAGE_DISK_H
#define SKERRY_IMAGE_DISK_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define IMAGE_DISK_PATH_MAX 4200

struct image_disk { /* one that is being made */
    pid_t pid;
    int ended; /* readable when mkfs.erofs has ended */
    int file;  /* the disk to be; locked as long as it has no name of its own */
    char disk[IMAGE_DISK_PATH_MAX], temp[IMAGE_DISK_PATH_MAX];
};

/*
 * Begins to make the file `disk` from a directory, by mkfs.erofs, which dies with its caller. The
 * directory stays until image_disk_end, which the caller owes, or image_disk_cancel. 0 or -errno.
 */
int image_disk_begin(const char *rootfs, const char *disk, struct image_disk *out, struct err *err);

/* Waits until mkfs.erofs has ended (at once when `ended` is readable); the disk appears by one
 * rename. Frees what begin took, whatever happens. 0 or -errno with a sentence; -ENOENT when
 * mkfs.erofs is not installed. */
int image_disk_end(struct image_disk *making, struct err *err);

/* Ends mkfs.erofs and leaves no disk. */
void image_disk_cancel(struct image_disk *making);

/* Both in one; waits. */
int image_disk_make(const char *rootfs, const char *disk, struct err *err);

/* The absolute path of the disk of a root file system that image_store_lookup gave, in out, room
 * bytes. 1: it is there, 0: it is to be made, or -errno. */
int image_disk_find(const char *rootfs, char *out, size_t room, struct err *err);

/* Finds the disk, or makes it; waits. 0 or -errno. */
int image_disk_of(const char *rootfs, char *out, size_t room, struct err *err);

#endif
