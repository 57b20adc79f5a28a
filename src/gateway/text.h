/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text into a fixed room: what heads, log lines and metrics are written with. It never writes
 * beyond its end; what did not fit sets `full`, and the writer decides then (a head that is full is
 * a bug or an attack and is refused, a log line is cut).
 */
#ifndef SKERRY_GATEWAY_TEXT_H
#define SKERRY_GATEWAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *at;
    char *end;
    bool full;
};

static inline struct text text_over(char *room, size_t size)
{
    return (struct text){.at = room, .end = room + size};
}

static inline void text_bytes(struct text *text, const char *data, size_t size)
{
    if (size > (size_t)(text->end - text->at)) {
        text->full = true;
        return;
    }
    memcpy(text->at, data, size);
    text->at += size;
}

static inline void text_put(struct text *text, const char *string)
{
    text_bytes(text, string, strlen(string));
}

static inline void text_char(struct text *text, char c)
{
    text_bytes(text, &c, 1);
}

/* Decimal, at least `width` digits (zeros in front), width <= 20. */
static inline void text_uint_width(struct text *text, uint64_t value, unsigned int width)
{
    char digits[20];
    unsigned int n = 0;
    do {
        digits[sizeof(digits) - ++n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || (n < width && n < sizeof(digits)));
    text_bytes(text, digits + sizeof(digits) - n, n);
}

static inline void text_uint(struct text *text, uint64_t value)
{
    text_uint_width(text, value, 1);
}

/* Hexadecimal with exactly `width` digits, width <= 16. */
static inline void text_hex(struct text *text, uint64_t value, unsigned int width)
{
    char digits[16];
    for (unsigned int i = 0; i < width; i++)
        digits[i] = "0123456789abcdef"[(value >> (4 * (width - 1 - i))) & 15];
    text_bytes(text, digits, width);
}

/* Nanoseconds as seconds with six decimals: 0.000123. */
static inline void text_seconds(struct text *text, uint64_t ns)
{
    text_uint(text, ns / 1000000000);
    text_char(text, '.');
    text_uint_width(text, ns / 1000 % 1000000, 6);
}

#endif
