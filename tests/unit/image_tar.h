/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives and directories for the tests of the image room: tar streams made in memory by
 * libarchive (hostile ones included: it writes what it is told), and a directory to unpack into.
 */
#ifndef SKERRY_TESTS_IMAGE_TAR_H
#define SKERRY_TESTS_IMAGE_TAR_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "image/digest.h"
#include "image/tree.h"

#define HELPER __attribute__((unused)) static

struct bytes { /* a buffer that the test frees */
    char *data;
    size_t size;
};

struct tar { /* an archive that is being written */
    struct archive *archive;
    struct bytes bytes;
};

static la_ssize_t tar_grow(struct archive *archive, void *arg, const void *data, size_t size)
{
    struct bytes *bytes = arg;
    (void)archive;
    bytes->data = realloc(bytes->data, bytes->size + size);
    assert_non_null(bytes->data);
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return (la_ssize_t)size;
}

/* filter: ARCHIVE_FILTER_NONE, _GZIP or _ZSTD */
HELPER void tar_open(struct tar *tar, int filter)
{
    memset(tar, 0, sizeof(*tar));
    tar->archive = archive_write_new();
    assert_non_null(tar->archive);
    assert_int_equal(archive_write_add_filter(tar->archive, filter), ARCHIVE_OK);
    assert_int_equal(archive_write_set_format_pax_restricted(tar->archive), ARCHIVE_OK);
    archive_write_set_bytes_in_last_block(tar->archive, 1);
    assert_int_equal(archive_write_open(tar->archive, &tar->bytes, NULL, tar_grow, NULL),
                     ARCHIVE_OK);
}

HELPER struct bytes tar_close(struct tar *tar)
{
    assert_int_equal(archive_write_close(tar->archive), ARCHIVE_OK);
    archive_write_free(tar->archive);
    return tar->bytes;
}

/* One entry. link: the target of a symbolic link (type AE_IFLNK) or of a hard link (type 0). */
HELPER void tar_add(struct tar *tar, const char *name, unsigned int type, unsigned int mode,
                    const char *link, const void *data, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    assert_non_null(entry);
    archive_entry_copy_pathname(entry, name);
    archive_entry_set_filetype(entry, type == 0 ? AE_IFREG : type);
    archive_entry_set_perm(entry, (mode_t)mode);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_mtime(entry, 1000000000, 0);
    if (type == AE_IFLNK)
        archive_entry_copy_symlink(entry, link);
    else if (link != NULL)
        archive_entry_copy_hardlink(entry, link);
    if (type == AE_IFCHR || type == AE_IFBLK) {
        archive_entry_set_rdevmajor(entry, 1);
        archive_entry_set_rdevminor(entry, 3);
    }
    assert_true(archive_write_header(tar->archive, entry) >= ARCHIVE_WARN);
    if (size > 0)
        assert_int_equal(archive_write_data(tar->archive, data, size), size);
    archive_entry_free(entry);
}

HELPER void tar_file(struct tar *tar, const char *name, const char *text)
{
    tar_add(tar, name, AE_IFREG, 0644, NULL, text, strlen(text));
}

HELPER void tar_dir(struct tar *tar, const char *name)
{
    tar_add(tar, name, AE_IFDIR, 0755, NULL, NULL, 0);
}

HELPER void tar_symlink(struct tar *tar, const char *name, const char *target)
{
    tar_add(tar, name, AE_IFLNK, 0777, target, NULL, 0);
}

HELPER void tar_hardlink(struct tar *tar, const char *name, const char *target)
{
    tar_add(tar, name, 0, 0644, target, NULL, 0);
}

/* The bytes in a file without a name, at its beginning. */
HELPER int bytes_fd(const struct bytes *bytes)
{
    int fd = memfd_create("bytes", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes->data, bytes->size), bytes->size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* A new directory below /tmp, as a descriptor; its path in out. */
HELPER int make_temp(char out[64])
{
    snprintf(out, 64, "/tmp/skerry-image-test-XXXXXX");
    assert_non_null(mkdtemp(out));
    int fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

HELPER void remove_temp(const char *path, int fd)
{
    close(fd);
    assert_int_equal(tree_remove(AT_FDCWD, path), 0);
}

/* The content of a file below dir, for comparison; a symbolic link is not followed. */
HELPER const char *text_at(int dir, const char *path)
{
    static char text[4096];
    int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return "(none)";
    ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size < 0 ? 0 : size] = '\0';
    return text;
}

HELPER mode_t mode_at(int dir, const char *path)
{
    struct stat status;
    return fstatat(dir, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : status.st_mode;
}

#endif
