/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's answers, one by one, with hand-played sandboxes (see gateway_rig.h). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/packet.h"
#include "gateway_case.h"

static void output_is_the_answer(void **state)
{
    int client = begin("GET /function/f/x/y?q=1 HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n");
    char text[16];
    assert_int_equal(rig_stdin(&start, text, sizeof(text)), 0);
    assert_int_equal(start.flags, START_EMPTY_STDIN);
    assert_string_equal(rig_env(&start, "REQUEST_METHOD"), "GET");
    assert_string_equal(rig_env(&start, "PATH_INFO"), "/x/y");
    assert_string_equal(rig_env(&start, "QUERY_STRING"), "q=1");
    assert_string_equal(rig_env(&start, "Http_Path"), "/function/f/x/y");
    assert_string_equal(rig_env(&start, "HTTP_X_A"), "b");
    assert_string_equal(rig_env(&start, "REMOTE_ADDR"), "127.0.0.1");
    assert_null(rig_env(&start, "CONTENT_LENGTH"));
    rig_write(start.out, "hello\n");
    rig_exit(&fn, &start, 0, REPORT_POOLED);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "hello\n");
    assert_string_equal(rig_header(&answer, "X-Call-Id"), rig_env(&start, "HTTP_X_CALL_ID"));
    assert_non_null(rig_header(&answer, "X-Duration-Seconds"));
    assert_non_null(rig_header(&answer, "Date"));
    assert_null(rig_header(&answer, "Connection"));
    close(client);
}

static void a_body_is_on_stdin(void **state)
{
    char text[64];
    int client = begin("POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde");
    assert_int_equal(rig_stdin(&start, text, sizeof(text)), 5);
    assert_memory_equal(text, "abcde", 5);
    assert_int_equal(start.flags, 0);
    assert_string_equal(rig_env(&start, "CONTENT_LENGTH"), "5");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_size, 0);
    rig_send(client, "POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n");
    rig_take(&fn, &start);
    assert_int_equal(rig_stdin(&start, text, sizeof(text)), 5);
    assert_memory_equal(text, "abcde", 5);
    assert_string_equal(rig_env(&start, "CONTENT_LENGTH"), "5");
    assert_null(rig_env(&start, "HTTP_TRANSFER_ENCODING"));
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    close(client);
}

static void byte_by_byte(void **state)
{
    static const char request[] =
        "\r\nPOST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;x=y\r\nabc\r\n0\r\n\r\n";
    int client = rig_connect(&rig);
    char text[16];
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        assert_int_equal(send(client, request + i, 1, MSG_NOSIGNAL), 1);
    rig_take(&fn, &start);
    assert_int_equal(rig_stdin(&start, text, sizeof(text)), 3);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    close(client);
}

static void failures_show_status_and_stderr(void **state)
{
    int client = begin(GET);
    rig_write(start.out, "not shown");
    rig_write(start.err, "first line\nsecond \x1b[31m line\nthird");
    rig_exit(&fn, &start, EXITED(3), 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 500);
    assert_string_equal(rig_header(&answer, "X-Exit-Status"), "3");
    assert_string_equal(answer.body, "f: exit status 3\n\nfirst line\nsecond \x1b[31m line\nthird");
    assert_non_null(strstr(rig_header(&answer, "Content-Type"), "text/plain"));
    const char *log = rig_log(fn.log);
    assert_non_null(strstr(log, rig_header(&answer, "X-Call-Id")));
    assert_non_null(strstr(log, " first line\n"));
    assert_non_null(strstr(log, " second \\x1b[31m line\n")); /* no escapes for a terminal */
    assert_non_null(strstr(log, " third\n"));
    rig_logged(&rig, "\"status\":500");
    rig_logged(&rig, "\"reason\":\"exit status 3\"");
    close(client);
}

