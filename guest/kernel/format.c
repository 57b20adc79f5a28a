// SPDX-License-Identifier: Apache-2.0
/* Text made piece by piece. */
#include "format.h"

#include "../mm/heap.h"

void format_init(struct format *format)
{
    memset(format, 0, sizeof(*format));
}

void format_done(struct format *format)
{
    heap_free(format->text);
    format->text = NULL;
}

void format_bytes(struct format *format, const char *bytes, size_t len)
{
    if (format->len + len > format->room) {
        size_t room = format->room ? format->room * 2 : 256;
        while (room < format->len + len)
            room *= 2;
        char *text = heap_grow(format->text, format->len, room);
        if (!text)
            return;
        format->text = text;
        format->room = room;
    }
    memcpy(format->text + format->len, bytes, len);
    format->len += len;
}

void format_text(struct format *format, const char *text)
{
    format_bytes(format, text, strlen(text));
}

void format_number(struct format *format, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    format_bytes(format, digits + at, sizeof(digits) - at);
}

void format_hex(struct format *format, uint64_t number, unsigned digits)
{
    char text[16];
    size_t at = sizeof(text);
    while (at && (number || digits || at == sizeof(text))) {
        text[--at] = "0123456789abcdef"[number & 15];
        number >>= 4;
        digits -= digits > 0;
        if (!number && !digits)
            break;
    }
    format_bytes(format, text + at, sizeof(text) - at);
}

void format_pad(struct format *format, size_t line_start, size_t column)
{
    while (format->len - line_start < column) {
        size_t before = format->len;
        format_bytes(format, " ", 1);
        if (format->len == before)
            return;
    }
}
