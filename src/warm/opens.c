/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors that the program has: files that are there again for each request, or a reason
 * to refuse. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "jail/raw.h"
#include "warm/builder.h"
#include "warm/make.h"
#include "warm/plain.h"
#include "warm/self.h"

#define TMPFS_TYPE 0x01021994
#define PROC_TYPE  0x9fa0
#define READ_ONLY  0x1 /* ST_RDONLY */
#define FOUND_MAX  1024u
#define KEPT_FLAGS (O_ACCMODE | O_NONBLOCK | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_APPEND)

/* Memory devices that hold no state: null, zero, full, random, urandom. */
static int is_plain_device(const struct stat *status)
{
    unsigned int number = minor(status->st_rdev);
    return S_ISCHR(status->st_mode) && major(status->st_rdev) == 1 &&
           (number == 3 || number == 5 || (number >= 7 && number <= 9));
}

void path_check(const char *path, const char *in_use, void *out_status)
{
    static char text[160];
    struct statfs fs = {0};
    struct stat status = {0};
    size_t used = 0;
    text_add(text, sizeof(text), &used, in_use);
    text_add(text, sizeof(text), &used, path);
    if (raw4(SYS_newfstatat, AT_FDCWD, path, &status, 0) < 0 || raw2(SYS_statfs, path, &fs) < 0 ||
        (fs.f_type == TMPFS_TYPE && !(fs.f_flags & READ_ONLY) && !is_plain_device(&status)) ||
        fs.f_type == PROC_TYPE)
        refuse(text, ", which will not be there for a request");
    memcpy(out_status, &status, sizeof(status));
}

static void link_of(int fd, char *out, size_t room)
{
    char link[40];
    size_t used = 0;
    text_add(link, sizeof(link), &used, "/proc/self/fd/");
    text_add_number(link, sizeof(link), &used, (uint64_t)fd);
    long bytes = raw3(SYS_readlink, link, out, room - 1);
    out[bytes > 0 ? bytes : 0] = 0;
}

static int has_locks(int fd)
{
    static char info[4096];
    char path[40];
    size_t used = 0;
    text_add(path, sizeof(path), &used, "/proc/self/fdinfo/");
    text_add_number(path, sizeof(path), &used, (uint64_t)fd);
    if (file_read(path, info, sizeof(info)) < 0)
        return 1;
    for (const char *at = info; *at; at++) {
        if ((at == info || at[-1] == '\n') && starts_with(at, "lock:"))
            return 1;
    }
    return 0;
}

/* Two descriptors of one open file move together. */
static int shares_position(int fd, int other)
{
    long was = raw3(SYS_lseek, fd, 0, SEEK_CUR), theirs = raw3(SYS_lseek, other, 0, SEEK_CUR);
    if (was < 0 || was != theirs)
        return 0;
    raw3(SYS_lseek, fd, was + 1, SEEK_SET);
    int shared = raw3(SYS_lseek, other, 0, SEEK_CUR) == was + 1;
    raw3(SYS_lseek, fd, was, SEEK_SET);
    return shared;
}

static int find_same(int fd, const struct stat *status)
{
    for (uint32_t i = 0; i < builder.head.open_count; i++) {
        const struct stored_file *file = &builder.files[builder.opens[i].file];
        if (file->device == status->st_dev && file->inode == status->st_ino &&
            shares_position(fd, builder.opens[i].fd))
            return builder.opens[i].fd;
    }
    return -1;
}

static void add_open(int fd)
{
    static char path[4096], reason[64];
    struct stat status = {0}, found = {0};
    size_t used = 0;
    text_add(reason, sizeof(reason), &used, "descriptor ");
    text_add_number(reason, sizeof(reason), &used, (uint64_t)fd);
    text_add(reason, sizeof(reason), &used, " is open: ");
    link_of(fd, path, sizeof(path));
    long flags = raw2(SYS_fcntl, fd, F_GETFL);
    if (raw2(SYS_fstat, fd, &status) < 0 || flags < 0 || path[0] != '/' || (flags & O_PATH) ||
        !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || is_plain_device(&status)))
        refuse(reason, path);
    if (S_ISREG(status.st_mode) && (flags & O_ACCMODE) != O_RDONLY)
        refuse("it writes to ", path);
    path_check(path, "it has open: ", &found);
    if (found.st_dev != status.st_dev || found.st_ino != status.st_ino)
        refuse("the file is another by now: ", path);
    if (has_locks(fd))
        refuse("it holds a lock on ", path);
    if (builder.head.open_count == OPENS_MAX)
        refuse("it has too many files open", NULL);
    struct open_file *out = &builder.opens[builder.head.open_count];
    out->same_as = find_same(fd, &status);
    out->fd = fd;
    out->flags = (uint32_t)(flags & KEPT_FLAGS);
    if (raw2(SYS_fcntl, fd, F_GETFD) & FD_CLOEXEC)
        out->flags |= O_CLOEXEC;
    long position = raw3(SYS_lseek, fd, 0, SEEK_CUR);
    out->position = position > 0 ? position : 0;
    out->file = builder_add_file(path, &status);
    builder.head.open_count++;
}

static int is_own(int fd)
{
    return fd <= 2 || ((uint32_t)fd >= making.watch.fds_lo && (uint32_t)fd < making.watch.fds_hi);
}

void opens_collect(void)
{
    static char entries[4096];
    static int found[FOUND_MAX];
    uint32_t count = 0;
    long got;
    long fd = raw4(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        refuse_error("/proc/self/fd cannot be read", fd);
    while ((got = raw3(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
        for (long at = 0; at < got; at += *(uint16_t *)(void *)(entries + at + 16)) {
            const char *name = entries + at + 19; /* d_name */
            int number = (int)text_decimal(&name);
            if (name == entries + at + 19 || number == fd || is_own(number))
                continue;
            if (count < FOUND_MAX)
                found[count] = number;
            count++;
        }
    }
    raw1(SYS_close, fd);
    if (count > FOUND_MAX)
        refuse("it has too many files open", NULL);
    for (uint32_t i = 0; i < count; i++)
        add_open(found[i]);
}