static void long_stderr_keeps_its_tail(void **state)
{
    int client = begin(GET);
    for (int i = 0; i < 6000; i++) {
        char line[32];
        snprintf(line, sizeof(line), "line %05d\n", i);
        rig_write(start.err, line);
    }
    rig_exit(&fn, &start, EXITED(1), 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 500);
    assert_int_equal(answer.body_size, strlen("f: exit status 1\n\n") + 4096);
    assert_string_equal(answer.body + answer.body_size - 11, "line 05999\n");
    const char *log = rig_log(fn.log);
    assert_non_null(strstr(log, " line 00000\n"));
    assert_null(strstr(log, "line 05999")); /* beyond 64 KiB a request */
    assert_non_null(strstr(log, "the rest is not logged"));
    close(client);
}

static void the_log_is_bounded(void **state)
{
    for (int round = 0; round < 24; round++) {
        int client = begin(GET);
        for (int i = 0; i < 60; i++) {
            char line[1025];
            memset(line, 'x', 1023);
            line[1023] = '\n';
            line[1024] = '\0';
            rig_write(start.err, line);
        }
        rig_exit(&fn, &start, 0, 0);
        rig_answer(client, &answer, false);
        assert_int_equal(answer.status, 200);
        close(client);
    }
    off_t size = lseek(fn.log, 0, SEEK_END);
    assert_true(size > 16 * 1024 && size < 1100 * 1024);
    assert_int_equal(rig_log(fn.log)[4], '-'); /* begins with a whole line: its date */
}

static void deaths_are_502(void **state)
{
    int client = begin(GET);
    rig_exit(&fn, &start, SIGNALLED(SIGSEGV), 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 502);
    assert_non_null(strstr(answer.body, "signal 11 (SIGSEGV)"));
    rig_send(client, GET);
    rig_take(&fn, &start);
    rig_exit(&fn, &start, SIGNALLED(SIGKILL), REPORT_OOM);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 502);
    assert_non_null(strstr(answer.body, "memory limit of 128 MiB"));
    rig_send(client, GET);
    rig_take(&fn, &start);
    rig_exit(&fn, &start, 0, REPORT_OOM); /* a child was killed, the program coped */
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    rig_send(client, GET);
    rig_take(&fn, &start);
    rig_report(&fn, &start, REPORT_EXEC_FAILED, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 500);
    assert_non_null(strstr(answer.body, "could not be executed: No such file"));
    rig_send(client, GET);
    rig_take(&fn, &start);
    rig_report(&fn, &start, REPORT_LOST, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 502);
    close(client);
}

static void a_passed_deadline_kills_and_is_504(void **state)
{
    struct function_limits limits = {.timeout_ns = 20000000};
    redeploy(0, &limits, 1);
    int client = begin(GET);
    rig_write(start.out, "partial");
    rig_kill_wait(&fn, &start);
    rig_exit(&fn, &start, SIGNALLED(SIGKILL), REPORT_KILLED);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 504);
    assert_non_null(strstr(answer.body, "deadline"));
    assert_null(strstr(answer.body, "partial"));
    rig_logged(&rig, "\"status\":504");
    assert_int_equal(rig.stats->function[3].result[STATS_TIMEOUT], 1);
    rig_send(client, GET); /* the slot is free again */
    rig_take(&fn, &start);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    close(client);
}

/* Its call outlives the connection, whose place is another's when the report comes. */
static void a_client_that_leaves_as_its_call_is_killed(void **state)
{
    static const char half[] = "POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na";
    struct function_limits limits = {.timeout_ns = 500000000};
    int others[8];
    redeploy(0, &limits, 1);
    int client = begin(GET);
    rig_kill_wait(&fn, &start);
    close(client);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        others[i] = rig_connect(&rig);
        rig_send(others[i], "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        rig_answer(others[i], &answer, false);
        rig_send(others[i], half);
    }
    struct rig_start late = start;
    rig_exit(&fn, &late, SIGNALLED(SIGKILL), REPORT_KILLED);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        rig_send(others[i], "b");
        rig_take(&fn, &start);
        rig_exit(&fn, &start, 0, 0);
        rig_answer(others[i], &answer, false);
        assert_int_equal(answer.status, 200);
        close(others[i]);
    }
}

