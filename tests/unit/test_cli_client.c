/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against a daemon that answers whatever the test says, byte by byte if need be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "cli/client.h"

#define BIG (4u << 20)

static char state[] = "/tmp/test-cli-client-XXXXXX";
static char got[BIG + 1]; /* the body of the answer */
static size_t got_size;
static struct err err;
static struct client_response response;

struct script {
    const char *answer;
    size_t piece;        /* bytes a write; 0: all */
    const char *read_to; /* reads the request up to this before it answers; NULL: nothing of it */
};

/* What the daemon read of the request, shared with its process. */
static char *seen;
static pid_t server;

static void serve_one(int listener, const struct script *script)
{
    int sock = accept(listener, NULL, NULL);
    size_t used = 0, size = strlen(script->answer);
    while (script->read_to != NULL && strstr(seen, script->read_to) == NULL) {
        ssize_t n = read(sock, seen + used, 65536 - used - 1);
        if (n <= 0)
            _exit(1);
        used += (size_t)n;
    }
    for (size_t at = 0; at < size;) {
        size_t piece = script->piece != 0 && script->piece < size - at ? script->piece : size - at;
        if (send(sock, script->answer + at, piece, MSG_NOSIGNAL) != (ssize_t)piece)
            _exit(1);
        at += piece;
    }
    _exit(0);
}

static void serve(const struct script *script)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", state, CLIENT_ADMIN);
    unlink(address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    memset(seen, 0, 65536);
    server = fork();
    if (server == 0)
        serve_one(listener, script);
    close(listener);
}

static int served(void)
{
    int status;
    assert_int_equal(waitpid(server, &status, 0), server);
    return WEXITSTATUS(status);
}

static int keep(void *arg, const struct client_response *head, const void *data, size_t size,
                struct err *why)
{
    assert_true(head->status != 0);
    if (arg != NULL)
        return err_set(why, ENOSPC, "the sink is full");
    assert_true(got_size + size <= BIG);
    memcpy(got + got_size, data, size);
    got_size += size;
    got[got_size] = '\0';
    return 0;
}

static int call_with(const struct client_request *request, void *sink_arg)
{
    got_size = 0;
    got[0] = '\0';
    err = (struct err){0};
    return client_call(request, &response, keep, sink_arg, &err);
}

static int get(const char *answer, size_t piece)
{
    serve(&(struct script){answer, piece, "\r\n\r\n"});
    struct client_request request = {
        .state = state, .socket = CLIENT_ADMIN, .method = "GET", .target = "/x", .body_fd = -1};
    return call_with(&request, NULL);
}

