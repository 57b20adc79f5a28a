/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of names. A dentry is a name in a directory; directories of the image are looked up name
 * by name and become complete, all their entries in memory, as soon as one is listed or changed.
 * After that memory alone is true: there are no whiteouts.
 */
#ifndef SKERRY_GUEST_TREE_H
#define SKERRY_GUEST_TREE_H

#include "inode.h"

struct dentry {
    uint32_t refs; /* one of them is the tree's while it is in it */
    uint32_t hash;
    struct list link;     /* in the parent's children */
    struct list children; /* of a directory */
    struct dentry *parent;
    struct inode *inode;
    char *name;
    uint64_t cookie;      /* where getdents goes on; grows along the children */
    uint64_t next_cookie; /* of a directory, for its next child */
    bool complete;        /* a directory whose children are all in memory */
    bool deleted;
};

/** tree_root(): the root of all; it is its own parent. tree_set_root() is called once. */
struct dentry *tree_root(void);
int tree_init(struct inode *root);

void dentry_get(struct dentry *dentry);
void dentry_put(struct dentry *dentry);

/** tree_lookup(): the entry of a name in a directory, with a reference: 0, -ENOENT, -ENOMEM. */
int tree_lookup(struct dentry *dir, const char *name, size_t len, struct dentry **out);

/** tree_add(): a name for an inode (takes a reference of its own): 0 and, if wanted, the entry with
 * a reference. */
int tree_add(struct dentry *dir, const char *name, size_t len, struct inode *inode,
             struct dentry **out);

/** tree_remove(): takes an entry out of its directory; it lives on until the last reference goes.
 */
int tree_remove(struct dentry *dentry);

/** tree_complete(): brings all entries of an image's directory into memory. */
int tree_complete(struct dentry *dir);

/** tree_move(): gives an entry another directory and name; the target name is free. */
int tree_move(struct dentry *dentry, struct dentry *dir, const char *name, size_t len);

/** tree_detached(): an entry that no directory lists, for an inode without a name. */
int tree_detached(const char *name, struct inode *inode, struct dentry **out);

/** tree_is_empty(): whether a directory has no entry. */
bool tree_is_empty(struct dentry *dir);

/** tree_path(): the absolute path of an entry, with " (deleted)" if it is: its length or
 * -ENAMETOOLONG. */
long tree_path(struct dentry *dentry, char *to, size_t max);

#endif