static void waiting_in_the_queue(void **state)
{
    struct function_limits limits = {.queue_max = 1};
    redeploy(0, &limits, 1);
    int first = begin(GET);
    int second = rig_connect(&rig), third = rig_connect(&rig);
    rig_send(second, GET);
    while (rig.stats->function[3].queued != 1)
        usleep(100);
    assert_false(rig_has_start(&fn)); /* one slot: the second must not be sent */
    rig_send(third, GET);
    rig_answer(third, &answer, false);
    assert_int_equal(answer.status, 429);
    assert_non_null(rig_header(&answer, "Retry-After"));
    assert_non_null(rig_header(&answer, "X-Call-Id"));
    rig_exit(&fn, &start, 0, 0);
    rig_answer(first, &answer, false);
    assert_int_equal(answer.status, 200);
    rig_take(&fn, &start);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(second, &answer, false);
    assert_int_equal(answer.status, 200);
    close(first);
    close(second);
    close(third);
}

static void no_sandbox_before_the_deadline_is_503(void **state)
{
    struct function_limits limits = {.timeout_ns = 20000000};
    redeploy(0, &limits, 0);
    int client = rig_connect(&rig);
    rig_send(client, GET);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 503);
    assert_non_null(rig_header(&answer, "Retry-After"));
    close(client);
}

static void paths_that_are_no_functions(void **state)
{
    static const struct {
        const char *request;
        int status;
        const char *body;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, "Skerry"},
        {"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 200, "OK\n"},
        {"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404, "nothing at this path"},
        {"GET /function/g HTTP/1.1\r\nHost: h\r\n\r\n", 404, "no such function"},
        {"GET /function/f.other HTTP/1.1\r\nHost: h\r\n\r\n", 404, "no such function"},
        {"GET /function/../f HTTP/1.1\r\nHost: h\r\n\r\n", 404, ""},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 404, ""},
    };
    int client = rig_connect(&rig);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_send(client, rows[i].request);
        rig_answer(client, &answer, false);
        assert_int_equal(answer.status, rows[i].status);
        assert_non_null(strstr(answer.body, rows[i].body));
        assert_non_null(rig_header(&answer, "X-Call-Id"));
        assert_non_null(rig_header(&answer, "X-Duration-Seconds"));
    }
    close(client);
}

static void refused_requests_end_the_connection(void **state)
{
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\nHost: h\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505},
        {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        {"GET /function/a%2fb HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
         "chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
         400},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int client = rig_connect(&rig);
        rig_send(client, rows[i].request);
        rig_send(client, GET); /* smuggled: must not be answered */
        rig_answer(client, &answer, false);
        assert_int_equal(answer.status, rows[i].status);
        assert_string_equal(rig_header(&answer, "Connection"), "close");
        rig_closed(client);
    }
    assert_false(rig_has_start(&fn));
    assert_int_equal(rig.stats->bad_requests, 9); /* the tenth is the call's */
}

static void bodies_over_the_limit_are_413(void **state)
{
    struct function_limits limits = {.max_body_bytes = 10};
    redeploy(0, &limits, 4);
    int client = rig_connect(&rig);
    rig_send(client, "POST /function/f HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                     "Content-Length: 11\r\n\r\n");
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 413); /* and no 100 before it */
    rig_closed(client);
    client = rig_connect(&rig);
    rig_send(client, "POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "b\r\n01234567890\r\n0\r\n\r\n");
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 413);
    rig_closed(client);
    assert_false(rig_has_start(&fn));
    rig_send(client = rig_connect(&rig), "POST /function/f HTTP/1.1\r\nHost: h\r\n"
                                         "Content-Length: 10\r\n\r\n0123456789");
    rig_take(&fn, &start);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    close(client);
}

static void expect_continue(void **state)
{
    char text[16];
    int client = rig_connect(&rig);
    rig_send(client, "POST /function/f HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                     "Content-Length: 5\r\n\r\n");
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 100);
    rig_send(client, "abcde");
    rig_take(&fn, &start);
    assert_int_equal(rig_stdin(&start, text, sizeof(text)), 5);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    rig_send(client, "POST /function/g HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                     "Content-Length: 5\r\n\r\n");
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 404);
    rig_closed(client);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    int client = begin("GET /function/f?1 HTTP/1.1\r\nHost: h\r\n\r\n"
                       "POST /function/f?2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
                       "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
                       "GET /function/f?3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    for (int i = 1; i <= 3; i++) {
        char number[2] = {(char)('0' + i), '\0'};
        if (i > 1)
            rig_take(&fn, &start);
        assert_string_equal(rig_env(&start, "QUERY_STRING"), number);
        assert_false(rig_has_start(&fn)); /* the next one waits for this one's answer */
        rig_write(start.out, number);
        rig_exit(&fn, &start, 0, 0);
        rig_answer(client, &answer, false);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, number);
        if (i == 2) {
            rig_answer(client, &answer, false);
            assert_string_equal(answer.body, "OK\n");
        }
    }
    rig_closed(client);
}

