// SPDX-License-Identifier: Apache-2.0
/* The tree of names: see tree.h. */
#include "tree.h"

#include "../mm/heap.h"
#include "image.h"

static struct dentry *root;

struct dentry *tree_root(void)
{
    return root;
}

static uint32_t hash_of(const char *name, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash;
}

void dentry_get(struct dentry *dentry)
{
    dentry->refs++;
}

void dentry_put(struct dentry *dentry)
{
    while (dentry && --dentry->refs == 0) {
        struct dentry *parent = dentry->parent;
        inode_put(dentry->inode);
        heap_free(dentry->name);
        heap_free(dentry);
        dentry = parent; /* a child holds its parent */
    }
}

static struct dentry *dentry_new(struct dentry *parent, const char *name, size_t len,
                                 struct inode *inode)
{
    struct dentry *dentry = heap_alloc(sizeof(*dentry));
    if (!dentry)
        return NULL;
    dentry->name = heap_string(name, len);
    if (!dentry->name) {
        heap_free(dentry);
        return NULL;
    }
    dentry->refs = 1;
    dentry->hash = hash_of(name, len);
    list_init(&dentry->link);
    list_init(&dentry->children);
    dentry->next_cookie = 3; /* "." and ".." are 1 and 2 */
    dentry->parent = parent;
    if (parent)
        dentry_get(parent);
    dentry->inode = inode;
    inode_get(inode);
    dentry->complete = inode->nid == 0;
    return dentry;
}

int tree_init(struct inode *inode)
{
    root = dentry_new(NULL, "", 0, inode);
    if (!root)
        return -ENOMEM;
    root->parent = root;
    return 0;
}

static void attach(struct dentry *dir, struct dentry *dentry)
{
    dentry->cookie = dir->next_cookie++;
    dentry_get(dentry);
    list_add_tail(&dir->children, &dentry->link);
}

static struct dentry *find_child(struct dentry *dir, const char *name, size_t len)
{
    uint32_t hash = hash_of(name, len);
    for (struct list *at = dir->children.next; at != &dir->children; at = at->next) {
        struct dentry *child = container_of(at, struct dentry, link);
        if (child->hash == hash && strlen(child->name) == len && !memcmp(child->name, name, len))
            return child;
    }
    return NULL;
}

static int lookup_made_up(struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
    struct inode *inode;
    int rc = dir->inode->ops->lookup(dir, name, len, &inode);
    if (rc < 0)
        return rc;
    *out = dentry_new(dir, name, len, inode);
    inode_put(inode);
    return *out ? 0 : -ENOMEM;
}

static int lookup_image(struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
    uint64_t nid;
    int rc = image_lookup(dir->inode->nid, name, len, &nid);
    if (rc < 0)
        return rc;
    struct inode *inode;
    rc = image_inode(nid, &inode);
    if (rc < 0)
        return rc;
    struct dentry *dentry = dentry_new(dir, name, len, inode);
    inode_put(inode);
    if (!dentry)
        return -ENOMEM;
    attach(dir, dentry);
    *out = dentry;
    return 0;
}

int tree_lookup(struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
    struct dentry *child = find_child(dir, name, len);
    if (child) {
        dentry_get(child);
        *out = child;
        return 0;
    }
    if (dir->inode->ops && dir->inode->ops->lookup)
        return lookup_made_up(dir, name, len, out);
    if (dir->deleted || dir->complete)
        return -ENOENT;
    return lookup_image(dir, name, len, out);
}

static int complete_one(void *arg, const char *name, size_t len, uint64_t nid)
{
    struct dentry *dir = arg;
    if (find_child(dir, name, len))
        return 0;
    struct inode *inode;
    int rc = image_inode(nid, &inode);
    if (rc < 0)
        return rc;
    struct dentry *dentry = dentry_new(dir, name, len, inode);
    inode_put(inode);
    if (!dentry)
        return -ENOMEM;
    attach(dir, dentry);
    dentry_put(dentry);
    return 0;
}

int tree_complete(struct dentry *dir)
{
    if (dir->complete)
        return 0;
    int rc = image_each(dir->inode->nid, complete_one, dir);
    if (rc == 0)
        dir->complete = true;
    return rc;
}

int tree_add(struct dentry *dir, const char *name, size_t len, struct inode *inode,
             struct dentry **out)
{
    int rc = tree_complete(dir);
    if (rc < 0)
        return rc;
    struct dentry *dentry = dentry_new(dir, name, len, inode);
    if (!dentry)
        return -ENOMEM;
    attach(dir, dentry);
    inode_touch(dir->inode);
    if (out)
        *out = dentry;
    else
        dentry_put(dentry);
    return 0;
}

int tree_remove(struct dentry *dentry)
{
    int rc = tree_complete(dentry->parent);
    if (rc < 0)
        return rc;
    inode_touch(dentry->parent->inode);
    list_del(&dentry->link);
    dentry->deleted = true;
    dentry_put(dentry);
    return 0;
}

int tree_move(struct dentry *dentry, struct dentry *dir, const char *name, size_t len)
{
    int rc = tree_complete(dir);
    if (rc == 0)
        rc = tree_complete(dentry->parent);
    char *copy = rc == 0 ? heap_string(name, len) : NULL;
    if (!copy)
        return rc ? rc : -ENOMEM;
    heap_free(dentry->name);
    dentry->name = copy;
    dentry->hash = hash_of(name, len);
    struct dentry *old = dentry->parent;
    list_del(&dentry->link);
    inode_touch(old->inode);
    dentry->parent = dir;
    dentry_get(dir);
    dentry->cookie = dir->next_cookie++;
    list_add_tail(&dir->children, &dentry->link);
    inode_touch(dir->inode);
    dentry_put(old);
    return 0;
}

bool tree_is_empty(struct dentry *dir)
{
    return tree_complete(dir) == 0 && list_empty(&dir->children);
}

long tree_path(struct dentry *dentry, char *to, size_t max)
{
    static const char mark[] = " (deleted)";
    size_t len = dentry->deleted ? sizeof(mark) - 1 : 0;
    for (struct dentry *at = dentry; at != root; at = at->parent)
        len += strlen(at->name) + 1;
    if (dentry == root)
        len = 1;
    if (len + 1 > max)
        return -ENAMETOOLONG;
    char *end = to + len;
    *end = 0;
    if (dentry->deleted) {
        end -= sizeof(mark) - 1;
        memcpy(end, mark, sizeof(mark) - 1);
    }
    for (struct dentry *at = dentry; at != root; at = at->parent) {
        size_t part = strlen(at->name);
        end -= part;
        memcpy(end, at->name, part);
        *--end = '/';
    }
    if (dentry == root)
        to[0] = '/';
    return (long)len;
}

int tree_detached(const char *name, struct inode *inode, struct dentry **out)
{
    *out = dentry_new(root, name, strlen(name), inode);
    return *out ? 0 : -ENOMEM;
}
