/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: leaves a set-uid program of its own in a directory that was bound read-write, for a
 *   user of the host to execute; with rootless runs it would carry the caller's own uid.
 * Stopped by: nothing: the file is the tenant's, whose uid is nobody's on the host. Only a
 *   rootless run has its caller's uid, and that caller gave it the directory.
 * Lives in: src/jail (uid ranges).
 *
 * Control: user
 * Needs: bind
 * Runs: none own after rootless
 * Residual: none own after rootless
 */
#include "../harness/attack.h"

static void look(const char *path, const char *how)
{
    struct stat status;
    if (stat(path, &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)))
        got("%s made a file of mode %o", how, status.st_mode & 07777);
    else
        blocked("%s: %s", how, strerror(errno));
    unlink(path);
}

void attack(void)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/left", bait("SHARED"));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (fd < 0) {
        note("%s: %s", path, strerror(errno));
        _exit(2); /* the runner's bind is missing: not an end of an attack */
    }
    close(fd);
    syscall(SYS_chmod, path, 06755);
    look(path, "chmod");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    syscall(SYS_fchmod, fd, 06755);
    close(fd);
    look(path, "fchmod");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    close(fd);
    syscall(SYS_fchmodat, AT_FDCWD, path, 06755);
    look(path, "fchmodat");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    close(fd);
    syscall(452 /* fchmodat2 */, AT_FDCWD, path, 06755, 0);
    look(path, "fchmodat2");
    syscall(SYS_open, path, O_WRONLY | O_CREAT, 06755);
    look(path, "open");
    syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 06755);
    look(path, "openat");
    syscall(SYS_creat, path, 06755);
    look(path, "creat");
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_WRONLY | O_CREAT, 06755, 0};
    syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    look(path, "openat2");
    syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | 06755, 0);
    look(path, "mknodat");
}
