/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: kill(0), setpriority and ioprio_set on "my process group" reach every member of the
 *   group, whatever pid namespace it is in. If the sandbox inherited the group of the
 *   process that started it, the function signals that process; with its controlling terminal
 *   it could do more.
 * Stopped by: a process group for each sandbox; the zygote's session has no terminal.
 * Lives in: src/jail (sandbox start).
 *
 * Control: unshare
 */
#include "../harness/attack.h"

#include <sys/ioctl.h>
#include <termios.h>

void attack(void)
{
    if (getpgrp() == 0 || syscall(SYS_getpgid, 0) == 0)
        got("the process group's leader is outside: kill(0) reaches it");
    else
        blocked("the process group is %d", getpgrp());
    /* A session that is shared gives a controlling terminal if it has one, and nothing else here:
     * SIGCONT passes within it, but only to whom there is a number for. */
    note("the session is %ld", syscall(SYS_getsid, 0));
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty >= 0) {
        got("a controlling terminal");
        close(tty);
    }
}
