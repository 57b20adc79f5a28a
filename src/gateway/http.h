/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.x requests, strictly.
 *
 * A head passes two independent checks that must agree. http_head_scan() looks at each byte once as
 * it arrives: lines end in CRLF and nothing else, no control character, no folded line, bounded
 * lengths and counts; it finds the end of the head. http_head_parse() then gives the whole head to
 * llhttp (strict, no lenient flag) and checks on top what llhttp lets pass: one space between the
 * parts of the request line, only HTTP/1.0 and 1.1, exactly one valid Host, Content-Length of
 * digits, a Transfer-Encoding that is "chunked" and nothing else, never both, names that are
 * tokens.
 *
 * Bodies are decoded by http_body_decode(): llhttp 8 takes a bare LF at the end of a trailer, this
 * does not. All three are pure: no allocation, no system call, no byte read beyond what was given.
 * A refusal is an HTTP status and a sentence; nothing is ever guessed or repaired.
 */
#ifndef SKERRY_GATEWAY_HTTP_H
#define SKERRY_GATEWAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_HEAD_MAX    (32u * 1024u) /* request line and headers; beyond: 431 */
#define HTTP_TARGET_MAX  8192u         /* beyond: 414 */
#define HTTP_HEADERS_MAX 128u          /* beyond: 431 */

struct http_span {
    const char *at;
    size_t size;
};

struct http_header {
    struct http_span name;
    struct http_span value; /* without white space around it */
};

struct http_request {
    struct http_span method;
    struct http_span target; /* as sent */
    struct http_span path;   /* of the target, still encoded; begins with '/', or is "*" */
    struct http_span query;  /* without '?'; at == NULL: there was none */
    struct http_span host; /* Host or the authority of an absolute target; at == NULL: none (1.0) */
    struct http_span type; /* Content-Type; at == NULL: none */
    unsigned int minor;    /* HTTP/1.minor */
    bool keep_alive;
    bool is_head;
    bool chunked;
    bool has_length;
    bool expects_continue;
    bool takes_trailers; /* TE: trailers */
    uint64_t content_length;
    const char *why; /* of a refusal */
    unsigned int header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
};

/* Where a scan stands; all zero at the beginning of a head. */
struct http_scan {
    uint32_t at;    /* bytes looked at */
    uint32_t line;  /* where the current line begins */
    uint32_t lines; /* finished */
};

/*
 * Goes on scanning buf[0, size), which begins with the head and may have grown since the last call.
 * Returns the size of the head with its empty line when it is complete, 0 when more is needed, or
 * -status with a sentence in *out_why. A head of 2 bytes is an empty line before the request.
 */
int http_head_scan(struct http_scan *scan, const char *buf, size_t size, const char **out_why);

/*
 * Parses a complete head of size bytes. The spans of *out point into it. 0, or a status to refuse
 * it with (out->why says why).
 */
int http_head_parse(const char *head, size_t size, struct http_request *out);

/* True when the request's header `name` (lower case) is present; the first value in *out. */
bool http_header_find(const struct http_request *request, const char *name, struct http_span *out);

/* Case-insensitive comparison of a span with lower-case text. */
bool http_span_is(struct http_span span, const char *lower);

/*
 * Decodes %XX of text into out (room bytes). Returns the size, or -400: a '%' without two hex
 * digits or an encoded NUL; -414 when it does not fit.
 */
ssize_t http_percent_decode(struct http_span text, char *out, size_t room);

/* The body of the current request. All zero: there is none. */
struct http_body {
    bool chunked;
    bool done;
    uint8_t state;
    uint8_t digits;     /* of the chunk size that is being read */
    uint32_t extra;     /* bytes of extensions and trailers so far: they are bounded */
    uint64_t remaining; /* of the content length or of the current chunk */
    uint64_t total;     /* decoded so far */
};

void http_body_init(struct http_body *body, const struct http_request *request);

/*
 * Decodes raw[0, size) into out, which may be raw itself or lie before it (data only moves towards
 * the front). Stops at the end of the message. Returns the raw bytes consumed (all, unless
 * body->done) with the decoded count in *out_size, or -400 with a sentence.
 */
ssize_t http_body_decode(struct http_body *body, const char *raw, size_t size, char *out,
                         size_t *out_size, const char **out_why);

/* "OK", "Not Found", ...; for a status that we do not know "Status". */
const char *http_reason(int status);

#endif
