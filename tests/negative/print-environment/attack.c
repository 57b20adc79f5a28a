/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: a client turns a header into an environment variable that changes what a program
 *   does: "Proxy" into HTTP_PROXY, names with '_' that pass for another header, names that
 *   would end a variable, huge ones.
 * Stopped by: the gateway passes header names of letters, digits and '-' alone, and never
 *   Proxy.
 * Lives in: src/gateway/env.c.
 *
 * Kind: headers
 * Control: none (the gateway is what is tested)
 * Runs: daemon
 */
#include "../harness/attack.h"

void attack(void)
{
    for (char **entry = environ; *entry; entry++)
        puts(*entry);
    fflush(stdout);
    _exit(0);
}
