/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: changes the image: makes, removes, renames, links, chmods, truncates and stamps
 *   files in every directory of the root; the next request of the function would run what it
 *   left.
 * Stopped by: the root is mounted read-only; its files belong to another uid.
 * Lives in: src/jail (zygote's mount_setattr).
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/stat.h>

static void within(const char *folder)
{
    char path[300];
    char what[340];
    snprintf(path, sizeof(path), "%s/skerry-written", folder);
    snprintf(what, sizeof(what), "make %s", path);
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    attempt(what, fd);
    if (fd >= 0) {
        close((int)fd);
        unlink(path);
    }
    snprintf(what, sizeof(what), "mkdir in %s", folder);
    if (attempt(what, syscall(SYS_mkdirat, AT_FDCWD, path, 0700)))
        rmdir(path);
    snprintf(what, sizeof(what), "symlink in %s", folder);
    if (attempt(what, syscall(SYS_symlinkat, "x", AT_FDCWD, path)))
        unlink(path);
    snprintf(what, sizeof(what), "unnamed file in %s", folder);
    fd = syscall(SYS_openat, AT_FDCWD, folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    attempt(what, fd);
}

void attack(void)
{
    static const char *const folders[] = {"/",     "/usr",   "/etc",  "/bin",  "/usr/bin",
                                          "/lib",  "/lib64", "/dev",  "/var",  "/opt",
                                          "/home", "/root",  "/sbin", "/proc", "/sys"};
    for (size_t i = 0; i < COUNT(folders); i++)
        if (access(folders[i], F_OK) == 0)
            within(folders[i]);
    if (is_control())
        return;
    static const char *const files[] = {
        "/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/etc", "/", "/usr", "/bin"};
    for (size_t i = 0; i < COUNT(files); i++) {
        char what[128];
        snprintf(what, sizeof(what), "chmod %s", files[i]);
        attempt(what, syscall(SYS_fchmodat, AT_FDCWD, files[i], 0777));
        snprintf(what, sizeof(what), "stamp %s", files[i]);
        attempt(what, syscall(SYS_utimensat, AT_FDCWD, files[i], NULL, 0));
        snprintf(what, sizeof(what), "truncate %s", files[i]);
        attempt(what, syscall(SYS_truncate, files[i], 0));
        snprintf(what, sizeof(what), "rename %s", files[i]);
        attempt(what, syscall(SYS_renameat2, AT_FDCWD, files[i], AT_FDCWD, "/gone", 0));
        snprintf(what, sizeof(what), "attribute of %s", files[i]);
        attempt(what, syscall(SYS_setxattr, files[i], "user.skerry", "x", 1, 0));
    }
}
