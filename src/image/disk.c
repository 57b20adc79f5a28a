/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkfs.erofs reads a tree that strangers made, so it runs as nobody, with the right to read all
 * files and none other, without a network, and sees little. Owners are set to a fixed value: a disk
 * names nobody of this machine. Times are kept: Python compiles its modules anew when a source's
 * time is not the one it noted.
 */
#include "image/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "image/store_dirs.h"

#define READER 65534u /* nobody */

enum { MKFS_MISSING = 120, MKFS_FAILED }; /* exit statuses of ours */

static int rule(int rules, const char *path, uint64_t rights)
{
    fd_owner place = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights, .parent_fd = place};
    if (place < 0)
        return errno == ENOENT ? 0 : -errno; /* not every machine has /lib64 */
    return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0
               ? -errno
               : 0;
}

/* Where the kernel has Landlock: reads itself, its libraries and the tree, writes the disk. */
static int see_little(const char *rootfs, const char *temp)
{
    const uint64_t file = LANDLOCK_ACCESS_FS_READ_FILE;
    const uint64_t tree = file | LANDLOCK_ACCESS_FS_READ_DIR;
    const uint64_t program = tree | LANDLOCK_ACCESS_FS_EXECUTE;
    struct landlock_ruleset_attr all = {.handled_access_fs =
                                            (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    fd_owner rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(uint64_t), 0);
    if (rules < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
    int result = rule(rules, "/usr", program);
    if (result == 0)
        result = rule(rules, "/lib", program);
    if (result == 0)
        result = rule(rules, "/lib64", program);
    if (result == 0)
        result = rule(rules, "/etc/ld.so.cache", file);
    if (result == 0)
        result = rule(rules, rootfs, tree);
    if (result == 0)
        result = rule(rules, temp, file | LANDLOCK_ACCESS_FS_WRITE_FILE);
    if (result == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        result = -errno;
    return result;
}

/* Of root's rights, one: to read what the image's users own. */
static int become_reader(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const uint32_t one = 1u << CAP_DAC_READ_SEARCH;
    struct __user_cap_data_struct data[2] = {{one, one, one}, {0, 0, 0}};
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if (cap != CAP_DAC_READ_SEARCH && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
            errno != EINVAL)
            return -errno;
    }
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(READER, READER, READER) < 0 || setresuid(READER, READER, READER) < 0 ||
        syscall(SYS_capset, &header, data) < 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0) < 0)
        return -errno;
    return 0;
}

/* The child, which is mkfs.erofs in the end: it reads names and bytes that nobody trusts. */
static int mkfs_main(const char *rootfs, const char *temp, pid_t parent)
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
    bool root = geteuid() == 0;
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; null >= 0 && i < 3; i++)
        dup2(null, i);
    syscall(SYS_close_range, 3u, ~0u, 0u);
    if (root && unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return MKFS_FAILED;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || see_little(rootfs, temp) < 0 ||
        (root && become_reader() < 0))
        return MKFS_FAILED;
    /* last: changing ids forgets it */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        return MKFS_FAILED;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        execve(places[i], args, env);
    return errno == ENOENT ? MKFS_MISSING : MKFS_FAILED;
}

/* A file of a name of its own that the collector of the store leaves alone: it is locked. */
static int make_temp(struct image_disk *making, struct err *err)
{
    struct stat status = {0};
    while (status.st_nlink == 0) { /* collected before it was locked: once more */
        int size = snprintf(making->temp, sizeof(making->temp), "%s.XXXXXX", making->disk);
        if (size >= (int)sizeof(making->temp))
            return err_set(err, ENAMETOOLONG, "the path of the disk '%.200s' is too long",
                           making->disk);
        fd_close(&making->file);
        making->file = mkostemp(making->temp, O_CLOEXEC);
        if (making->file < 0 || flock(making->file, LOCK_EX) < 0 ||
            fstat(making->file, &status) < 0)
            return err_set(err, errno, "make a file like %.300s:", making->temp);
    }
    if (geteuid() == 0 && fchown(making->file, READER, READER) < 0)
        return err_set(err, errno, "give %.300s to who writes it:", making->temp);
    return 0;
}

int image_disk_begin(const char *rootfs, const char *disk, struct image_disk *out, struct err *err)
{
    struct image_disk making = {.pid = -1, .ended = -1, .file = -1};
    snprintf(making.disk, sizeof(making.disk), "%s", disk);
    pid_t parent = getpid();
    int result = make_temp(&making, err);
    if (result == 0 && (making.pid = fork()) == 0)
        _exit(mkfs_main(rootfs, making.temp, parent));
    if (result == 0 && making.pid < 0)
        result = err_set(err, errno, "start mkfs.erofs:");
    if (result == 0 && (making.ended = (int)syscall(SYS_pidfd_open, making.pid, 0)) < 0)
        result = err_set(err, errno, "watch mkfs.erofs:");
    if (result < 0)
        image_disk_cancel(&making);
    else
        *out = making;
    return result;
}

static int judge_end(const struct image_disk *making, int status, struct err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == MKFS_MISSING)
        return err_set(err, ENOENT,
                       "run mkfs.erofs, which makes the disk of a virtual machine (Debian: apt-get "
                       "install erofs-utils):");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, EIO, "mkfs.erofs could not make the disk %.300s", making->disk);
    return 0;
}

/* What nobody wrote, now root's and not to be written any more, gets its name. */
static int store_disk(const struct image_disk *making, struct err *err)
{
    if ((geteuid() == 0 && fchown(making->file, 0, 0) < 0) || fchmod(making->file, 0444) < 0 ||
        rename(making->temp, making->disk) < 0)
        return err_set(err, errno, "store the disk %.300s:", making->disk);
    return 0;
}

int image_disk_end(struct image_disk *making, struct err *err)
{
    int status = 0, result = 0;
    while (result == 0 && waitpid(making->pid, &status, 0) < 0) {
        if (errno != EINTR)
            result = err_set(err, errno, "wait for mkfs.erofs:");
    }
    making->pid = -1;
    if (result == 0)
        result = judge_end(making, status, err);
    if (result == 0)
        result = store_disk(making, err);
    if (result < 0)
        unlink(making->temp);
    fd_close(&making->file);
    fd_close(&making->ended);
    return result;
}

void image_disk_cancel(struct image_disk *making)
{
    if (making->pid > 0) {
        kill(making->pid, SIGKILL);
        waitpid(making->pid, NULL, 0);
    }
    making->pid = -1;
    if (making->temp[0] != '\0')
        unlink(making->temp);
    fd_close(&making->file);
    fd_close(&making->ended);
}

int image_disk_make(const char *rootfs, const char *disk, struct err *err)
{
    struct image_disk making = {.pid = -1, .ended = -1, .file = -1};
    int result = image_disk_begin(rootfs, disk, &making, err);
    return result < 0 ? result : image_disk_end(&making, err);
}

int image_disk_find(const char *rootfs, char *out, size_t room, struct err *err)
{
    char path[IMAGE_DISK_PATH_MAX];
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
    return stat(out, &status) == 0;
}

int image_disk_of(const char *rootfs, char *out, size_t room, struct err *err)
{
    int found = image_disk_find(rootfs, out, room, err);
    if (found < 0)
        return found;
    return found ? 0 : image_disk_make(rootfs, out, err);
}
