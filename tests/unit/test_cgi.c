/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two CGI directions: the environment that a request becomes, and the header block that a
 * program's output may begin with. Output is fed byte by byte, flush against an inaccessible page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flush_page.h"
#include "gateway/cgi.h"
#include "gateway/env.h"
#include "jail/start.h"

static struct http_request request;
static struct route route;
static char env[START_ENV_MAX];
static uint32_t env_count, env_bytes;

static int build(const char *head)
{
    const char *why;
    size_t size = strlen(head);
    char *copy = flush_copy(head, size);
    assert_int_equal(http_head_parse(copy, size, &request), 0);
    assert_int_equal(route_parse(request.path, &route, &why), 0);
    struct env_input input = {
        .request = &request,
        .route = &route,
        .call_id = "00000001-0000000000010000",
        .remote_addr = "192.0.2.7",
        .remote_port = 4711,
        .server_port = 8080,
        .length_known = true,
        .length = 3,
    };
    return env_build(&input, env, sizeof(env), &env_count, &env_bytes);
}

/* The value of a variable; NULL when it is not there. Fails when it is there twice. */
static const char *value_of(const char *name)
{
    const char *found = NULL;
    uint32_t strings = 0;
    for (const char *at = env; at < env + env_bytes; at += strlen(at) + 1, strings++) {
        if (strncmp(at, name, strlen(name)) == 0 && at[strlen(name)] == '=') {
            assert_null(found);
            found = at + strlen(name) + 1;
        }
    }
    assert_int_equal(strings, env_count);
    return found;
}
#define VALUE(name, text) assert_string_equal(value_of(name), text)
#define ABSENT(name)      assert_null(value_of(name))

static void meta_variables(void **state)
{
    assert_int_equal(build("POST /function/hello.acme/a%20b/c%2Fd?x=%31&y HTTP/1.1\r\n"
                           "Host: api.example:99\r\nContent-Type: text/x\r\nContent-Length: 3\r\n"
                           "Accept-Language: de\r\n\r\n"),
                     0);
    VALUE("GATEWAY_INTERFACE", "CGI/1.1");
    VALUE("REQUEST_METHOD", "POST");
    VALUE("SCRIPT_NAME", "/function/hello.acme");
    VALUE("PATH_INFO", "/a b/c/d");
    VALUE("QUERY_STRING", "x=%31&y");
    VALUE("REQUEST_URI", "/function/hello.acme/a%20b/c%2Fd?x=%31&y");
    VALUE("CONTENT_TYPE", "text/x");
    VALUE("CONTENT_LENGTH", "3");
    VALUE("SERVER_NAME", "api.example");
    VALUE("SERVER_PORT", "8080");
    VALUE("SERVER_PROTOCOL", "HTTP/1.1");
    VALUE("REMOTE_ADDR", "192.0.2.7");
    VALUE("REMOTE_PORT", "4711");
    VALUE("HTTP_ACCEPT_LANGUAGE", "de");
    VALUE("HTTP_HOST", "api.example:99");
    VALUE("HTTP_X_CALL_ID", "00000001-0000000000010000");
    assert_non_null(strstr(value_of("SERVER_SOFTWARE"), "skerry/"));
    ABSENT("HTTP_CONTENT_TYPE");
    ABSENT("HTTP_CONTENT_LENGTH");
}

static void openfaas_variables(void **state)
{
    assert_int_equal(build("PUT /function/hello/p?q=1 HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\n"
                           "Content-Length: 3\r\nuser-Agent: me\r\n\r\n"),
                     0);
    VALUE("Http_Method", "PUT");
    VALUE("Http_Path", "/function/hello/p");
    VALUE("Http_Query", "q=1");
    VALUE("Http_Host", "h");
    VALUE("Http_ContentLength", "3");
    VALUE("Http_Content_Type", "a/b");
    VALUE("Http_user_Agent", "me");
    VALUE("Http_X_Call_Id", "00000001-0000000000010000");
}

