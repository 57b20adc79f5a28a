/* SPDX-License-Identifier: Apache-2.0 */
/* Opening files, and what the kernel itself opens. */
#ifndef SKERRY_GUEST_OPEN_H
#define SKERRY_GUEST_OPEN_H

#include "file.h"
#include "path.h"

/** open_at(): as openat: 0 and a file with a reference. mode without what the umask takes. */
int open_at(struct dentry *base, const char *text, uint32_t flags, uint32_t mode, unsigned walk,
            struct file **out);

/** open_dentry(): opens what is already found. */
int open_dentry(struct dentry *dentry, uint32_t flags, struct file **out);

/** open_may(): whether the program's ids give it these rights (of R_OK, W_OK, X_OK) on an inode. */
bool open_may(const struct inode *inode, unsigned want);

extern const struct file_ops directory_ops;
extern const struct file_ops path_only_ops;

#endif
