/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkfs.erofs only reads the tree that was unpacked by a confined importer. Owners are set to a
 * fixed value: a disk names nobody of this machine. Times are kept: Python compiles its modules
 * anew when a source's time is not the one it noted.
 */
#include "image/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/store_dirs.h"

#define PATH_ROOM 4200

static int spawn_mkfs(const char *rootfs, const char *temp, int *out_status, struct err *err)
{
    static const char *const places[] = {"/usr/bin/mkfs.erofs", "/usr/sbin/mkfs.erofs",
                                         "/usr/local/bin/mkfs.erofs"};
    char *const args[] = {"mkfs.erofs",
                          "-x-1",
                          "--all-root",

                          "-U",
                          "00000000-0000-0000-0000-000000000000",
                          (char *)(uintptr_t)temp,
                          (char *)(uintptr_t)rootfs,
                          NULL};
    char *const env[] = {NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    int result = ENOENT;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    for (size_t i = 0; result == ENOENT && i < sizeof(places) / sizeof(places[0]); i++)
        result = posix_spawn(&pid, places[i], &actions, NULL, args, env);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0)
        return err_set(err, result,
                       "run mkfs.erofs, which makes the disk of a virtual machine (Debian: apt-get "
                       "install erofs-utils):");
    while (waitpid(pid, out_status, 0) < 0) {
        if (errno != EINTR)
            return err_set(err, errno, "wait for mkfs.erofs:");
    }
    return 0;
}

int image_disk_make(const char *rootfs, const char *disk, struct err *err)
{
    char temp[PATH_ROOM];
    int status = 0;
    if (snprintf(temp, sizeof(temp), "%s.XXXXXX", disk) >= (int)sizeof(temp))
        return err_set(err, ENAMETOOLONG, "the path of the disk '%.200s' is too long", disk);
    fd_owner fd = mkstemp(temp);
    if (fd < 0)
        return err_set(err, errno, "make a file like %.300s:", temp);
    int result = spawn_mkfs(rootfs, temp, &status, err);
    if (result == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        result = err_set(err, EIO, "mkfs.erofs could not make a disk of %.300s", rootfs);
    if (result == 0 && (fchmod(fd, 0444) < 0 || rename(temp, disk) < 0))
        result = err_set(err, errno, "store the disk %.300s:", disk);
    if (result < 0)
        unlink(temp);
    return result;
}

int image_disk_of(const char *rootfs, char *out, size_t room, struct err *err)
{
    char path[PATH_ROOM];
    struct stat status;
    snprintf(path, sizeof(path), "%s", rootfs);
    char *hex = strrchr(path, '/');
    if (hex == NULL || hex == path)
        return err_set(err, EINVAL, "%.200s is no root file system of the store", rootfs);
    *hex++ = '\0';
    char *images = strrchr(path, '/');
    if (images == NULL)
        return err_set(err, EINVAL, "%.200s is no root file system of the store", rootfs);
    *images = '\0';
    int used = snprintf(out, room, "%s/" STORE_DISKS, path);
    if (used > 0 && (size_t)used < room && mkdir(out, 0755) < 0 && errno != EEXIST)
        return err_set(err, errno, "make the directory of disks %.300s:", out);
    used = snprintf(out, room, "%s/" STORE_DISKS "/%s", path, hex);
    if (used < 0 || (size_t)used >= room)
        return err_set(err, ENAMETOOLONG, "the path of the disk of %.200s is too long", rootfs);
    return stat(out, &status) == 0 ? 0 : image_disk_make(rootfs, out, err);
}
