// SPDX-License-Identifier: Apache-2.0
/* The table of system calls, made of calls.inc. What is not in it answers ENOSYS and is counted. */
#include "call.h"

#include <asm/unistd.h>

#include "../arch.h"
#include "../ipc/stdio.h"
#include "../kernel/process.h"
#include "format.h"

#define TABLE_SIZE 512

typedef long (*call_fn)(const uint64_t a[6]);

static const struct {
    call_fn fn;
    const char *name;
} table[TABLE_SIZE] = {
#define CALL(number, name) [number] = {sys_##name, #name},
#include "calls.inc"
#undef CALL
};

const char *call_name(uint64_t number)
{
    return number < TABLE_SIZE ? table[number].name : NULL;
}

static void count_unknown(uint64_t number)
{
    struct vm_shared *shared = arch_shared();
    for (size_t i = 0; i < VM_UNKNOWN_CALLS; i++) {
        if (shared->unknown_call[i] && shared->unknown_call[i] != (uint32_t)number + 1)
            continue;
        shared->unknown_call[i] = (uint32_t)number + 1;
        shared->unknown_count[i]++;
        return;
    }
}

static void trace(uint64_t number, const uint64_t a[6], long rc)
{
    struct format line;
    format_init(&line);
    if (call_name(number))
        format_text(&line, call_name(number));
    else
        format_number(&line, number);
    format_text(&line, "(");
    for (int i = 0; i < 6; i++) {
        format_text(&line, i ? ", 0x" : "0x");
        format_hex(&line, a[i], 1);
    }
    format_text(&line, ") = ");
    if (rc < 0)
        format_text(&line, "-");
    format_number(&line, (uint64_t)(rc < 0 ? -rc : rc));
    format_text(&line, "\n");
    stdio_trace(line.text, line.len);
    format_done(&line);
}

long call_do(uint64_t number, const uint64_t a[6])
{
    long rc;
    if (number < TABLE_SIZE && table[number].fn) {
        rc = table[number].fn(a);
    } else {
        count_unknown(number);
        rc = -ENOSYS;
    }
    if (process.trace)
        trace(number, a, rc);
    return rc;
}