static void http_1_0(void **state)
{
    int client = begin("GET /function/f HTTP/1.0\r\n\r\n");
    rig_write(start.out, "old");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_string_equal(answer.body, "old");
    assert_string_equal(rig_header(&answer, "Connection"), "close");
    rig_closed(client);
    client = begin("GET /function/f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_string_equal(rig_header(&answer, "Connection"), "keep-alive");
    rig_send(client, "GET /healthz HTTP/1.0\r\n\r\n");
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    rig_closed(client);
}

static void head_requests_have_no_body(void **state)
{
    int client = begin("HEAD /function/f HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_string_equal(rig_env(&start, "REQUEST_METHOD"), "HEAD");
    rig_write(start.out, "12345");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_string_equal(rig_header(&answer, "Content-Length"), "5");
    rig_send(client,
             "HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_answer(client, &answer, true);
    rig_answer(client, &answer, false);
    assert_string_equal(answer.body, "OK\n");
    close(client);
}

/* A byte that tells its place. */
static char pattern(size_t i)
{
    return (char)('a' + (i * 7 + i / 251) % 26);
}

static void large_bodies_stream(void **state)
{
    const size_t size = 3 << 20;
    int client = rig_connect(&rig);
    rig_send(client, "POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n");
    int flags = fcntl(client, F_GETFL);
    fcntl(client, F_SETFL, flags | O_NONBLOCK);
    static char block[64 * 1024];
    size_t sent = 0, got = 0;
    bool taken = false;
    while (got < size) {
        size_t piece = size - sent < sizeof(block) ? size - sent : sizeof(block);
        for (size_t i = 0; i < piece; i++)
            block[i] = pattern(sent + i);
        ssize_t n = piece > 0 ? send(client, block, piece, MSG_NOSIGNAL) : -1;
        if (n > 0) {
            sent += (size_t)n;
            continue;
        }
        if (!taken)
            rig_take(&fn, &start); /* started before all of the body is there */
        taken = true;
        n = read(start.in, block, sizeof(block));
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(block[i], pattern(got + (size_t)i));
        got += (size_t)n;
    }
    assert_int_equal(read(start.in, block, 1), 0);
    fcntl(client, F_SETFL, flags);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    rig_logged(&rig, "\"in\":3145728");
    close(client);
}

static void a_program_that_does_not_read(void **state)
{
    static char body[300000];
    memset(body, 'x', sizeof(body));
    int client = rig_connect(&rig);
    rig_send(client, "POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
    assert_int_equal(fd_write_all(client, body, 100000), 0);
    rig_take(&fn, &start);
    close(start.in);
    start.in = -1;
    assert_int_equal(fd_write_all(client, body, 200000), 0);
    rig_write(start.out, "enough");
    while (rig.stats->function[3].in_flight != 1)
        usleep(100);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "enough");
    close(client);
}

static void write_pattern(int fd, size_t size)
{
    char *text = malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = pattern(i);
    assert_int_equal(fd_write_all(fd, text, size), 0);
    free(text);
}

static void body_is_pattern(size_t size)
{
    assert_true(answer.whole);
    assert_int_equal(answer.body_size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(answer.body[i], pattern(i));
}

static void outputs_around_the_buffer(void **state)
{
    static const size_t sizes[] = {1, 4096, 65535, 65536, 65537, 69632, 69633, 300000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int client = begin(GET);
        if (sizes[i] <= 65536)
            write_pattern(start.out, sizes[i]);
        else
            write_pattern(start.out, 65536); /* what a pipe holds, so that we need not wait */
        if (sizes[i] > 65536) {
            char *rest = malloc(sizes[i]);
            for (size_t k = 65536; k < sizes[i]; k++)
                rest[k] = pattern(k);
            assert_int_equal(fd_write_all(start.out, rest + 65536, sizes[i] - 65536), 0);
            free(rest);
        }
        rig_exit(&fn, &start, 0, 0);
        rig_answer(client, &answer, false);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.chunked, sizes[i] > 65536);
        body_is_pattern(sizes[i]);
        rig_send(client, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"); /* the framing was right */
        rig_answer(client, &answer, false);
        assert_int_equal(answer.status, 200);
        close(client);
    }
}

/* Of a pipe in packet mode each read gives one write, however large the buffer. */
static void output_in_packets_is_whole(void **state)
{
    int client = begin(GET);
    assert_int_equal(fcntl(start.out, F_SETFL, O_DIRECT), 0);
    for (int i = 0; i < 10; i++)
        rig_write(start.out, "packet ");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.body_size, 70);
    close(client);
}

static void a_failure_after_the_commit_breaks_off(void **state)
{
    int client = begin(GET);
    write_pattern(start.out, 200000);
    rig_exit(&fn, &start, EXITED(1), 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer.chunked);
    assert_false(answer.whole);
    close(client);
    rig_logged(&rig, "exit status 1");
    client = begin("GET /function/f HTTP/1.0\r\n\r\n");
    write_pattern(start.out, 200000);
    rig_exit(&fn, &start, EXITED(1), 0);
    rig_answer(client, &answer, false);
    assert_false(answer.whole); /* reset: an end would look like success */
    close(client);
}

static void streams_come_at_once(void **state)
{
    redeploy(FUNCTION_STREAM, NULL, 4);
    int client = begin("GET /function/f HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n");
    rig_write(start.out, "first");
    char head[4096];
    size_t used = 0;
    do { /* the head and the first piece arrive while the program runs */
        ssize_t n = recv(client, head + used, sizeof(head) - 1 - used, 0);
        assert_true(n > 0);
        used += (size_t)n;
        head[used] = '\0';
    } while (strstr(head, "000005\r\nfirst\r\n") == NULL);
    assert_non_null(strstr(head, "Trailer: X-Duration-Seconds\r\n"));
    rig_exit(&fn, &start, 0, 0);
    char rest[512];
    ssize_t n;
    used = 0;
    do {
        n = recv(client, rest + used, sizeof(rest) - 1 - used, 0);
        assert_true(n > 0);
        used += (size_t)n;
        rest[used] = '\0';
    } while (strstr(rest, "\r\n\r\n") == NULL);
    assert_memory_equal(rest, "0\r\nX-Duration-Seconds: ", 23);
    close(client);
    client = begin(GET); /* one without output */
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_size, 0);
    client = begin("GET /function/f HTTP/1.0\r\n\r\n");
    rig_write(start.out, "until the end");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_string_equal(answer.body, "until the end");
    close(client);
}

static void a_deadline_breaks_a_stream_off(void **state)
{
    struct function_limits limits = {.timeout_ns = 50000000};
    redeploy(FUNCTION_STREAM, &limits, 1);
    int client = begin(GET);
    rig_write(start.out, "some");
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "some");
    assert_false(answer.whole);
    rig_closed(client);
    rig_kill_wait(&fn, &start);
    rig_exit(&fn, &start, SIGNALLED(SIGKILL), REPORT_KILLED);
    rig_logged(&rig, "deadline passed");
    assert_int_equal(rig.stats->function[3].result[STATS_TIMEOUT], 1);
}

static void streams_go_both_ways(void **state)
{
    redeploy(FUNCTION_STREAM, NULL, 4);
    char text[8], seen[1024] = "";
    int client =
        begin("POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        rig_send(client, "4\r\nping\r\n");
        assert_int_equal(fd_read_all(start.in, text, 4), 4);
        rig_write(start.out, "pong");
        seen[0] = '\0';
        while (strstr(seen, "pong\r\n") == NULL) {
            ssize_t n = recv(client, seen + strlen(seen), 400, 0);
            assert_true(n > 0);
        }
        memset(seen, 0, sizeof(seen));
    }
    rig_send(client, "0\r\n\r\n");
    assert_int_equal(read(start.in, text, 1), 0);
    rig_exit(&fn, &start, 0, 0);
    assert_int_equal(recv(client, text, 5, MSG_WAITALL), 5);
    assert_memory_equal(text, "0\r\n\r\n", 5);
    close(client);
}

static void a_client_that_leaves_kills_its_sandbox(void **state)
{
    redeploy(0, NULL, 1);
    int client = begin(GET);
    close(client);
    rig_kill_wait(&fn, &start);
    int next = rig_connect(&rig);
    rig_send(next, GET);
    while (rig.stats->function[3].queued != 1)
        usleep(100);
    assert_false(rig_has_start(&fn)); /* the slot is not free before the death is reported */
    rig_exit(&fn, &start, SIGNALLED(SIGKILL), REPORT_KILLED);
    rig_take(&fn, &start);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(next, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_int_equal(rig.stats->function[3].result[STATS_ABORTED], 1);
    rig_logged(&rig, "\"status\":499");
    close(next);
    client = begin(GET); /* and one that leaves in the queue is just forgotten */
    next = rig_connect(&rig);
    rig_send(next, GET);
    while (rig.stats->function[3].queued != 1)
        usleep(100);
    close(next);
    while (rig.stats->function[3].queued != 0)
        usleep(100);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    close(client);
    assert_false(rig_has_start(&fn));
}

static void cgi_functions(void **state)
{
    redeploy(FUNCTION_CGI, NULL, 4);
    int client = begin(GET);
    rig_write(start.out, "Status: 404 Not Here\nContent-Type: text/x\nX-Y: z\n\nbody");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_memory_equal(answer.head, "HTTP/1.1 404 Not Here\r\n", 23);
    assert_string_equal(rig_header(&answer, "Content-Type"), "text/x");
    assert_string_equal(rig_header(&answer, "X-Y"), "z");
    assert_string_equal(answer.body, "body");
    rig_send(client, GET);
    rig_take(&fn, &start);
    rig_write(start.out, "just text");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "just text");
    rig_send(client, GET);
    rig_take(&fn, &start);
    rig_write(start.out, "Content-Type: a/b\nX: y\rInjected: 1\n\nbody");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 502);
    assert_null(strstr(answer.head, "Injected"));
    rig_send(client, GET);
    rig_take(&fn, &start);
    rig_write(start.out, "Status: 204\n\n");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 204);
    assert_null(rig_header(&answer, "Content-Length"));
    rig_send(client, GET); /* a block, then more than the buffer */
    rig_take(&fn, &start);
    rig_write(start.out, "Content-Type: a/b\n\n");
    write_pattern(start.out, 100000);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_string_equal(rig_header(&answer, "Content-Type"), "a/b");
    body_is_pattern(100000);
    close(client);
}

