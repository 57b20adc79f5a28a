/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP parser: what is accepted, what is refused and with which status. Every head is fed byte
 * by byte and at once, flush against an inaccessible page, and both ways must give the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flush_page.h"
#include "gateway/http.h"
#include "gateway/route.h"

static struct http_request request;

/* Scans all prefixes of the text as they would arrive; the final result is a size, 0 or -status. */
static int scan_by_byte(const char *text, size_t size)
{
    struct http_scan scan = {0};
    const char *why = NULL;
    for (size_t have = 1; have <= size; have++) {
        int got = http_head_scan(&scan, flush_copy(text, have), have, &why);
        if (got != 0)
            return got;
    }
    return 0;
}

static int scan_whole(const char *text, size_t size)
{
    struct http_scan scan = {0};
    const char *why = NULL;
    return http_head_scan(&scan, flush_copy(text, size), size, &why);
}

/* 0 for an accepted head, the status for a refused one, -1 for one that is not complete. */
static int head_status(const char *text, size_t size)
{
    int whole = scan_whole(text, size), by_byte = scan_by_byte(text, size);
    assert_int_equal(whole, by_byte);
    if (whole < 0)
        return -whole;
    if (whole == 0)
        return -1;
    return http_head_parse(flush_copy(text, (size_t)whole), (size_t)whole, &request);
}

#define HEAD(text)            head_status((text), sizeof(text) - 1)
#define ACCEPTED(text)        assert_int_equal(HEAD(text), 0)
#define REFUSED(status, text) assert_int_equal(HEAD(text), status)

#define SPAN_EQUAL(span, text)                                                                     \
    do {                                                                                           \
        assert_int_equal((span).size, strlen(text));                                               \
        assert_memory_equal((span).at, text, strlen(text));                                        \
    } while (0)

static void a_plain_request(void **state)
{
    ACCEPTED("POST /function/a%20b/x?y=1&z HTTP/1.1\r\nHost: example.org:8080\r\n"
             "Content-Length: 12\r\nX-A:\t b \t\r\nEmpty:\r\n\r\n");
    SPAN_EQUAL(request.method, "POST");
    SPAN_EQUAL(request.target, "/function/a%20b/x?y=1&z");
    SPAN_EQUAL(request.path, "/function/a%20b/x");
    SPAN_EQUAL(request.query, "y=1&z");
    SPAN_EQUAL(request.host, "example.org:8080");
    assert_int_equal(request.header_count, 4);
    SPAN_EQUAL(request.headers[2].name, "X-A");
    SPAN_EQUAL(request.headers[2].value, "b");
    SPAN_EQUAL(request.headers[3].value, "");
    assert_true(request.keep_alive);
    assert_true(request.has_length);
    assert_int_equal(request.content_length, 12);
    assert_false(request.chunked);
    assert_false(request.is_head);
    assert_int_equal(request.minor, 1);
}

static void what_follows_the_head_is_not_read(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b\n\n\x00\x01";
    assert_int_equal(scan_whole(text, sizeof(text) - 1), 27);
    assert_int_equal(scan_by_byte(text, sizeof(text) - 1), 27);
}

