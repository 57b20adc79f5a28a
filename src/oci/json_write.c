/* SPDX-License-Identifier: Apache-2.0 */
/* See json_write.h. */
#include "oci/json_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct json_writer *out, const char *text, size_t size)
{
    if (out->failed)
        return;
    if (size >= out->room - out->used) {
        size_t room = (out->used + size + 1) * 2 + 512;
        char *data = realloc(out->data, room);
        if (data == NULL) {
            out->failed = true;
            return;
        }
        out->data = data;
        out->room = room;
    }
    memcpy(out->data + out->used, text, size);
    out->used += size;
    out->data[out->used] = '\0';
}

static void new_line(struct json_writer *out)
{
    if (out->indent == 0)
        return;
    put(out, "\n", 1);
    for (unsigned int i = 0; i < out->indent * out->depth; i++)
        put(out, " ", 1);
}

/* The length of a UTF-8 sequence, 0 when the byte begins none. */
static size_t sequence(const unsigned char *s)
{
    size_t length = s[0] < 0x80   ? 1
                    : s[0] < 0xc2 ? 0
                    : s[0] < 0xe0 ? 2
                    : s[0] < 0xf0 ? 3
                    : s[0] < 0xf5 ? 4
                                  : 0;
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) /* the final NUL is none either */
            return 0;
    }
    if (length > 2 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
                       (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)))
        return 0;
    return length;
}

static void put_quoted(struct json_writer *out, const char *text)
{
    put(out, "\"", 1);
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
        size_t length = sequence(s);
        char escape[8];
        if (*s == '"' || *s == '\\') {
            put(out, (char[]){'\\', (char)*s}, 2);
        } else if (*s < 0x20) {
            put(out, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", *s));
        } else if (length == 0) {
            put(out, "\xef\xbf\xbd", 3);
            length = 1;
        } else {
            put(out, (const char *)s, length);
        }
        s += length;
    }
    put(out, "\"", 1);
}

static void before(struct json_writer *out, const char *key)
{
    if (out->comma)
        put(out, ",", 1);
    if (out->depth > 0)
        new_line(out);
    if (key != NULL) {
        put_quoted(out, key);
        put(out, ": ", out->indent > 0 ? 2 : 1);
    }
    out->comma = true;
}

static void open_level(struct json_writer *out, const char *key, const char *bracket)
{
    before(out, key);
    put(out, bracket, 1);
    out->depth++;
    out->comma = false;
}

static void close_level(struct json_writer *out, const char *bracket)
{
    out->depth--;
    if (out->comma)
        new_line(out);
    put(out, bracket, 1);
    out->comma = true;
}

void json_write_object(struct json_writer *out, const char *key)
{
    open_level(out, key, "{");
}

void json_write_object_end(struct json_writer *out)
{
    close_level(out, "}");
}

void json_write_list(struct json_writer *out, const char *key)
{
    open_level(out, key, "[");
}

void json_write_list_end(struct json_writer *out)
{
    close_level(out, "]");
}

void json_write_text(struct json_writer *out, const char *key, const char *text)
{
    before(out, key);
    put_quoted(out, text);
}

void json_write_int(struct json_writer *out, const char *key, int64_t value)
{
    char text[32];
    json_write_raw(out, key, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

void json_write_uint(struct json_writer *out, const char *key, uint64_t value)
{
    char text[32];
    json_write_raw(out, key, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, value));
}

void json_write_bool(struct json_writer *out, const char *key, bool value)
{
    json_write_raw(out, key, value ? "true" : "false", value ? 4 : 5);
}

void json_write_raw(struct json_writer *out, const char *key, const char *text, size_t size)
{
    before(out, key);
    put(out, text, size);
}

void json_write_texts(struct json_writer *out, const char *key, const char *const *items)
{
    json_write_list(out, key);
    for (; items != NULL && *items != NULL; items++)
        json_write_text(out, NULL, *items);
    json_write_list_end(out);
}

int json_writer_finish(struct json_writer *out)
{
    return out->failed || out->data == NULL ? -ENOMEM : 0;
}

void json_writer_free(struct json_writer *out)
{
    free(out->data);
    *out = (struct json_writer){0};
}
