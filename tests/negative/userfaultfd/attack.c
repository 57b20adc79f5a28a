/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: userfaultfd stops the kernel in the middle of a copy, which turns races into
 *   certainties: by system call, with the user-mode flag, and by /dev/userfaultfd.
 * Stopped by: the filter (userfaultfd is not on the list); no such device in /dev.
 * Lives in: src/jail/filter.c; the template's /dev.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/ioctl.h>

void attack(void)
{
    attempt("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
    attempt("userfaultfd, user mode only", syscall(SYS_userfaultfd, O_CLOEXEC | 1));
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (attempt("/dev/userfaultfd", device))
        attempt("its ioctl", ioctl(device, _IO(0xAA, 0), O_CLOEXEC));
}
