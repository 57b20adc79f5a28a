/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory in chunks: the tree of a config.json is a thousand small pieces that die together. Chunks
 * come from calloc, so that what is given out is zeroed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/json.h"

#define CHUNK_SIZE (64u * 1024)
#define ALIGNMENT  16u

struct json_chunk {
    struct json_chunk *next;
    uint64_t padding; /* what follows is aligned to 16 */
};

static void *own_chunk(struct json_arena *arena, size_t size)
{
    struct json_chunk *chunk = calloc(1, sizeof(*chunk) + size);
    if (chunk == NULL)
        return NULL;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk + 1;
}

void *json_arena_alloc(struct json_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + (ALIGNMENT - 1)) & ~(size_t)(ALIGNMENT - 1);
    if (size > CHUNK_SIZE / 4)
        return own_chunk(arena, size);
    if (size > arena->room) {
        char *fresh = own_chunk(arena, CHUNK_SIZE);
        if (fresh == NULL)
            return NULL;
        arena->at = fresh;
        arena->room = CHUNK_SIZE;
    }
    void *piece = arena->at;
    arena->at += size;
    arena->room -= size;
    return piece;
}

char *json_arena_copy(struct json_arena *arena, const char *text, size_t size)
{
    char *copy = json_arena_alloc(arena, size + 1);
    if (copy != NULL && size > 0)
        memcpy(copy, text, size);
    return copy;
}

char *json_arena_printf(struct json_arena *arena, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    char *text = length >= 0 ? json_arena_alloc(arena, (size_t)length + 1) : NULL;
    if (text == NULL)
        return NULL;
    va_start(list, format);
    vsnprintf(text, (size_t)length + 1, format, list);
    va_end(list);
    return text;
}

void json_arena_adopt(struct json_arena *arena, struct json_arena *from)
{
    struct json_chunk **last = &arena->chunks;
    while (*last != NULL)
        last = &(*last)->next;
    *last = from->chunks;
    *from = (struct json_arena){0};
}

void json_arena_free(struct json_arena *arena)
{
    for (struct json_chunk *chunk = arena->chunks; chunk != NULL;) {
        struct json_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    *arena = (struct json_arena){0};
}