static void headers_that_give_no_variable(void **state)
{
    assert_int_equal(build("GET /function/f HTTP/1.1\r\nHost: h\r\nProxy: http://evil\r\n"
                           "Connection: close\r\nTE: trailers\r\nProxy-Authorization: x\r\n"
                           "X_A: forged\r\nX.B: y\r\nX-A: real\r\nMethod: GET2\r\nPath: /p\r\n"
                           "ContentLength: 9\r\nX-Call-Id: mine\r\nExpect: 100-continue\r\n\r\n"),
                     0);
    ABSENT("HTTP_PROXY");
    ABSENT("Http_Proxy");
    ABSENT("HTTP_CONNECTION");
    ABSENT("HTTP_TE");
    ABSENT("HTTP_PROXY_AUTHORIZATION");
    ABSENT("HTTP_EXPECT");
    ABSENT("HTTP_METHOD");
    VALUE("HTTP_X_A", "real");
    VALUE("Http_X_A", "real");
    VALUE("Http_Method", "GET");
    VALUE("Http_Path", "/function/f");
    VALUE("HTTP_X_CALL_ID", "00000001-0000000000010000");
}

static void authorization_is_given_once(void **state)
{
    assert_int_equal(
        build("GET /function/f HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n\r\n"), 0);
    VALUE("Http_Authorization", "Bearer t");
    ABSENT("HTTP_AUTHORIZATION");
}

static void repeated_headers_are_joined(void **state)
{
    assert_int_equal(
        build("GET /function/f HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nCookie: a=1\r\nx-a: 2\r\n"
              "cookie: b=2\r\nX-A:\r\n\r\n"),
        0);
    VALUE("HTTP_X_A", "1, 2, ");
    VALUE("HTTP_COOKIE", "a=1; b=2");
    ABSENT("Http_x_a");
}