static void cgi_streams(void **state)
{
    redeploy(FUNCTION_CGI | FUNCTION_STREAM, NULL, 4);
    int client = begin(GET);
    rig_write(start.out, "Content-Ty");
    usleep(5000); /* let a part of the block arrive alone; the result does not depend on it */
    rig_write(start.out, "pe: a/b\n\nbody");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(rig_header(&answer, "Content-Type"), "a/b");
    assert_string_equal(answer.body, "body");
    rig_send(client, GET);
    rig_take(&fn, &start);
    rig_write(start.out, "Connection: upgrade\n\n");
    rig_kill_wait(&fn, &start); /* refused while it runs: it is killed */
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 502);
    rig_exit(&fn, &start, SIGNALLED(SIGKILL), REPORT_KILLED);
    rig_closed(client);
}

static void system_paths_are_handed_over(void **state)
{
    static const char request[] = "POST /system/functions HTTP/1.1\r\nHost: h\r\n"
                                  "Content-Length: 100\r\n\r\n{\"part\":";
    int client = rig_connect(&rig);
    rig_send(client, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_answer(client, &answer, false);
    rig_send(client, request);
    static char message[sizeof(struct handoff_head) + HANDOFF_BYTES_MAX];
    int fd;
    size_t fd_count = 0;
    ssize_t n = packet_recv(rig.api, message, sizeof(message), &fd, 1, &fd_count, 0);
    struct handoff_head head;
    memcpy(&head, message, sizeof(head));
    assert_int_equal(fd_count, 1);
    assert_int_equal(head.magic, 0x31464f48);
    assert_int_equal(head.bytes, sizeof(request) - 1);
    assert_int_equal(n, sizeof(head) + sizeof(request) - 1);
    assert_memory_equal(message + sizeof(head), request, sizeof(request) - 1);
    rig_write(fd, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 202);
    rig_send(client, "more"); /* what comes later is the API process's alone */
    char more[8];
    assert_int_equal(fd_read_all(fd, more, 4), 4);
    int next = begin(GET); /* takes the same place in the gateway */
    close(client);         /* and must not be taken for this one */
    assert_int_equal(read(fd, more, 1), 0);
    rig_write(start.out, "mine");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(next, &answer, false);
    assert_string_equal(answer.body, "mine");
    close(next);
    close(fd);
}

static void metrics_are_written(void **state)
{
    int client = begin(GET);
    rig_exit(&fn, &start, 0, REPORT_POOLED);
    rig_answer(client, &answer, false);
    rig_send(client, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer.whole);
    assert_non_null(strstr(rig_header(&answer, "Content-Type"), "version=0.0.4"));
    assert_non_null(strstr(answer.body,
                           "\nskerry_invocations_total{function=\"f\",tenant=\"default\","
                           "result=\"ok\"} 1\n"));
    assert_non_null(strstr(answer.body, "\nskerry_starts_total{function=\"f\",tenant=\"default\","
                                        "kind=\"pooled\"} 1\n"));
    assert_non_null(strstr(answer.body, "stage=\"exec\""));
    assert_non_null(strstr(answer.body, "\nskerry_requests_total 2\n"));
    rig_send(client, "HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_answer(client, &answer, true);
    rig_send(client, "GET /metrics HTTP/1.0\r\n\r\n");
    rig_answer(client, &answer, false);
    assert_non_null(strstr(answer.body, "skerry_slots"));
    close(client);
}

static void figures_of_a_call(void **state)
{
    int client = begin(GET);
    rig_write(start.out, "12345");
    rig_exit(&fn, &start, 0, REPORT_POOLED);
    rig_answer(client, &answer, false);
    rig_logged(&rig, "\"path\":\"/function/f\",\"status\":200,\"in\":0,\"out\":");
    rig_logged(&rig,
               "\"start\":\"pooled\",\"cpu_us\":33,\"maxrss_kib\":333,\"stages_us\":{\"queued\":");
    rig_logged(&rig, "\"cloned\":1.0,\"furnished\":1.0,");
    const struct function_stats *stats = &rig.stats->function[3];
    assert_int_equal(stats->invocations, 1);
    assert_int_equal(stats->starts[STATS_POOLED], 1);
    assert_int_equal(stats->cpu_us, 33);
    assert_int_equal(stats->maxrss_kib, 333);
    assert_int_equal(stats->total.count, 1);
    assert_int_equal(stats->stage[STAGE_EXEC].count, 1);
    assert_true(stats->last_stage[STAGE_EXIT] > stats->last_stage[STAGE_EXEC]);
    assert_int_equal(stats->slots, 4);
    close(client);
}

static void draining_finishes_what_runs(void **state)
{
    int idle = rig_connect(&rig);
    rig_send(idle, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_answer(idle, &answer, false);
    int client = begin(GET);
    rig_tell(&rig, LINK_DRAIN, NULL);
    rig_closed(idle);
    rig_write(start.out, "last");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_string_equal(answer.body, "last");
    assert_string_equal(rig_header(&answer, "Connection"), "close");
    rig_closed(client);
    struct link_message drained;
    rig_hear(&rig, LINK_DRAINED, &drained);
}

static void connections_are_bounded(void **state)
{
    rig_stop(&rig);
    rig_function_close(&fn);
    rig_start(&rig, 2);
    rig_put(&rig, &fn, 3, 100, "f", 0, NULL);
    rig_slots(&rig, &fn, 4);
    int a = begin(GET);
    struct rig_start first = start;
    int b = begin(GET);
    int c = rig_connect(&rig); /* in the listener's backlog */
    rig_send(c, GET);
    rig_exit(&fn, &start, 0, 0);
    rig_answer(b, &answer, false);
    close(b);
    rig_take(&fn, &start); /* now the third has a place */
    rig_exit(&fn, &start, 0, 0);
    rig_answer(c, &answer, false);
    assert_int_equal(answer.status, 200);
    rig_exit(&fn, &first, 0, 0);
    rig_answer(a, &answer, false);
    assert_int_equal(answer.status, 200);
    close(a);
    close(c);
}

static void idle_connections_make_room(void **state)
{
    rig_stop(&rig);
    rig_function_close(&fn);
    rig_start(&rig, 2);
    rig_put(&rig, &fn, 3, 100, "f", 0, NULL);
    rig_slots(&rig, &fn, 4);
    int clients[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = rig_connect(&rig);
        rig_send(clients[i], "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        rig_answer(clients[i], &answer, false);
    }
    int next = begin(GET);
    rig_closed(clients[0]); /* the longest idle has gone */
    rig_exit(&fn, &start, 0, 0);
    rig_answer(next, &answer, false);
    assert_int_equal(answer.status, 200);
    rig_send(clients[1], "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_answer(clients[1], &answer, false);
    assert_int_equal(answer.status, 200);
    close(clients[1]);
    close(next);
}

/* A sandbox that writes nonsense to its report socket tells nothing about other calls. */
static void reports_of_others_are_ignored(void **state)
{
    int client = begin(GET);
    struct rig_start forged = start;
    forged.in = forged.out = forged.err = -1;
    forged.call_id ^= 1 << 20;
    rig_exit(&fn, &forged, 0, 0);
    forged.call_id = UINT64_MAX;
    rig_exit(&fn, &forged, 0, 0);
    forged = start;
    forged.in = forged.out = forged.err = -1;
    forged.epoch = RIG_EPOCH - 1;
    rig_exit(&fn, &forged, EXITED(9), 0);
    int other = rig_connect(&rig);
    for (int round = 0; round < 5; round++) { /* by now the gateway has read them all */
        rig_send(other, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        rig_answer(other, &answer, false);
    }
    close(other);
    rig_write(start.out, "mine");
    rig_exit(&fn, &start, 0, 0);
    rig_answer(client, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "mine");
    close(client);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        CASE(output_is_the_answer),
        CASE(a_body_is_on_stdin),
        CASE(byte_by_byte),
        CASE(failures_show_status_and_stderr),
        CASE(long_stderr_keeps_its_tail),
        CASE(the_log_is_bounded),
        CASE(deaths_are_502),
        CASE(a_passed_deadline_kills_and_is_504),
        CASE(a_client_that_leaves_as_its_call_is_killed),
        CASE(waiting_in_the_queue),
        CASE(no_sandbox_before_the_deadline_is_503),
        CASE(paths_that_are_no_functions),
        CASE(refused_requests_end_the_connection),
        CASE(bodies_over_the_limit_are_413),
        CASE(expect_continue),
        CASE(pipelined_requests_are_answered_in_order),
        CASE(http_1_0),
        CASE(head_requests_have_no_body),
        CASE(large_bodies_stream),
        CASE(a_program_that_does_not_read),
        CASE(outputs_around_the_buffer),
        CASE(output_in_packets_is_whole),
        CASE(a_failure_after_the_commit_breaks_off),
        CASE(streams_come_at_once),
        CASE(a_deadline_breaks_a_stream_off),
        CASE(streams_go_both_ways),
        CASE(a_client_that_leaves_kills_its_sandbox),
        CASE(cgi_functions),
        CASE(cgi_streams),
        CASE(system_paths_are_handed_over),
        CASE(metrics_are_written),
        CASE(figures_of_a_call),
        CASE(draining_finishes_what_runs),
        CASE(connections_are_bounded),
        CASE(idle_connections_make_room),
        CASE(reports_of_others_are_ignored),
    };
    return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
