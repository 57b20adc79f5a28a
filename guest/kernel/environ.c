// SPDX-License-Identifier: Apache-2.0
/*
 * Variables that come after the program began. libc's `environ` is the array on the initial stack,
 * or, after a setenv, a copy of it; behind its end lies the auxiliary vector, which libc goes on
 * reading. So the array cannot grow, and it has spare entries from the start. Each points to an
 * empty string with room behind it, and a variable is written into that room: it is seen through
 * every copy of the array. Empty strings have no "=" and are no variables to anyone who looks.
 *
 * What is too long for the room that is left goes to a place of its own, to which the array on the
 * stack alone is made to point.
 */
#include "environ.h"

#include "../arch.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "process.h"

static const struct room {
    uint32_t count, bytes;
} rooms[] = {{256, 128}, {48, 512}, {12, 2048}, {4, 16384}}; /* 128 header lines come as two each */

#define LONG_BYTES (96UL << 10) /* WARM_ENV_MAX: all of a request's variables fit */

static struct {
    uint64_t strings; /* of the first room; the rooms lie one after the other, then the long ones */
    uint64_t slots;   /* the pointers on the stack */
    uint64_t long_at, long_end;
    uint32_t used[ARRAY_LEN(rooms)];
} spare;

static uint64_t rooms_bytes(void)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
        bytes += (uint64_t)rooms[i].count * rooms[i].bytes;
    return bytes;
}

size_t environ_slots(void)
{
    size_t count = 0;
    for (size_t i = 0; process.snapshot && i < ARRAY_LEN(rooms); i++)
        count += rooms[i].count;
    return count;
}

uint64_t environ_reserve(uint64_t top)
{
    if (!process.snapshot)
        return top;
    spare.long_end = top;
    spare.long_at = top - LONG_BYTES;
    spare.strings = (spare.long_at - rooms_bytes()) & ~63UL;
    return spare.strings;
}

void environ_point(uint64_t *slots)
{
    uint64_t at = spare.strings;
    spare.slots = (uint64_t)slots;
    for (size_t i = 0; process.snapshot && i < ARRAY_LEN(rooms); i++) {
        for (uint32_t n = 0; n < rooms[i].count; n++, at += rooms[i].bytes)
            *slots++ = at;
    }
}

/* The number of the smallest free room of at least len bytes; -1 when there is none. */
static int find_room(size_t len, uint64_t *out_at)
{
    int first = 0;
    uint64_t at = spare.strings;
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
        if (rooms[i].bytes >= len && spare.used[i] < rooms[i].count) {
            *out_at = at + (uint64_t)spare.used[i] * rooms[i].bytes;
            return first + (int)spare.used[i]++;
        }
        first += (int)rooms[i].count;
        at += (uint64_t)rooms[i].count * rooms[i].bytes;
    }
    return -1;
}

static void add(const char *text, size_t len)
{
    uint64_t at;
    if (find_room(len, &at) >= 0) {
        user_out(at, text, len);
        return;
    }
    int slot = find_room(0, &at);
    if (slot < 0 || len > spare.long_end - spare.long_at || user_out(spare.long_at, text, len) < 0)
        return;
    user_out(spare.slots + (uint64_t)slot * sizeof(uint64_t), &spare.long_at, sizeof(uint64_t));
    spare.long_at += len;
}

void environ_add(const struct vm_boot *boot)
{
    const char *at = arch_phys(boot->strings_gpa), *end = at + boot->strings_bytes;
    char *all = heap_grow(process.environ, process.environ_len,
                          process.environ_len + boot->strings_bytes + 1);
    if (all) {
        memcpy(all + process.environ_len, at, boot->strings_bytes);
        process.environ = all;
        process.environ_len += boot->strings_bytes;
    }
    for (size_t len; at < end; at += len) {
        len = strnlen(at, (size_t)(end - at)) + 1;
        if (at + len <= end)
            add(at, len);
    }
}
