/* SPDX-License-Identifier: Apache-2.0 */
/* A set of inode numbers: what one layer made. */
#ifndef SKERRY_IMAGE_INODE_SET_H
#define SKERRY_IMAGE_INODE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inode_set {   /* {0} is empty */
    uint64_t *slots; /* 0: free; linear probing */
    size_t room;     /* a power of two, or 0 */
    size_t count;
};

/* Adds inode (not 0). 0 or -ENOMEM. */
int inode_set_add(struct inode_set *set, uint64_t inode);
bool inode_set_has(const struct inode_set *set, uint64_t inode);
/* Empties it and frees its memory. */
void inode_set_clear(struct inode_set *set);

#endif
