/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: gives the terminal it was started from another line discipline (each number: the
 *   kernel loads a module for it, without privilege), hangs it up,
 *   steals console output, becomes its foreground group.
 * Stopped by: the filter names the terminal requests that are allowed.
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 * Needs: pty
 * Runs: none own after rootless
 */
#include "../harness/attack.h"

#include <sys/ioctl.h>
#include <termios.h>

void attack(void)
{
    if (!isatty(0)) {
        note("standard input is no terminal");
        _exit(2);
    }
    for (int number = 31; number > 0; number--) {
        int discipline = number;
        for (int wide = 0; wide < 2; wide++)
            if (syscall(SYS_ioctl, 0, TIOCSETD | (wide ? 1L << 32 : 0), &discipline) == 0) {
                int terminal = 0; /* N_TTY again, or nothing that is said arrives */
                syscall(SYS_ioctl, 0, TIOCSETD, &terminal);
                got("line discipline %d", number);
            }
    }
    blocked("line disciplines: %s", strerror(errno));
    attempt("TIOCCONS", syscall(SYS_ioctl, 1, TIOCCONS));
    if (!is_control())
        attempt("TIOCVHANGUP", syscall(SYS_ioctl, 0, TIOCVHANGUP));

    int group = getpid();
    attempt("TIOCSPGRP", syscall(SYS_ioctl, 0, TIOCSPGRP, &group));
}
