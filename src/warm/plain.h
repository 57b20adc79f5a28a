/* SPDX-License-Identifier: Apache-2.0 */
/* What skerry-warm uses of a C library, which it has not: in someone else's process there is no
 * room for a second one. */
#ifndef SKERRY_WARM_PLAIN_H
#define SKERRY_WARM_PLAIN_H

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t most);
char *strchr(const char *text, int byte);

static inline int starts_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Appends to text of room bytes, of which *used are used; what does not fit is cut. */
void text_add(char *text, size_t room, size_t *used, const char *more);
void text_add_number(char *text, size_t room, size_t *used, uint64_t number);

/* Reads a number and moves *at behind it. */
uint64_t text_hex(const char **at);
uint64_t text_decimal(const char **at);

/* Reads all of a file of /proc into room bytes, with a NUL: its size, or -errno. */
long file_read(const char *path, char *out, size_t room);

#endif
