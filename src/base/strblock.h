/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of strings in one flat block: NUL-terminated, one after the other, as execve's arguments
 * lie in a new process. It crosses sockets as it is and is checked in one pass.
 */
#ifndef SKERRY_BASE_STRBLOCK_H
#define SKERRY_BASE_STRBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block within a fixed-size struct: STRBLOCK(4096) args; */
#define STRBLOCK(room)                                                                             \
    struct {                                                                                       \
        uint32_t count;                                                                            \
        uint32_t bytes;                                                                            \
        char data[room];                                                                           \
    }

/* Appends text to the block of room bytes. Returns 0, or -E2BIG when it does not fit. */
int strblock_add(uint32_t *count, uint32_t *bytes, char *data, size_t room, const char *text);
#define STRBLOCK_ADD(block, text)                                                                  \
    strblock_add(&(block)->count, &(block)->bytes, (block)->data, sizeof((block)->data), (text))

/* True when bytes <= room and data holds exactly count NUL-terminated strings in bytes bytes. */
bool strblock_valid(uint32_t count, uint32_t bytes, const char *data, size_t room);
#define STRBLOCK_VALID(block)                                                                      \
    strblock_valid((block)->count, (block)->bytes, (block)->data, sizeof((block)->data))

/* The string after text in a valid block (callers count). */
const char *strblock_next(const char *text);
#define STRBLOCK_EACH(block, var)                                                                  \
    const char *var = (block)->data;                                                               \
    var < (block)->data + (block)->bytes;                                                          \
    var = strblock_next(var)

#endif
