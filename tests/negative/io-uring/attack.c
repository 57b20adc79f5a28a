/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: io_uring performs calls in the kernel that a seccomp filter never sees: sets up a
 *   ring, with and without a kernel thread of its own; registers and enters.
 * Stopped by: the filter (none of the three is on the list).
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/io_uring.h>

void attack(void)
{
    struct io_uring_params plain = {0};
    attempt("a ring", syscall(SYS_io_uring_setup, 4, &plain));
    struct io_uring_params thread = {.flags = IORING_SETUP_SQPOLL};
    attempt("a ring with a kernel thread", syscall(SYS_io_uring_setup, 4, &thread));
    struct io_uring_params disabled = {.flags = IORING_SETUP_R_DISABLED};
    attempt("a ring, disabled", syscall(SYS_io_uring_setup, 1, &disabled));
    attempt_past("io_uring_register", syscall(SYS_io_uring_register, 0, 0, NULL, 0), EOPNOTSUPP);
    attempt_past("io_uring_enter", syscall(SYS_io_uring_enter, 0, 0, 0, 0, NULL, 0), EOPNOTSUPP);
}
