/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP edge: bytes of a connection through scan, parse, route, environment and body, as conn.c
 * does it. Whatever comes: no read beyond the input, the same result however it is cut, and an
 * environment that the sandbox's own check takes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/env.h"
#include "gateway/http.h"
#include "gateway/route.h"
#include "jail/start.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Scans in steps; each buffer is as large as what has come, so that ASan sees every byte too far.
 */
static int scan(const char *text, size_t size, size_t step)
{
    struct http_scan state = {0};
    const char *why = NULL;
    for (size_t have = step < size ? step : size;; have = size - have < step ? size : have + step) {
        char *copy = malloc(have + 1);
        memcpy(copy, text, have);
        char *exact = realloc(copy, have > 0 ? have : 1);
        int got = http_head_scan(&state, exact, have, &why);
        free(exact);
        if (got < 0)
            REQUIRE(why != NULL);
        if (got != 0 || have == size)
            return got;
    }
}

/* Environment strings must be what start_check, the receiver's check, accepts. */
static void environment(const struct http_request *request, const struct route *route)
{
    static char message[sizeof(struct start_header) + START_ENV_MAX];
    struct env_input input = {
        .request = request,
        .route = route,
        .call_id = "00000001-0000000000000001",
        .remote_addr = "192.0.2.1",
        .remote_port = 1,
        .length_known = request->has_length,
        .length = request->content_length,
    };
    uint32_t count = 0, bytes = 0;
    int status =
        env_build(&input, message + sizeof(struct start_header), START_ENV_MAX, &count, &bytes);
    REQUIRE(status == 0 || status == 400);
    if (status != 0)
        return;
    struct start_header header = {.magic = START_MAGIC,
                                  .version = START_VERSION,
                                  .call_id = 1,
                                  .env_count = count,
                                  .env_bytes = bytes};
    memcpy(message, &header, sizeof(header));
    REQUIRE(start_check(message, sizeof(header) + bytes, 3) == 0);
    const char *at = message + sizeof(header);
    for (uint32_t i = 0; i < count; i++, at += strlen(at) + 1) {
        REQUIRE(strchr(at, '=') > at);
        REQUIRE(strncmp(at, "HTTP_PROXY=", 11) != 0);
        REQUIRE(memchr(at, '\n', strlen(at)) == NULL || strncmp(at, "PATH_INFO=", 10) == 0 ||
                strncmp(at, "SCRIPT_NAME=", 12) == 0); /* decoded ones alone may hold any byte */
    }
}

/* Decodes in steps in place; returns the decoded bytes, and the raw ones used in *out_used. */
static char *decode(const struct http_request *request, const char *raw, size_t size, size_t step,
                    long *out_size, size_t *out_used)
{
    struct http_body body;
    char *room = malloc(size + 1);
    size_t used = 0, at = 0;
    const char *why = NULL;
    http_body_init(&body, request);
    while (at < size && !body.done) {
        size_t piece = size - at < step ? size - at : step, got = 0;
        char *copy = malloc(piece);
        memcpy(copy, raw + at, piece);
        ssize_t n = http_body_decode(&body, copy, piece, copy, &got, &why);
        REQUIRE(n >= 0 || why != NULL);
        if (n >= 0) {
            REQUIRE(got <= (size_t)n && (size_t)n <= piece && (body.done || (size_t)n == piece));
            memcpy(room + used, copy, got);
            used += got;
            at += (size_t)n;
        }
        free(copy);
        if (n < 0) {
            *out_size = -1;
            *out_used = 0;
            return room;
        }
    }
    REQUIRE(body.total == used);
    *out_size = (long)used;
    *out_used = at;
    return room;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request request;
    struct route route = {0};
    const char *why = NULL;
    if (size < 2)
        return 0;
    size_t step = data[0] % 64u + 1;
    const char *text = (const char *)data + 1;
    size--;
    int head = scan(text, size, size);
    REQUIRE(head == scan(text, size, step));
    if (head <= 2)
        return 0;
    char *exact = malloc((size_t)head);
    memcpy(exact, text, (size_t)head);
    int status = http_head_parse(exact, (size_t)head, &request);
    REQUIRE(status == 0 || (status >= 400 && status < 600 && request.why != NULL));
    if (status == 0) {
        REQUIRE(!(request.chunked && request.has_length));
        REQUIRE(request.minor == 0 || request.host.at != NULL);
        status = route_parse(request.path, &route, &why);
        REQUIRE(status == 0 || why != NULL);
        if (status == 0 && route.kind == ROUTE_FUNCTION) {
            REQUIRE(function_name_valid(route.name) && function_name_valid(route.tenant));
            environment(&request, &route);
        }
        long whole, cut;
        size_t whole_used, cut_used, left = size - (size_t)head;
        char *a = decode(&request, text + head, left, left + 1, &whole, &whole_used);
        char *b = decode(&request, text + head, left, step, &cut, &cut_used);
        REQUIRE(whole == cut && whole_used == cut_used);
        REQUIRE(whole <= 0 || memcmp(a, b, (size_t)whole) == 0);
        free(a);
        free(b);
    }
    free(exact);
    return 0;
}
