/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: enlarges the pipes to the gateway to 1 MiB each. Pipe buffers count against the
 *   user who made the pipe, so a few dozen requests would use up the gateway's allowance
 *   (fs.pipe-user-pages-soft) and every later pipe of every function would shrink.
 * Stopped by: the filter refuses fcntl(F_SETPIPE_SZ).
 * Lives in: src/jail/filter.c.
 *
 * Control: user
 * Needs: stdio-pipes
 */
#include "../harness/attack.h"

void attack(void)
{
    for (int fd = 0; fd < 3; fd++) {
        long before = syscall(SYS_fcntl, fd, F_GETPIPE_SZ);
        long wanted[] = {F_SETPIPE_SZ, F_SETPIPE_SZ | (1L << 32)};
        for (size_t i = 0; i < COUNT(wanted); i++) {
            long size = syscall(SYS_fcntl, fd, wanted[i], 1 << 20);
            if (size > before && before > 0)
                got("pipe %d grew from %ld to %ld bytes", fd, before, size);
            else
                blocked("F_SETPIPE_SZ on %d: %s", fd, strerror(errno));
        }
    }
}
