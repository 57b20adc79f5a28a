// SPDX-License-Identifier: Apache-2.0
/* From a path to what it names: names one by one, links in place of their names. */
#include "path.h"

#include <linux/fcntl.h>

#include "../kernel/process.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "file.h"
#include "open.h"

struct walk {
    struct dentry *at;  /* a reference */
    struct dentry *top; /* what ".." and "/" do not leave */
    unsigned flags;
    int links;
};

static void step_to(struct walk *walk, struct dentry *next)
{
    dentry_put(walk->at);
    walk->at = next;
}

void path_done(struct path *path)
{
    dentry_put(path->dir);
    dentry_put(path->found);
    path->dir = path->found = NULL;
}

static int walk_text(struct walk *walk, const char *text, struct path *last);

static int start_at(struct walk *walk, const char *text)
{
    if (text[0] != '/')
        return 0;
    if (walk->flags & PATH_BENEATH)
        return -EXDEV;
    dentry_get(walk->top);
    step_to(walk, walk->top);
    return 0;
}

/* Replaces `link` by what it says; walk->at is the link's directory. */
static int follow(struct walk *walk, struct dentry *link)
{
    if (walk->flags & PATH_NO_LINKS || ++walk->links > LINKS_MAX)
        return -ELOOP;
    struct inode *inode = link->inode;
    if (inode->ops && inode->ops->follow) {
        struct dentry *next;
        if (walk->flags & PATH_NO_MAGIC)
            return -ELOOP;
        int rc = inode->ops->follow(inode, &next);
        if (rc == 0)
            step_to(walk, next);
        return rc;
    }
    char *text = heap_alloc(PATH_BYTES);
    if (!text)
        return -ENOMEM;
    long len = inode_link_text(inode, text, PATH_BYTES - 1);
    int rc = len < 0 ? (int)len : len == 0 ? -ENOENT : start_at(walk, text);
    if (rc == 0)
        rc = walk_text(walk, text, NULL);
    heap_free(text);
    return rc;
}

static int step_up(struct walk *walk)
{
    if (walk->at == walk->top)
        return walk->flags & PATH_BENEATH ? -EXDEV : 0;
    struct dentry *parent = walk->at->parent;
    dentry_get(parent);
    step_to(walk, parent);
    return 0;
}

/* One name below walk->at, which becomes what it names. */
static int step(struct walk *walk, const char *name, size_t len, bool follow_link)
{
    if (!S_IS(walk->at->inode->mode, S_IFDIR))
        return -ENOTDIR;
    if (!open_may(walk->at->inode, 1)) /* to pass through, also to itself: link_path_walk() */
        return -EACCES;
    if (len == 1 && name[0] == '.')
        return 0;
    if (len == 2 && name[0] == '.' && name[1] == '.')
        return step_up(walk);
    if (len > NAME_BYTES)
        return -ENAMETOOLONG;
    struct dentry *next;
    int rc = tree_lookup(walk->at, name, len, &next);
    if (rc < 0)
        return rc;
    if (S_IS(next->inode->mode, S_IFLNK) && follow_link) {
        rc = follow(walk, next);
        dentry_put(next);
        return rc;
    }
    step_to(walk, next);
    return 0;
}

/* The last name of a path whose directory is what counts. */
static int last_name(struct walk *walk, const char *name, size_t len, struct path *out)
{
    if (!S_IS(walk->at->inode->mode, S_IFDIR))
        return -ENOTDIR;
    if (len > NAME_BYTES)
        return -ENAMETOOLONG;
    memcpy(out->name, name, len);
    out->name[len] = 0;
    out->name_len = len;
    out->dots = len == 0 || (len <= 2 && !memcmp(name, "..", len));
    dentry_get(walk->at);
    out->dir = walk->at;
    bool go = walk->flags & PATH_FOLLOW || (out->slash && !out->dots);
    int rc = step(walk, name, len, go);
    if (rc == -ENOENT && !out->dots) {
        struct dentry *dangling;
        /* A link to nothing: what is to be made is made where it points; its own name counts as
         * there. */
        if (tree_lookup(out->dir, name, len, &dangling) == 0) {
            out->found = NULL;
            dentry_put(dangling);
            return go ? -ENOENT : 0;
        }
        return 0;
    }
    if (rc < 0)
        return rc;
    dentry_get(walk->at);
    out->found = walk->at;
    return 0;
}

/* Walks all of text; with last, stops before its last name and fills last. */
static int walk_text(struct walk *walk, const char *text, struct path *last)
{
    const char *at = text;
    for (;;) {
        while (*at == '/')
            at++;
        if (!*at)
            break;
        const char *end = at;
        while (*end && *end != '/')
            end++;
        const char *rest = end;
        while (*rest == '/')
            rest++;
        if (last && !*rest) {
            last->slash = *end == '/';
            return last_name(walk, at, (size_t)(end - at), last);
        }
        int rc = step(walk, at, (size_t)(end - at),
                      *rest || *end == '/' || walk->flags & PATH_FOLLOW || !last);
        if (rc < 0)
            return rc;
        at = end;
    }
    if (last) { /* "/" alone */
        last->dots = true;
        dentry_get(walk->at);
        last->dir = walk->at;
        dentry_get(walk->at);
        last->found = walk->at;
        return 0;
    }
    if (at > text && at[-1] == '/' && !S_IS(walk->at->inode->mode, S_IFDIR))
        return -ENOTDIR;
    return 0;
}

int path_walk(struct dentry *base, const char *text, unsigned flags, struct path *out)
{
    memset(out, 0, sizeof(*out));
    if (!text[0])
        return -ENOENT;
    struct walk walk = {.flags = flags, .at = base ? base : process.cwd, .top = tree_root()};
    if (flags & (PATH_IN_ROOT | PATH_BENEATH))
        walk.top = walk.at;
    dentry_get(walk.at);
    int rc = start_at(&walk, text);
    if (rc == 0) {
        /* Where only the thing itself counts the last name is a step like others, but for links. */
        rc = walk_text(&walk, text, out);
        if (rc == 0 && !out->found && !(flags & PATH_PARENT))
            rc = -ENOENT;
        if (rc == 0 && out->found && out->slash && !S_IS(out->found->inode->mode, S_IFDIR))
            rc = -ENOTDIR;
    }
    dentry_put(walk.at);
    if (rc < 0)
        path_done(out);
    return rc;
}

int path_at(int dirfd, uint64_t user_text, unsigned flags, bool at_empty, struct path *out)
{
    char *text = heap_alloc(PATH_BYTES);
    if (!text)
        return -ENOMEM;
    long len = user_string(text, user_text, PATH_BYTES);
    struct file *file = NULL;
    int rc = len < 0 ? (int)len : 0;
    if (rc == 0 && dirfd != AT_FDCWD && text[0] != '/') {
        file = fd_get(dirfd);
        if (!file)
            rc = -EBADF;
        else if (text[0] && (!file->dentry || !S_IS(file->inode->mode, S_IFDIR)))
            rc = -ENOTDIR;
    }
    if (rc == 0 && !text[0]) {
        memset(out, 0, sizeof(*out));
        out->found = file ? file->dentry : process.cwd;
        if (!at_empty || !out->found)
            rc = -ENOENT;
        else
            dentry_get(out->found);
    } else if (rc == 0) {
        rc = path_walk(file ? file->dentry : NULL, text, flags, out);
    }
    heap_free(text);
    return rc;
}
