/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's own root file system. Files keep the paths by which the loader looks for them; where
 * the top of such a path is a link on this machine (/lib is usr/lib), the same link is made here,
 * so that both names lead to one file.
 */
#include "image/exec_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/digest.h"
#include "image/path.h"

#define COVERED_BELOW "app"
#define MAX_BYTES     (UINT64_C(8) << 30)
#define MAX_FILES     UINT64_C(10000)
#define COPY_STEP     (size_t)(1u << 30)
#define COPY_BUFFER   65536

void exec_tree_open(struct exec_tree *tree, int fd)
{
    *tree = (struct exec_tree){0};
    rootfs_open(&tree->root, fd, MAX_BYTES, MAX_FILES);
}

void exec_tree_close(struct exec_tree *tree)
{
    for (size_t i = 0; i < tree->line_count; i++)
        free(tree->lines[i]);
    free(tree->lines);
    rootfs_close(&tree->root);
    *tree = (struct exec_tree){0};
}

int exec_tree_place(const char *path, char out[], size_t room)
{
    static const char *const covered[] = {"tmp", "dev", "proc", "sys", "run"};
    char clean[IMAGE_PATH_MAX];
    const char *below = "";
    int result = path_clean(path, clean);
    if (result < 0)
        return result;
    size_t top = strcspn(clean, "/");
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++) {
        if (strlen(covered[i]) == top && strncmp(clean, covered[i], top) == 0)
            below = "/" COVERED_BELOW;
    }
    int length = snprintf(out, room, "%s/%s", below, clean);
    return length < 0 || (size_t)length >= room ? -ENAMETOOLONG : 0;
}

/* Appends text with every byte that could end or split a line as %XX. */
static char *put_escaped(char *at, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text > ' ' && *text <= '~' && *text != '%')
            *at++ = *text;
        else
            at += sprintf(at, "%%%02x", (unsigned int)(unsigned char)*text);
    }
    *at = '\0';
    return at;
}

/* Adds the line "HEAD PATH", or "HEAD PATH TARGET" of a link. */
static int add_line(struct exec_tree *tree, const char *head, const char *path, const char *target)
{
    size_t count = tree->line_count;
    if ((count & (count - 1)) == 0) { /* full at each power of two */
        size_t room = count == 0 ? 1 : 2 * count;
        char **grown = realloc(tree->lines, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        tree->lines = grown;
    }
    char *line = malloc(strlen(head) + 3 * (strlen(path) + strlen(target)) + 3);
    if (line == NULL)
        return -ENOMEM;
    char *at = put_escaped(line + sprintf(line, "%s ", head), path);
    if (target[0] != '\0')
        put_escaped(at + sprintf(at, " "), target);
    tree->lines[tree->line_count++] = line;
    return 0;
}

static int add_link_line(struct exec_tree *tree, const char *place, const char *target,
                         struct err *err)
{
    int result = add_line(tree, "link", place, target);
    return result < 0 ? err_set(err, -result, "list the files of the image:") : 0;
}

/* Recreates the machine's own link at the top of place, if there is one. */
static int add_top_link(struct exec_tree *tree, const char *place, struct err *err)
{
    char top[IMAGE_NAME_BYTES + 2];
    char target[PATH_MAX];
    size_t length = 1 + strcspn(place + 1, "/");
    if (length >= sizeof(top) || place[length] == '\0')
        return 0;
    memcpy(top, place, length);
    top[length] = '\0';
    ssize_t size = readlink(top, target, sizeof(target) - 1);
    if (size <= 0)
        return 0;
    target[size] = '\0';
    if (symlinkat(target, tree->root.fd, top + 1) == 0)
        return add_link_line(tree, top, target, err);
    return errno == EEXIST ? 0 : err_set(err, errno, "make the link %s of the image:", top);
}

/* Opens the directory of place, making what is missing; its last component in out_name. */
static int open_parent(struct exec_tree *tree, const char *place, const char **out_name,
                       struct err *err)
{
    char parent[IMAGE_PATH_MAX];
    if (place[0] != '/' || strlen(place) >= IMAGE_PATH_MAX)
        return err_set(err, ENAMETOOLONG, "the path %.200s cannot be in an image", place);
    int result = add_top_link(tree, place, err);
    if (result < 0)
        return result;
    *out_name = path_split(place + 1, parent);
    int fd = rootfs_open_dir(&tree->root, parent);
    return fd < 0 ? err_set(err, -fd, "make the directory of %.200s in the image:", place) : fd;
}

static int copy_by_buffer(int from, int to)
{
    char buffer[COPY_BUFFER];
    ssize_t count;
    while ((count = fd_read_all(from, buffer, sizeof(buffer))) > 0) {
        int result = fd_write_all(to, buffer, (size_t)count);
        if (result < 0)
            return result;
    }
    return (int)count;
}

/* Copies a whole file, shared by the file system where it can. */
static int copy_file(int from, int to)
{
    off64_t at = 0;
    for (;;) {
        ssize_t count = copy_file_range(from, &at, to, NULL, COPY_STEP, 0);
        if (count == 0)
            return 0;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && at == 0 && lseek(from, 0, SEEK_SET) == 0)
            return copy_by_buffer(from, to); /* not between these file systems */
        if (count < 0)
            return -errno;
    }
}