static void connection_and_version(void **state)
{
    ACCEPTED("GET / HTTP/1.0\r\n\r\n");
    assert_false(request.keep_alive);
    assert_int_equal(request.minor, 0);
    assert_null(request.host.at);
    ACCEPTED("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(request.keep_alive);
    ACCEPTED("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_false(request.keep_alive);
    ACCEPTED("HEAD / HTTP/1.1\r\nHost: a\r\nTE: trailers, deflate;q=0.5\r\n\r\n");
    assert_true(request.is_head);
    assert_true(request.takes_trailers);
    ACCEPTED("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_true(request.keep_alive);
    REFUSED(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n");
    REFUSED(505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n");
    REFUSED(505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n");
    REFUSED(505, "PRI * HTTP/2.0\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1x\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / http/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / ICE/1.0\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /\r\n\r\n");
}

static void line_ends_are_crlf(void **state)
{
    REFUSED(400, "GET / HTTP/1.1\nHost: a\n\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\n\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n");
    REFUSED(400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(-1, "GET / HTTP/1.1\r\nHost: a\r\n\r");
    REFUSED(-1, "GET / HTTP/1.1\r\nHost: a\r\n");
    /* llhttp would refuse these too: the scan must not lean on it. */
    assert_int_equal(scan_by_byte("GET / HTTP/1.1\r\nX: a\rb", 22), -400);
    assert_int_equal(scan_by_byte("GET / HTTP/1.1\r\r", 16), -400);
    /* An empty line in front of the request: the caller decides. */
    assert_int_equal(scan_by_byte("\r\nGET", 5), 2);
}

static void control_characters_and_folds(void **state)
{
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n");
    REFUSED(400, "G\0ET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ACCEPTED("GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\r\n\r\n"); /* obs-text in a value */
}

static void header_names_are_tokens(void **state)
{
    REFUSED(400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nX\xe4: b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n");
}

static void request_lines(void **state)
{
    REFUSED(400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n");
    REFUSED(400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n");
    ACCEPTED("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(501, "FOO / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(501, "get / HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(501, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n");
    ACCEPTED("PATCH / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void absolute_targets(void **state)
{
    ACCEPTED("GET http://b.example:81/p/q?r HTTP/1.1\r\nHost: a\r\n\r\n");
    SPAN_EQUAL(request.host, "b.example:81");
    SPAN_EQUAL(request.path, "/p/q");
    SPAN_EQUAL(request.query, "r");
    REFUSED(400, "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET http:///p HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET http://u@b/p HTTP/1.1\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET ftp://b/p HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void hosts(void **state)
{
    REFUSED(400, "GET / HTTP/1.1\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: [x]\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n");
    ACCEPTED("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n");
    ACCEPTED("GET / HTTP/1.1\r\nHost:\r\n\r\n");
}

static void lengths_are_never_guessed(void **state)
{
#define WITH(headers) "POST / HTTP/1.1\r\nHost: a\r\n" headers "\r\n"
    REFUSED(400, WITH("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"));
    REFUSED(400, WITH("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"));
    REFUSED(400, WITH("Content-Length: 1\r\nContent-Length: 2\r\n"));
    REFUSED(400, WITH("Content-Length: 1\r\nContent-Length: 1\r\n"));
    REFUSED(400, WITH("Content-Length: 1, 1\r\n"));
    REFUSED(400, WITH("Content-Length: +1\r\n"));
    REFUSED(400, WITH("Content-Length: -1\r\n"));
    REFUSED(400, WITH("Content-Length: 0x1\r\n"));
    REFUSED(400, WITH("Content-Length: 1 2\r\n"));
    REFUSED(400, WITH("Content-Length:\r\n"));
    REFUSED(400, WITH("Content-Length: 99999999999999999999\r\n"));
    REFUSED(501, WITH("Transfer-Encoding: gzip\r\n"));
    REFUSED(501, WITH("Transfer-Encoding: gzip, chunked\r\n"));
    REFUSED(501, WITH("Transfer-Encoding: xchunked\r\n"));
    REFUSED(501, WITH("Transfer-Encoding: chunked, identity\r\n"));
    REFUSED(501, WITH("Transfer-Encoding: identity\r\n"));
    REFUSED(501, WITH("Transfer-Encoding:\r\n"));
    assert_int_not_equal(HEAD(WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
                         0);
    REFUSED(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    ACCEPTED(WITH("Transfer-Encoding: Chunked\r\n"));
    assert_true(request.chunked);
    REFUSED(417, WITH("Expect: something\r\n"));
    ACCEPTED(WITH("Expect: 100-Continue\r\nContent-Length: 5\r\n"));
    assert_true(request.expects_continue);
    ACCEPTED("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_false(request.expects_continue);
    REFUSED(400, WITH("Content-Type: a/b\r\nContent-Type: a/c\r\n"));
}

/* Builds "GET /aaaa.. HTTP/1.1", `headers` more lines of `width` bytes, and the end. */
static int head_of(size_t path, unsigned int headers, size_t width)
{
    static char text[128 * 1024];
    char *at = text;
    at += sprintf(at, "GET /");
    memset(at, 'a', path);
    at += path;
    at += sprintf(at, " HTTP/1.1\r\nHost: a\r\n");
    for (unsigned int i = 0; i < headers; i++) {
        at += sprintf(at, "X: ");
        memset(at, 'b', width - 5);
        at += width - 5;
        at += sprintf(at, "\r\n");
    }
    at += sprintf(at, "\r\n");
    return head_status(text, (size_t)(at - text));
}

static void bounds_have_their_own_status(void **state)
{
    assert_int_equal(head_of(HTTP_TARGET_MAX - 1, 0, 0), 0);
    assert_int_equal(head_of(HTTP_TARGET_MAX, 0, 0), 414);
    assert_int_equal(head_of(20000, 0, 0), 414);
    assert_int_equal(head_of(1, 127, 10), 0);
    assert_int_equal(request.header_count, 128);
    assert_int_equal(head_of(1, 128, 10), 431);
    assert_int_equal(head_of(1, 1, 32000), 0);
    assert_int_equal(head_of(1, 1, 32768), 431);
    assert_int_equal(head_of(1, 40, 1000), 431);
}

/* Decodes in pieces of `step` bytes; returns the decoded size, or -1 when refused. */
static long decode(const char *text, size_t size, size_t step, char *out, struct http_body *body)
{
    size_t used = 0;
    const char *why = NULL;
    for (size_t at = 0; at < size && !body->done;) {
        size_t piece = size - at < step ? size - at : step;
        char *raw = flush_copy(text + at, piece);
        size_t got = 0;
        ssize_t n = http_body_decode(body, raw, piece, raw, &got, &why);
        if (n < 0)
            return -1;
        memcpy(out + used, raw, got);
        used += got;
        at += (size_t)n;
        if (!body->done)
            assert_int_equal(n, piece);
    }
    return (long)used;
}

/* The text decodes to `want`, or is refused (NULL), however it is cut. */
static void chunks(const char *text, const char *want)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        char out[256];
        struct http_body body = {.chunked = true};
        long got = decode(text, strlen(text), step, out, &body);
        if (want == NULL) {
            assert_int_equal(got, -1);
            continue;
        }
        assert_int_equal(got, strlen(want));
        assert_memory_equal(out, want, strlen(want));
        assert_true(body.done);
        assert_int_equal(body.total, strlen(want));
    }
}

static void chunked_bodies(void **state)
{
    chunks("0\r\n\r\n", "");
    chunks("3\r\nabc\r\n0\r\n\r\n", "abc");
    chunks("3\r\nabc\r\n0000A\r\n0123456789\r\n00\r\n\r\n", "abc0123456789");
    chunks("3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\nTrailer: 1\r\nAnother:\r\n\r\n", "abc");
    chunks("3\nabc\r\n0\r\n\r\n", NULL);
    chunks("3\r\nabc\n0\r\n\r\n", NULL);
    chunks("3\r\nabc0\r\n\r\n", NULL);
    chunks("3\r\nabcd\r\n0\r\n\r\n", NULL);
    chunks("3\r\nabc\r\n0\n\r\n", NULL);
    chunks("3\r\nabc\r\n0\r\n\n", NULL);
    chunks("3\r\nabc\r\n0\r\n\rX", NULL);
    chunks("3\r\rabc\r\n0\r\n\r\n", NULL);
    chunks("3 \r\nabc\r\n0\r\n\r\n", NULL);
    chunks(" 3\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("0x3\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("+3\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("-3\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("\r\n3\r\nabc\r\n0\r\n\r\n", NULL);
    chunks(";x\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("g\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("1000000000000000\r\nabc", NULL);
    chunks("0000000000000003\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("3;a\nb\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("3;a\x01\r\nabc\r\n0\r\n\r\n", NULL);
    chunks("0\r\nbad trailer: 1\r\n\r\n", NULL);
    chunks("0\r\n: 1\r\n\r\n", NULL);
    chunks("0\r\nA: 1\n\r\n", NULL);
    chunks("0\r\n folded\r\n\r\n", NULL);
    chunks("0\r\nnocolon\r\n\r\n", NULL);
}

static void chunk_framing_is_bounded(void **state)
{
    static char text[64 * 1024];
    char out[16];
    size_t at = (size_t)sprintf(text, "3;");
    memset(text + at, 'e', 20000);
    struct http_body body = {.chunked = true};
    assert_int_equal(decode(text, at + 20000, 512, out, &body), -1);
    at = (size_t)sprintf(text, "0\r\nA: ");
    memset(text + at, 'e', 20000);
    body = (struct http_body){.chunked = true};
    assert_int_equal(decode(text, at + 20000, 512, out, &body), -1);
    memset(text, '0', 1000);
    body = (struct http_body){.chunked = true};
    assert_int_equal(decode(text, 1000, 7, out, &body), -1);
}

static void bodies_end_where_they_end(void **state)
{
    char out[64];
    struct http_request with_length = {.has_length = true, .content_length = 5};
    for (size_t step = 1; step < 20; step++) {
        struct http_body body;
        http_body_init(&body, &with_length);
        assert_false(body.done);
        assert_int_equal(decode("helloGET / HTTP", 15, step, out, &body), 5);
        assert_memory_equal(out, "hello", 5);
        assert_true(body.done);
    }
    struct http_request none = {0};
    struct http_body body;
    http_body_init(&body, &none);
    assert_true(body.done);
    const char *why;
    size_t got;
    body = (struct http_body){.chunked = true};
    static const char text[] = "1\r\na\r\n0\r\n\r\nGET";
    assert_int_equal(http_body_decode(&body, text, sizeof(text) - 1, out, &got, &why), 11);
    assert_int_equal(got, 1);
}

static int route(const char *path, struct route *out)
{
    const char *why = NULL;
    return route_parse((struct http_span){flush_copy(path, strlen(path)), strlen(path)}, out, &why);
}

static void routes(void **state)
{
    static const struct {
        const char *path;
        int status;
        enum route_kind kind;
        const char *name, *tenant, *script, *rest;
    } rows[] = {
        {"/", 0, ROUTE_ROOT, "", "", "", ""},
        {"/healthz", 0, ROUTE_HEALTH, "", "", "", ""},
        {"/metrics", 0, ROUTE_METRICS, "", "", "", ""},
        {"/metrics/", 0, ROUTE_NONE, "", "", "", ""},
        {"/system/functions", 0, ROUTE_SYSTEM, "", "", "", ""},
        {"/system", 0, ROUTE_NONE, "", "", "", ""},
        {"/function/f", 0, ROUTE_FUNCTION, "f", "default", "/function/f", ""},
        {"/function/f/", 0, ROUTE_FUNCTION, "f", "default", "/function/f", "/"},
        {"/function/f.t/a/b", 0, ROUTE_FUNCTION, "f", "t", "/function/f.t", "/a/b"},
        {"/function/f.default", 0, ROUTE_FUNCTION, "f", "default", "/function/f.default", ""},
        {"/function/%66%2dg/x%2Fy", 0, ROUTE_FUNCTION, "f-g", "default", "/function/%66%2dg",
         "/x%2Fy"},
        {"/function/", 0, ROUTE_NONE, "", "", "", ""},
        {"/function", 0, ROUTE_NONE, "", "", "", ""},
        {"/function/../system/x", 0, ROUTE_NONE, "", "", "", ""},
        {"/function/%2e%2e/system/x", 0, ROUTE_NONE, "", "", "", ""},
        {"/function/F", 0, ROUTE_NONE, "", "", "", ""},
        {"/function/a.b.c", 0, ROUTE_NONE, "", "", "", ""},
        {"/function/.a", 0, ROUTE_NONE, "", "", "", ""},
        {"/function/a%2Fb", 400, ROUTE_NONE, "", "", "", ""},
        {"/function/a%00", 400, ROUTE_NONE, "", "", "", ""},
        {"/function/a%", 400, ROUTE_NONE, "", "", "", ""},
        {"/function/a%4", 400, ROUTE_NONE, "", "", "", ""},
        {"/function/a%zz", 400, ROUTE_NONE, "", "", "", ""},
        {"//function/f", 0, ROUTE_NONE, "", "", "", ""},
        {"/Function/f", 0, ROUTE_NONE, "", "", "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct route got = {0};
        assert_int_equal(route(rows[i].path, &got), rows[i].status);
        assert_int_equal(got.kind, rows[i].kind);
        if (got.kind != ROUTE_FUNCTION)
            continue;
        assert_string_equal(got.name, rows[i].name);
        assert_string_equal(got.tenant, rows[i].tenant);
        SPAN_EQUAL(got.script, rows[i].script);
        SPAN_EQUAL(got.rest, rows[i].rest);
    }
    char longest[400] = "/function/";
    memset(longest + 10, 'a', 380);
    struct route got = {0};
    assert_int_equal(route(longest, &got), 0);
    assert_int_equal(got.kind, ROUTE_NONE);
}

static void percent_decoding(void **state)
{
    char out[8];
    assert_int_equal(http_percent_decode((struct http_span){"a%41%2f", 7}, out, 8), 3);
    assert_memory_equal(out, "aA/", 3);
    assert_int_equal(http_percent_decode((struct http_span){"%", 1}, out, 8), -400);
    assert_int_equal(http_percent_decode((struct http_span){"%0", 2}, out, 8), -400);
    assert_int_equal(http_percent_decode((struct http_span){"%0g", 3}, out, 8), -400);
    assert_int_equal(http_percent_decode((struct http_span){"%00", 3}, out, 8), -400);
    assert_int_equal(http_percent_decode((struct http_span){"%1\0"
                                                            "0",
                                                            4},
                                         out, 8),
                     -400);
    assert_int_equal(http_percent_decode((struct http_span){"123456789", 9}, out, 8), -414);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_request),
        cmocka_unit_test(what_follows_the_head_is_not_read),
        cmocka_unit_test(connection_and_version),
        cmocka_unit_test(line_ends_are_crlf),
        cmocka_unit_test(control_characters_and_folds),
        cmocka_unit_test(header_names_are_tokens),
        cmocka_unit_test(request_lines),
        cmocka_unit_test(absolute_targets),
        cmocka_unit_test(hosts),
        cmocka_unit_test(lengths_are_never_guessed),
        cmocka_unit_test(bounds_have_their_own_status),
        cmocka_unit_test(chunked_bodies),
        cmocka_unit_test(chunk_framing_is_bounded),
        cmocka_unit_test(bodies_end_where_they_end),
        cmocka_unit_test(routes),
        cmocka_unit_test(percent_decoding),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