static void answers_are_read_however_they_are_cut(void **unused)
{
    static const char counted[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Call-Id: 7-8\r\n"
                                  "Content-Type: text/plain\r\n\r\nhello";
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    static const char closing[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello";
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
                                  "Content-Length: 5\r\n\r\nhello";
    static const char *const answers[] = {counted, chunked, closing, interim};
    for (size_t i = 0; i < 4; i++) {
        for (size_t piece = 0; piece < 4; piece++) {
            assert_int_equal(get(answers[i], piece), 0);
            assert_string_equal(got, "hello");
            assert_int_equal(response.status, i == 3 ? 201 : 200);
            assert_int_equal(served(), 0);
        }
    }
    assert_int_equal(get(counted, 1), 0);
    assert_string_equal(response.call_id, "7-8");
    assert_string_equal(response.content_type, "text/plain");
    served();
}

static void answers_that_break_off_are_no_success(void **unused)
{
    assert_int_equal(get("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", 0), -ECONNRESET);
    assert_non_null(strstr(err.text, "only a part"));
    served();
    assert_int_equal(get("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 0),
                     -ECONNRESET);
    served();
    assert_int_equal(get("HTTP/1.1 20", 0), -ECONNRESET);
    served();
    assert_int_equal(get("", 0), -ECONNRESET);
    served();
    assert_int_equal(get("SSH-2.0-OpenSSH\r\n", 0), -EPROTO);
    served();
    assert_int_equal(get("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0),
                     -EPROTO);
    served();
}

static void an_answer_without_a_body_ends(void **unused)
{
    assert_int_equal(get("HTTP/1.1 204 No Content\r\n\r\n", 0), 0);
    assert_int_equal(response.status, 204);
    served();
    serve(&(struct script){"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 0, "\r\n\r\n"});
    struct client_request request = {
        .state = state, .socket = CLIENT_ADMIN, .method = "HEAD", .target = "/x", .body_fd = -1};
    assert_int_equal(call_with(&request, NULL), 0);
    served();
}

static void requests_say_what_they_carry(void **unused)
{
    struct text_list headers = {.count = 2, .items = {"X-One: 1", "User-Agent: me"}};
    struct client_request request = {.state = state,
                                     .socket = CLIENT_ADMIN,
                                     .method = "POST",
                                     .target = "/a?b",
                                     .headers = &headers,
                                     .content_type = "text/x",
                                     .body = "body",
                                     .body_size = 4,
                                     .body_fd = -1};
    serve(&(struct script){"HTTP/1.1 204 No Content\r\n\r\n", 0, "body"});
    assert_int_equal(call_with(&request, NULL), 0);
    served();
    assert_memory_equal(seen, "POST /a?b HTTP/1.1\r\n", 20);
    assert_non_null(strstr(seen, "\r\nContent-Length: 4\r\n"));
    assert_non_null(strstr(seen, "\r\nContent-Type: text/x\r\n"));
    assert_non_null(strstr(seen, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(seen, "\r\nUser-Agent: me\r\n"));
    assert_null(strstr(seen, "User-Agent: skerry"));
    assert_non_null(strstr(seen, "\r\nHost: localhost\r\n"));
}

static void a_pipe_is_sent_in_chunks_and_a_file_with_its_length(void **unused)
{
    int ends[2];
    /* served by a process that was forked before: it must not hold the pipe open */
    serve(&(struct script){"HTTP/1.1 204 No Content\r\n\r\n", 0, "0\r\n\r\n"});
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    close(ends[1]);
    struct client_request request = {.state = state,
                                     .socket = CLIENT_ADMIN,
                                     .method = "POST",
                                     .target = "/",
                                     .body_fd = ends[0]};
    assert_int_equal(call_with(&request, NULL), 0);
    served();
    close(ends[0]);
    assert_non_null(strstr(seen, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(seen, "\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));

    request.body_fd = memfd_create("body", 0);
    assert_int_equal(write(request.body_fd, "skipped, sent", 13), 13);
    assert_int_equal(lseek(request.body_fd, 9, SEEK_SET), 9);
    serve(&(struct script){"HTTP/1.1 204 No Content\r\n\r\n", 0, "sent"});
    assert_int_equal(call_with(&request, NULL), 0);
    served();
    close(request.body_fd);
    assert_non_null(strstr(seen, "\r\nContent-Length: 4\r\n"));
    assert_null(strstr(seen, "skipped"));
}

/* The daemon refuses a body by its head and reads no further: its answer counts, not our EPIPE. */
static void an_answer_may_come_before_the_body_was_sent(void **unused)
{
    char *body = calloc(1, BIG);
    struct client_request request = {.state = state,
                                     .socket = CLIENT_ADMIN,
                                     .method = "POST",
                                     .target = "/",
                                     .body = body,
                                     .body_size = BIG,
                                     .body_fd = -1};
    serve(&(struct script){"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig", 0,
                           "\r\n\r\n"});
    assert_int_equal(call_with(&request, NULL), 0);
    assert_int_equal(response.status, 413);
    assert_string_equal(got, "big");
    served();
    free(body);
}

static void a_full_sink_stops_it(void **unused)
{
    serve(&(struct script){"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, "\r\n\r\n"});
    struct client_request request = {
        .state = state, .socket = CLIENT_ADMIN, .method = "GET", .target = "/x", .body_fd = -1};
    assert_int_equal(call_with(&request, &request), -ENOSPC);
    assert_string_equal(err.text, "the sink is full");
    served();
}

static void json_comes_back_or_a_sentence_does(void **unused)
{
    json_t *json = NULL;
    int status = 0;
    serve(
        &(struct script){"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"a\": 1}", 0, "\r\n\r\n"});
    assert_int_equal(client_json(state, "GET", "/", NULL, &json, &status, &err), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "a")), 1);
    assert_int_equal(status, 200);
    json_decref(json);
    served();
    serve(&(struct script){"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{\"a\"", 0, "\r\n\r\n"});
    assert_int_equal(client_json(state, "GET", "/", NULL, &json, NULL, &err), -EPROTO);
    served();
    serve(&(struct script){
        "HTTP/1.1 404 Not Found\r\nContent-Length: 17\r\n\r\n{\"error\": \"gone\"}", 0,
        "\r\n\r\n"});
    assert_int_equal(client_json(state, "GET", "/", NULL, &json, &status, &err), -ENOENT);
    assert_string_equal(err.text, "gone");
    assert_int_equal(status, 404);
    served();
    serve(&(struct script){"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 0, "[1,2]"});
    json_t *body = json_pack("[i, i]", 1, 2);
    json = NULL;
    assert_int_equal(client_json(state, "PUT", "/", body, &json, NULL, &err), 0);
    assert_null(json);
    assert_non_null(strstr(seen, "Content-Type: application/json\r\n"));
    json_decref(body);
    served();
}

static void without_a_daemon_it_says_how_to_start_one(void **unused)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", state, CLIENT_ADMIN);
    assert_int_equal(client_probe(state, &err), -ECONNREFUSED); /* the last test's socket */
    unlink(path);
    assert_int_equal(client_probe(state, &err), -ENOENT);
    assert_non_null(strstr(err.text, "skerry serve --state /tmp/test-cli-client-"));
}

static int begin(void **unused)
{
    seen = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return mkdtemp(state) == NULL || seen == MAP_FAILED;
}

static int end(void **unused)
{
    state_remove_tree(state);
    return munmap(seen, 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_however_they_are_cut),
        cmocka_unit_test(answers_that_break_off_are_no_success),
        cmocka_unit_test(an_answer_without_a_body_ends),
        cmocka_unit_test(requests_say_what_they_carry),
        cmocka_unit_test(a_pipe_is_sent_in_chunks_and_a_file_with_its_length),
        cmocka_unit_test(an_answer_may_come_before_the_body_was_sent),
        cmocka_unit_test(a_full_sink_stops_it),
        cmocka_unit_test(json_comes_back_or_a_sentence_does),
        cmocka_unit_test(without_a_daemon_it_says_how_to_start_one),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
