/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-warm PROGRAM [ARGUMENT...]: an ordinary program that is started before its request. Its
 * role is in SKERRY_WARM (include/skerry/abi/warm.h): "make" runs the program up to its first read
 * of stdin and writes the snapshot, "restore" brings one back and takes a request.
 *
 * Freestanding: it shares its process with the program, and must know every page that is its own.
 */
#include <elf.h>
#include <stddef.h>

#include "skerry/abi/warm.h"
#include "warm/make.h"
#include "warm/plain.h"
#include "warm/restore.h"
#include "warm/self.h"

_Noreturn void warm_main(uint64_t *stack);

/* Sorts out what the kernel put on the stack; returns the role. */
static const char *read_stack(uint64_t *stack, struct start *out)
{
    const char *role = "";
    uint64_t *at = stack;
    uint64_t count = *at++;
    if (count > ARGS_MAX)
        refuse("it has too many arguments", NULL);
    out->stack = (uint64_t)(uintptr_t)stack;
    for (uint64_t i = 1; i < count; i++)
        out->args[out->arg_count++] = (const char *)at[i];
    for (at += count + 1; *at != 0; at++) {
        const char *text = (const char *)*at;
        if (starts_with(text, WARM_VARIABLE "="))
            role = text + sizeof(WARM_VARIABLE);
        else if (*text && out->env_count < ARGS_MAX)
            out->env[out->env_count++] = text; /* empty: an unset slot of the program before */
    }
    for (at++; out->auxv_count < 32; at += 2) {
        out->auxv[2 * out->auxv_count] = at[0];
        out->auxv[2 * out->auxv_count++ + 1] = at[1];
        if (at[0] == AT_NULL)
            break;
    }
    out->path = out->args[0];
    return role;
}

void warm_main(uint64_t *stack)
{
    static struct start start;
    const char *role = read_stack(stack, &start);
    if (strcmp(role, "restore") == 0)
        restore(&start);
    if (start.arg_count == 0)
        refuse("no program is named", NULL);
    if (strcmp(role, "make") == 0)
        make(&start, NULL);
    if (starts_with(role, "again:"))
        make(&start, role + sizeof("again:") - 1);
    refuse("the role is none of make and restore: ", role);
}
