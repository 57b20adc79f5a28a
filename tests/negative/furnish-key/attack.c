/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: guesses the key that lets furnishing calls through the filter: what lies in registers and
 *   on the stack at its start, in the auxiliary vector, halves and patterns.
 * Stopped by: 64 random bits that execve takes out of reach; a comparison without branches.
 * Lives in: src/jail/closing.c, zygote.c.
 *
 * Control: unshare
 */
#include "../harness/attack.h"

#include <sched.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mount.h>

static unsigned long random_guess(unsigned long *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static bool inside;

static void guess(unsigned long key)
{
    if (inside)
        return;
    inside = true;
    if (syscall(SYS_unshare, CLONE_NEWNS, 0, 0, 0, 0, key) == 0)
        got("unshare with the key %lx", key);
    else if (syscall(SYS_mount, "x", "/tmp", "tmpfs", 0, 0, key) == 0)
        got("mount with the key %lx", key);
    else
        inside = false;
}

void attack(void)
{
    unsigned long here = 0, state = 88172645463325252ul;
    const unsigned long *end = (const unsigned long *)getauxval(AT_RANDOM); /* above the vector */
    for (const unsigned long *at = &here; at < end; at++)
        guess(*(volatile const unsigned long *)at);
    for (unsigned long type = 0; type < 52; type++)
        guess(getauxval(type));
    for (unsigned int bit = 0; bit < 64; bit++) {
        guess(1ul << bit);
        guess(~(1ul << bit));
    }
    guess(0);
    for (int i = 0; i < 20000; i++)
        guess(random_guess(&state));
    if (!inside)
        blocked("no guess was right");
}
