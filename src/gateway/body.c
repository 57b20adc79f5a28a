/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of request bodies: by length, or chunked (RFC 9112, 7.1) without any of the usual
 * leniences. A chunk's size is 1 to 15 hex digits, lines end in CRLF, extensions and trailers are
 * checked, bounded together and dropped: a trailer must not be able to become a header.
 */
#include <string.h>

#include "gateway/http.h"

#define EXTRA_MAX (16u * 1024u) /* extensions and trailers of one body */

enum chunk_state {
    CHUNK_SIZE_FIRST = 0, /* at the first digit of a size */
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_FIRST, /* at the beginning of a trailer line or of the last line */
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
};

void http_body_init(struct http_body *body, const struct http_request *request)
{
    *body = (struct http_body){
        .chunked = request->chunked,
        .remaining = request->chunked ? 0 : request->content_length,
    };
    body->done = !body->chunked && body->remaining == 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_name_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_text_char(char c)
{
    return ((unsigned char)c >= 0x20 && c != 0x7f) || c == '\t';
}

/* Takes one hex digit of a size, or what ends it. NULL, or what is wrong. */
static const char *size_step(struct http_body *body, char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (++body->digits > 15) /* leading zeros count: no line is endless */
            return "a chunk's size is longer than 15 digits";
        body->remaining = body->remaining << 4 | (uint64_t)digit;
        body->state = CHUNK_SIZE;
        return NULL;
    }
    if (body->state == CHUNK_SIZE_FIRST)
        return "a chunk does not begin with its size";
    if (c != '\r' && c != ';')
        return "a chunk's size is not hexadecimal digits";
    body->digits = 0;
    body->state = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return NULL;
}

static const char *trailer_step(struct http_body *body, char c)
{
    if (++body->extra > EXTRA_MAX)
        return "extensions and trailers of the body are larger than 16 KiB";
    if (body->state == CHUNK_TRAILER_VALUE) {
        if (c == '\r')
            body->state = CHUNK_TRAILER_LF;
        else if (!is_text_char(c))
            return "a control character in a trailer";
    } else if (c == '\r' && body->state == CHUNK_TRAILER_FIRST) {
        body->state = CHUNK_END_LF;
    } else if (c == ':' && body->state == CHUNK_TRAILER_NAME) {
        body->state = CHUNK_TRAILER_VALUE;
    } else if (is_name_char(c)) {
        body->state = CHUNK_TRAILER_NAME;
    } else {
        return "a trailer's name is not a token";
    }
    return NULL;
}

/* One byte of framing (all states but CHUNK_DATA). NULL, or what is wrong. */
static const char *frame_step(struct http_body *body, char c)
{
    static const struct {
        char wanted;
        uint8_t next;
    } fixed[] = {
        [CHUNK_DATA_CR] = {'\r', CHUNK_DATA_LF},
        [CHUNK_DATA_LF] = {'\n', CHUNK_SIZE_FIRST},
        [CHUNK_TRAILER_LF] = {'\n', CHUNK_TRAILER_FIRST},
        [CHUNK_SIZE_LF] = {'\n', CHUNK_DATA},
        [CHUNK_END_LF] = {'\n', CHUNK_END_LF},
    };
    switch (body->state) {
    case CHUNK_SIZE_FIRST:
    case CHUNK_SIZE:
        return size_step(body, c);
    case CHUNK_EXTENSION:
        if (++body->extra > EXTRA_MAX)
            return "extensions and trailers of the body are larger than 16 KiB";
        if (c == '\r')
            body->state = CHUNK_SIZE_LF;
        else if (!is_text_char(c))
            return "a control character in a chunk's extension";
        return NULL;
    case CHUNK_TRAILER_FIRST:
    case CHUNK_TRAILER_NAME:
    case CHUNK_TRAILER_VALUE:
        return trailer_step(body, c);
    default:
        if (c != fixed[body->state].wanted)
            return "CRLF is missing in the chunked body";
        body->done = body->state == CHUNK_END_LF;
        body->state = fixed[body->state].next;
        if (body->state == CHUNK_DATA && body->remaining == 0)
            body->state = CHUNK_TRAILER_FIRST;
        return NULL;
    }
}

/* Moves as much data as there is and the length allows. Returns the bytes taken. */
static size_t data_take(struct http_body *body, const char *raw, size_t size, char *out,
                        size_t *out_size)
{
    size_t take = size < body->remaining ? size : (size_t)body->remaining;
    if (out + *out_size != raw)
        memmove(out + *out_size, raw, take);
    *out_size += take;
    body->remaining -= take;
    body->total += take;
    return take;
}

ssize_t http_body_decode(struct http_body *body, const char *raw, size_t size, char *out,
                         size_t *out_size, const char **out_why)
{
    size_t at = 0;
    *out_size = 0;
    if (!body->chunked) {
        at = data_take(body, raw, size, out, out_size);
        body->done = body->remaining == 0;
        return (ssize_t)at;
    }
    while (at < size && !body->done) {
        if (body->state == CHUNK_DATA) {
            at += data_take(body, raw + at, size - at, out, out_size);
            if (body->remaining == 0)
                body->state = CHUNK_DATA_CR;
            continue;
        }
        const char *why = frame_step(body, raw[at++]);
        if (why != NULL) {
            *out_why = why;
            return -400;
        }
    }
    return (ssize_t)at;
}
