/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input laid flush against a page that cannot be touched: a parser that reads one byte too far does
 * not find a lucky zero there, it dies.
 */
#ifndef SKERRY_TESTS_FLUSH_PAGE_H
#define SKERRY_TESTS_FLUSH_PAGE_H

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#define FLUSH_ROOM (1u << 20)

/* A copy of data that ends where the readable memory ends. Valid until the next call. */
static inline char *flush_copy(const void *data, size_t size)
{
    static char *room;
    if (room == NULL) {
        room = mmap(NULL, FLUSH_ROOM + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
        if (room == MAP_FAILED || mprotect(room + FLUSH_ROOM, 4096, PROT_NONE) < 0)
            __builtin_trap();
    }
    char *at = room + FLUSH_ROOM - size;
    memcpy(at, data, size);
    return at;
}

#endif
