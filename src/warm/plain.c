/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/plain.h"

#include <errno.h>
#include <fcntl.h>

#include "jail/raw.h"

void *memcpy(void *to, const void *from, size_t bytes)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    unsigned char *into = to;
    const unsigned char *out = from;
    if (into <= out || into >= out + bytes)
        return memcpy(to, from, bytes);
    while (bytes-- > 0)
        into[bytes] = out[bytes];
    return to;
}

void *memset(void *to, int byte, size_t bytes)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(byte) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const unsigned char *left = a, *right = b;
    for (size_t i = 0; i < bytes; i++) {
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *text)
{
    const char *end = text;
    while (*end)
        end++;
    return (size_t)(end - text);
}

int strncmp(const char *a, const char *b, size_t most)
{
    for (; most > 0; a++, b++, most--) {
        if (*a != *b)
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        if (*a == 0)
            break;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *text, int byte)
{
    for (; *text != (char)byte; text++) {
        if (*text == 0)
            return NULL;
    }
    return (char *)(uintptr_t)text;
}

void text_add(char *text, size_t room, size_t *used, const char *more)
{
    while (*more && *used + 1 < room)
        text[(*used)++] = *more++;
    text[*used] = 0;
}

void text_add_number(char *text, size_t room, size_t *used, uint64_t number)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_add(text, room, used, digits + at);
}

uint64_t text_hex(const char **at)
{
    uint64_t value = 0;
    for (;; (*at)++) {
        char c = **at;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return value;
    }
}

uint64_t text_decimal(const char **at)
{
    uint64_t value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value * 10 + (uint64_t)(**at - '0');
    return value;
}

long file_read(const char *path, char *out, size_t room)
{
    long fd = raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    size_t used = 0;
    long got;
    do {
        got = raw3(SYS_read, fd, out + used, room - 1 - used);
        used += got > 0 ? (size_t)got : 0;
    } while (got > 0 && used < room - 1);
    raw1(SYS_close, fd);
    out[used] = 0;
    if (got < 0)
        return got;
    return used == room - 1 ? -E2BIG : (long)used;
}
