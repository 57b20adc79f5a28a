/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: a covert channel between sandboxes that share read-only files: one takes advisory
 *   locks (flock, POSIX and open-file locks, a lease) on the program and the directories of
 *   the image, the other sees that they are taken; one bit a byte of a file, and with flock
 *   also a way to block a neighbour.
 * Stopped by: nothing yet; it stands in docs/threat-model.md.
 * Lives in: -
 *
 * Kind: pair
 * Control: user
 * Residual: none after rootless daemon
 */
#include "../harness/attack.h"

#include <sys/file.h>

static const char *const files[] = {"/proc/self/exe", "/",    "/etc",     "/usr",
                                    "/etc/passwd",    "/dev", "/dev/null"};

static void serve(void)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 4711, .l_len = 1};
        long whole = syscall(SYS_flock, fd, LOCK_EX | LOCK_NB);
        long part = syscall(SYS_fcntl, fd, F_SETLK, &lock);
        lock.l_start = 4712;
        lock.l_pid = 0;
        long open_file = syscall(SYS_fcntl, fd, F_OFD_SETLK, &lock);
        note("%s: flock %ld, F_SETLK %ld, F_OFD_SETLK %ld", files[i], whole, part, open_file);
    }
    puts("ready");
    fflush(stdout);
    pause_ms(3000);
}

static void call(void)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (syscall(SYS_flock, fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
            got("flock of %s is held by the other", files[i]);
        for (int at = 4711; at <= 4712; at++) {
            struct flock lock = {
                .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
            if (syscall(SYS_fcntl, fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
                got("byte %d of %s is locked by the other", at, files[i]);
        }
        close(fd);
    }
    blocked("no lock is seen");
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
