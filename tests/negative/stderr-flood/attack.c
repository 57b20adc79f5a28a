/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: fills the host's disk through the log: writes 256 MiB to standard error, in long
 *   and in very many short lines.
 * Stopped by: the log of a function has a bounded size.
 * Lives in: src/gateway (log), src/control.
 *
 * Kind: log
 * Control: none (the daemon's log is what is tested)
 * Flags: --timeout 60s
 * Runs: daemon
 */
#include "../harness/attack.h"

void attack(void)
{
    static char block[1 << 16];
    memset(block, 'x', sizeof(block));
    for (size_t i = 0; i < sizeof(block); i += 64)
        block[i] = '\n';
    for (size_t done = 0; done < (size_t)256 << 20; done += sizeof(block))
        if (write(2, block, sizeof(block)) < 0)
            break;
    puts("done");
    fflush(stdout);
    _exit(0);
}
