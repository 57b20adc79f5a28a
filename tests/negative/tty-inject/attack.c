/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: types into the terminal it was started from (TIOCSTI, TIOCLINUX paste), plainly and
 *   with bits above the 32nd set, which the kernel drops after a filter may have compared
 *   them; first it tries to make the terminal its controlling one.
 * Stopped by: the filter compares the low 32 bits of the request; setsid() without a
 *   controlling terminal.
 * Lives in: src/jail/filter.c, sandbox start.
 *
 * Control: root
 * Needs: pty
 * Runs: none own after rootless
 */
#include "../harness/attack.h"

#include <sys/ioctl.h>
#include <termios.h>

static void type_into(int fd, const char *what)
{
    static const long upper[] = {0, 1L << 32, INT64_MIN, (long)0xffffffff00000000};
    for (size_t i = 0; i < COUNT(upper); i++) {
        char text[96];
        char key = '#';
        snprintf(text, sizeof(text), "TIOCSTI on %s, upper bits 0x%lx", what,
                 (unsigned long)upper[i]);
        attempt(text, syscall(SYS_ioctl, fd, upper[i] | TIOCSTI, &key));
        char paste[2] = {3, 0}; /* TIOCL_PASTESEL */
        snprintf(text, sizeof(text), "TIOCLINUX on %s, upper bits 0x%lx", what,
                 (unsigned long)upper[i]);
        attempt(text, syscall(SYS_ioctl, fd, upper[i] | TIOCLINUX, paste));
    }
}

void attack(void)
{
    if (!isatty(0)) {
        note("standard input is no terminal");
        _exit(2);
    }
    syscall(SYS_ioctl, 0, TIOCSCTTY, 1);
    syscall(SYS_ioctl, 0, TIOCSCTTY | (1L << 32), 1);
    for (int fd = 0; fd < 3; fd++)
        if (isatty(fd))
            type_into(fd, "a standard descriptor");
    static const char *const paths[] = {"/dev/tty", "/proc/self/fd/0", "/dev/console",
                                        "/dev/stdin"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        int fd = open(paths[i], O_RDWR | O_CLOEXEC);
        if (fd < 0) {
            blocked("%s: %s", paths[i], strerror(errno));
            continue;
        }
        type_into(fd, paths[i]);
        close(fd);
    }
}