static int add_file_line(struct exec_tree *tree, const char *place, int fd, mode_t mode)
{
    char head[16 + IMAGE_HEX_MAX];
    char hex[IMAGE_HEX_MAX];
    int result = digest_of_file(fd, hex);
    if (result < 0)
        return result;
    snprintf(head, sizeof(head), "file %04o %s", (unsigned int)mode, hex);
    return add_line(tree, head, place, "");
}

/* A new file at place, opened for reading and writing; -EEXIST when there is one. */
static int create_file(struct exec_tree *tree, const char *place, struct err *err)
{
    const char *name = "";
    fd_owner parent = open_parent(tree, place, &name, err);
    if (parent < 0)
        return parent;
    int fd = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? err_set(err, errno, "make %.200s in the image:", place) : fd;
}

int exec_tree_add_file(struct exec_tree *tree, const char *place, int fd, mode_t mode,
                       struct err *err)
{
    fd_owner to = create_file(tree, place, err);
    if (to == -EEXIST)
        return 0; /* the same file by another name of its directory */
    if (to < 0)
        return to;
    int result = copy_file(fd, to);
    if (result == 0 && fchmod(to, mode) < 0)
        result = -errno;
    if (result == 0)
        result = add_file_line(tree, place, to, mode);
    return result < 0 ? err_set(err, -result, "copy %.200s into the image:", place) : 0;
}

int exec_tree_add_text(struct exec_tree *tree, const char *place, const void *data, size_t size,
                       struct err *err)
{
    fd_owner to = create_file(tree, place, err);
    if (to < 0)
        return to == -EEXIST ? 0 : to;
    int result = fd_write_all(to, data, size);
    if (result == 0 && fchmod(to, 0644) < 0)
        result = -errno;
    if (result == 0)
        result = add_file_line(tree, place, to, 0644);
    return result < 0 ? err_set(err, -result, "write %.200s into the image:", place) : 0;
}

int exec_tree_add_link(struct exec_tree *tree, const char *place, const char *target,
                       struct err *err)
{
    const char *name = "";
    fd_owner parent = open_parent(tree, place, &name, err);
    if (parent < 0)
        return parent;
    fd_owner there = open_in_root(tree->root.fd, place, O_PATH, 0);
    fd_owner wanted = open_in_root(tree->root.fd, target, O_PATH, 0);
    struct stat one;
    struct stat other;
    if (there >= 0 && wanted >= 0 && fstat(there, &one) == 0 && fstat(wanted, &other) == 0 &&
        one.st_ino == other.st_ino)
        return 0;
    if (symlinkat(target, parent, name) < 0)
        return err_set(err, errno, "make the link %.200s of the image:", place);
    return add_link_line(tree, place, target, err);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int exec_tree_list(struct exec_tree *tree, const char *args, char **out, size_t *out_size)
{
    int result = add_line(tree, "args", args, "");
    if (result < 0)
        return result;
    qsort(tree->lines, tree->line_count, sizeof(tree->lines[0]), compare_lines);
    size_t size = 0;
    for (size_t i = 0; i < tree->line_count; i++)
        size += strlen(tree->lines[i]) + 1;
    char *text = malloc(size + 1);
    if (text == NULL)
        return -ENOMEM;
    char *at = text;
    for (size_t i = 0; i < tree->line_count; i++)
        at += sprintf(at, "%s\n", tree->lines[i]);
    *out = text;
    *out_size = size;
    return 0;
}
