/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The read-only image: an EROFS file system without compression, mapped by the monitor and shared
 * by all guests of a template. It is made on the host and trusted as far as the host's own files
 * are; still every place that it names is checked against its length, so that a damaged one gives
 * -EIO and not a crash.
 */
#ifndef SKERRY_GUEST_IMAGE_H
#define SKERRY_GUEST_IMAGE_H

#include "inode.h"

/** image_open(): takes the image at `at` (its physical address pa) of len bytes: 0, -EINVAL (not
 * EROFS), -EOPNOTSUPP. */
int image_open(const void *at, paddr_t pa, uint64_t len);

/** image_root(): the number of the root directory; 0 when there is no image. */
uint64_t image_root(void);

/** image_inode(): an inode with one reference for a number. Names of one file give the same inode
 * while it lives. */
int image_inode(uint64_t nid, struct inode **out);

/** image_forget(): an inode of the image is freed. */
void image_forget(struct inode *inode);

/** image_lookup(): the number of a name in a directory: 0, -ENOENT, -EIO. */
int image_lookup(uint64_t dir, const char *name, size_t len, uint64_t *out_nid);

/** image_each(): calls fn for each entry but "." and "..", until it fails. */
int image_each(uint64_t dir, int (*fn)(void *arg, const char *name, size_t len, uint64_t nid),
               void *arg);

/** image_page(): where page index of a file lies: its address in the image and how many of its
 * bytes are the file's. */
int image_page(uint64_t nid, uint64_t index, const void **out, size_t *out_len);

/** image_pa(): physical address of a place in the image. */
paddr_t image_pa(const void *at);

#endif