static void paths_with_bad_encoding(void **state)
{
    assert_int_equal(build("GET /function/f/%zz HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    assert_int_equal(build("GET /function/f/%00 HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    assert_int_equal(build("GET /function/f/% HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    assert_int_equal(build("GET /function/f HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), 0);
    VALUE("SERVER_NAME", "[::1]");
    VALUE("PATH_INFO", "");
    VALUE("CONTENT_LENGTH", "3"); /* a chunked body whose length is known by now */
}

/* The largest head that the parser takes always fits into a start message. */
static void the_largest_head_fits(void **state)
{
    static char head[HTTP_HEAD_MAX + 64];
    char *at = head + sprintf(head, "GET /function/f/");
    memset(at, 'p', 8000);
    at += 8000;
    at += sprintf(at, " HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 126; i++) {
        at += sprintf(at, "X-%03d: ", i);
        memset(at, 'v', 180);
        at += 180;
        at += sprintf(at, "\r\n");
    }
    at += sprintf(at, "\r\n");
    assert_true(at - head < HTTP_HEAD_MAX);
    assert_int_equal(build(head), 0);
    assert_true(env_count <= START_ENV_STRINGS);
    struct env_input input = {
        .request = &request, .route = &route, .call_id = "", .remote_addr = ""};
    for (size_t room = 0; room < 3000; room += 7) /* and one that does not is refused, not cut */
        assert_int_equal(env_build(&input, env + sizeof(env) - room, room, &env_count, &env_bytes),
                         431);
}

static struct cgi_head cgi;

/* Feeds prefixes; each must be CGI_MORE until the result. */
static enum cgi_result parse(const char *text, size_t size)
{
    const char *why = NULL;
    for (size_t have = 1; have < size; have++) {
        enum cgi_result early = cgi_parse(flush_copy(text, have), have, false, &cgi, &why);
        if (early != CGI_MORE)
            return early; /* decided before the end: more bytes do not change it */
    }
    return cgi_parse(flush_copy(text, size), size, true, &cgi, &why);
}
#define CGI(result, text) assert_int_equal(parse(text, sizeof(text) - 1), result)

static void plain_output(void **state)
{
    CGI(CGI_PLAIN, "hello world\n");
    CGI(CGI_PLAIN, "{\"a\": 1}");
    CGI(CGI_PLAIN, "hello");
    CGI(CGI_PLAIN, "\n\n");
    CGI(CGI_PLAIN, ": x\n\n");
    CGI(CGI_PLAIN, "<html>");
    CGI(CGI_PLAIN, "Content-Type : a/b\n\n");
    const char *why;
    assert_int_equal(cgi_parse("", 0, true, &cgi, &why), CGI_PLAIN);
    assert_int_equal(cgi_parse("", 0, false, &cgi, &why), CGI_MORE);
}

static void header_blocks(void **state)
{
    CGI(CGI_HEAD, "Content-Type: text/html\n\nbody");
    assert_int_equal(cgi.status, 200);
    assert_int_equal(cgi.size, 25);
    assert_int_equal(cgi.header_count, 1);
    CGI(CGI_HEAD, "Status: 404 Not Here\r\nContent-Type: a/b\r\nX-Y:  z \r\n\r\nbody");
    assert_int_equal(cgi.status, 404);
    assert_memory_equal(cgi.reason.at, "Not Here", 8);
    assert_int_equal(cgi.header_count, 2);
    assert_int_equal(cgi.headers[1].value.size, 1);
    CGI(CGI_HEAD, "Location: /elsewhere\n\n");
    assert_int_equal(cgi.status, 302);
    CGI(CGI_HEAD, "Status: 204\nContent-Length: 0\nDate: never\nX-Call-Id: mine\n\n");
    assert_int_equal(cgi.status, 204);
    assert_int_equal(cgi.header_count, 0);
    assert_true(cgi.has_length);
}

static void header_blocks_that_are_none(void **state)
{
    CGI(CGI_BAD, "Note: this is text\nand goes on\n");
    CGI(CGI_BAD, "Note: this is text\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\n");
    CGI(CGI_BAD, "Content-Type: a/b\nno colon\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\n folded\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\nX: a\rSet-Cookie: b\n\n");
    CGI(CGI_BAD, "Content-Type: a\0b\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\nContent-Type: a/c\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\nTransfer-Encoding: chunked\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\nConnection: close\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\nUpgrade: x\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\nContent-Length: 1, 2\n\n");
    CGI(CGI_BAD, "Content-Type: a/b\nContent-Length: 1\nContent-Length: 1\n\n");
    CGI(CGI_BAD, "Status: 100 Continue\n\n");
    CGI(CGI_BAD, "Status: 600\n\n");
    CGI(CGI_BAD, "Status: 20\n\n");
    CGI(CGI_BAD, "Status: 2000\n\n");
    CGI(CGI_BAD, "Status: OK\n\n");
    CGI(CGI_BAD, "Status: 200\nStatus: 200\n\n");
}

static void header_blocks_are_bounded(void **state)
{
    static char text[64 * 1024];
    char *at = text + sprintf(text, "Content-Type: a/b\n");
    for (int i = 0; i < 63; i++)
        at += sprintf(at, "X: y\n");
    strcpy(at, "\n");
    const char *why;
    assert_int_equal(cgi_parse(text, strlen(text), true, &cgi, &why), CGI_HEAD);
    strcpy(at, "X: y\n\n");
    assert_int_equal(cgi_parse(text, strlen(text), true, &cgi, &why), CGI_BAD);
    at = text + sprintf(text, "Content-Type: a/b\nX: ");
    memset(at, 'y', 20000);
    at[20000] = '\0';
    assert_int_equal(cgi_parse(text, strlen(text), false, &cgi, &why), CGI_BAD);
    assert_int_equal(cgi_parse(text, CGI_HEAD_MAX - 1, false, &cgi, &why), CGI_MORE);
    memset(text, 'a', 1000);
    assert_int_equal(cgi_parse(text, 1000, false, &cgi, &why), CGI_PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meta_variables),
        cmocka_unit_test(openfaas_variables),
        cmocka_unit_test(headers_that_give_no_variable),
        cmocka_unit_test(authorization_is_given_once),
        cmocka_unit_test(repeated_headers_are_joined),
        cmocka_unit_test(paths_with_bad_encoding),
        cmocka_unit_test(the_largest_head_fits),
        cmocka_unit_test(plain_output),
        cmocka_unit_test(header_blocks),
        cmocka_unit_test(header_blocks_that_are_none),
        cmocka_unit_test(header_blocks_are_bounded),
    };
    return cmocka_run_group_tests_name("cgi", tests, NULL, NULL);
}
