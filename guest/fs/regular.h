/* SPDX-License-Identifier: Apache-2.0 */
/* Ordinary files: the image's content, covered page by page by what was written. */
#ifndef SKERRY_GUEST_REGULAR_H
#define SKERRY_GUEST_REGULAR_H

#include "file.h"
#include "inode.h"

extern const struct file_ops regular_ops;

/** regular_resize(): sets the length; what is new reads as zero. 0, -EFBIG, -ENOMEM, -EPERM
 * (sealed). */
int regular_resize(struct inode *inode, uint64_t size);

/** regular_allocate(): gives frames to a range (fallocate). */
int regular_allocate(struct inode *inode, uint64_t from, uint64_t len);

/** regular_punch(): a range inside the file reads as zero. */
int regular_punch(struct inode *inode, uint64_t from, uint64_t len);

/** regular_free(): gives its content in memory back. */
void regular_free(struct inode *inode);

/** regular_blocks(): how many blocks of 512 bytes its content takes. */
uint64_t regular_blocks(const struct inode *inode);

/** regular_next(): SEEK_DATA and SEEK_HOLE: where from `at` on data (a hole) begins; -ENXIO. */
int64_t regular_next(struct inode *inode, uint64_t at, bool data);

#endif
