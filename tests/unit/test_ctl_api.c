/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API process as its supervisor and its clients see it: a child of this test runs api_main over
 * links whose other ends the test holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/packet.h"
#include "control/api.h"
#include "control/ctl.h"
#include "control/rfc3339.h"
#include "gateway/link.h"

#define AUTH "Authorization: Basic YWRtaW46c2VjcmV0\r\n" /* admin:secret */

static pid_t child;
static int link_end, handoff_end, listener;
static struct stats_page *stats;
static char answer[128 * 1024];

static void run_api(int link, int handoff)
{
    close(link_end);
    close(handoff_end);
    struct api_options options = {.link = link,
                                  .listener = listener,
                                  .handoff = handoff,
                                  .admin = (uid_t)-2, /* so only root is trusted */
                                  .password = "secret",
                                  .stats = stats};
    exit(api_main(&options));
}

static int setup(void **state)
{
    int link[2], handoff[2];
    stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sa_family_t unnamed = AF_UNIX; /* the kernel chooses an abstract name */
    if (stats == MAP_FAILED || packet_pair(link) < 0 || packet_pair(handoff) < 0 ||
        bind(listener, (struct sockaddr *)&unnamed, sizeof(unnamed)) < 0 ||
        listen(listener, 16) < 0)
        return -1;
    link_end = link[0];
    handoff_end = handoff[0];
    child = fork();
    if (child == 0)
        run_api(link[1], handoff[1]);
    close(link[1]);
    close(handoff[1]);
    return child > 0 ? 0 : -1;
}

/* It ends by itself, with status 0, when its link ends. */
static int teardown(void **state)
{
    int status = -1;
    close(link_end);
    waitpid(child, &status, 0);
    close(handoff_end);
    close(listener);
    munmap(stats, sizeof(*stats));
    return status;
}

/* Hands a connection over as the gateway does; returns our end of it. */
static int hand_over(const char *bytes, size_t size, uint32_t magic, uint32_t said)
{
    int ends[2];
    struct handoff_head head = {.magic = magic, .bytes = said};
    struct iovec parts[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)bytes, size}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(packet_send(handoff_end, parts, 2, &ends[1], 1, 0), 0);
    close(ends[1]);
    return ends[0];
}

static int request(const char *text)
{
    return hand_over(text, strlen(text), 0x31464f48, (uint32_t)strlen(text));
}

/* Reads the whole answer; returns its status. */
static int status_of(int fd)
{
    ssize_t size = fd_read_all(fd, answer, sizeof(answer) - 1);
    assert_true(size >= 0);
    answer[size] = '\0';
    close(fd);
    int status = 0;
    if (sscanf(answer, "HTTP/1.1 %d ", &status) != 1)
        return 0;
    return status;
}

static void expect(const char *text, int status, const char *words)
{
    int got = status_of(request(text));
    if (got != status || strstr(answer, words) == NULL)
        fail_msg("%s\ngave %d\n%s\nand not %d with '%s'", text, got, answer, status, words);
}

static void take_request(struct ctl_message *out)
{
    assert_int_equal(packet_recv(link_end, out, sizeof(*out), NULL, 0, NULL, 0), sizeof(*out));
}

static void tell(const struct ctl_message *message)
{
    struct iovec part = {(void *)(uintptr_t)message, sizeof(*message)};
    assert_int_equal(packet_send(link_end, &part, 1, NULL, 0, 0), 0);
}

static void test_who_may(void **state)
{
    expect("GET /system/info HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 200, "\"provider\"");
    expect("GET /system/info HTTP/1.1\r\nHost: x\r\n\r\n", 401, "WWW-Authenticate: Basic");
    expect("GET /system/info HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46c2VjcmU=\r\n\r\n",
           401, "admin-password"); /* admin:secre */
    expect("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "OK");
    /* nothing is said about paths to somebody who is not known */
    expect("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 401, "admin-password");
    expect("GET /nothing HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 404, "no such path");
    expect("PATCH /system/functions HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 405,
           "Allow: GET, POST, PUT, DELETE");
}

static void test_refused_before_the_body(void **state)
{
    expect("POST /system/functions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", 401,
           "admin");
    expect("POST /system/functions HTTP/1.1\r\nHost: x\r\n" AUTH "Content-Length: 1048577\r\n\r\n",
           413, "larger than 1048576");
}

static void test_what_is_not_http(void **state)
{
    expect("nonsense\r\n\r\n", 400, "error");
    expect("GET / HTTP/1.1\nHost: x\n\n", 400, "error");
    expect("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           400, "error");
    expect("POST /system/functions HTTP/1.1\r\nHost: x\r\n" AUTH
           "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
           400, "error");
}

static void test_handoffs_that_are_none(void **state)
{
    static const char get[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(status_of(hand_over(get, sizeof(get) - 1, 7, sizeof(get) - 1)), 0);
    assert_int_equal(status_of(hand_over(get, sizeof(get) - 1, 0x31464f48, 7)), 0);
    assert_int_equal(status_of(hand_over(get, sizeof(get) - 1, 0x31464f48, UINT32_MAX)), 0);
    assert_int_equal(
        packet_send(handoff_end, &(struct iovec){(void *)(uintptr_t)get, 3}, 1, NULL, 0, 0), 0);
    expect(get, 200, "OK");
}

#define SPEC "{\"service\":\"f\",\"image\":\"i\"}" /* 27 bytes */

static void test_a_deploy_is_asked_for_and_answered(void **state)
{
    static struct ctl_message message;
    int fd = request("POST /system/functions HTTP/1.1\r\nHost: x\r\n" AUTH
                     "Content-Length: 27\r\n\r\n" SPEC);
    take_request(&message);
    assert_int_equal(message.kind, CTL_DEPLOY);
    assert_string_equal(message.spec.name, "f");
    assert_string_equal(message.spec.tenant, "default");
    assert_string_equal(message.spec.image, "i");
    message.kind = CTL_REPLY;
    message.spec.revision = 7;
    tell(&message);
    assert_int_equal(status_of(fd), 202);
    assert_non_null(strstr(answer, "\"revision\":7"));
}

static void test_a_byte_at_a_time(void **state)
{
    static const char text[] =
        "PUT /system/functions?upsert=1 HTTP/1.1\r\nHost: x\r\n" AUTH
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"ser\r\n16\r\nvice\":\"f\",\"image\":"
        "\"i\"}\r\n0\r\n\r\n";
    static struct ctl_message message;
    int fd = hand_over("", 0, 0x31464f48, 0);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
    take_request(&message);
    assert_int_equal(message.kind, CTL_PUT);
    assert_string_equal(message.spec.name, "f");
    message.kind = CTL_REPLY;
    tell(&message);
    assert_int_equal(status_of(fd), 202);
}

static void test_refusals_of_the_supervisor(void **state)
{
    static const struct {
        int code, status;
    } rows[] = {{ENOENT, 404}, {EEXIST, 409}, {EBUSY, 409},     {EINVAL, 400},
                {ENOSPC, 503}, {EAGAIN, 503}, {ESHUTDOWN, 503}, {EIO, 500}};
    static struct ctl_message message;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = request("DELETE /system/functions?namespace=acme HTTP/1.1\r\nHost: x\r\n" AUTH
                         "Content-Length: 20\r\n\r\n{\"functionName\":\"f\"}");
        take_request(&message);
        assert_int_equal(message.kind, CTL_REMOVE);
        assert_string_equal(message.spec.tenant, "acme");
        message.kind = CTL_REPLY;
        err_set(&message.why, rows[i].code, "because \"%d\"", rows[i].code);
        tell(&message);
        assert_int_equal(status_of(fd), rows[i].status);
        assert_non_null(strstr(answer, "{\"error\":\"because \\\""));
    }
}

static void test_a_client_that_left(void **state)
{
    static struct ctl_message message;
    int fd = request("POST /system/functions HTTP/1.1\r\nHost: x\r\n" AUTH
                     "Content-Length: 27\r\n\r\n" SPEC);
    take_request(&message);
    close(fd);
    message.kind = CTL_REPLY;
    tell(&message);
    expect("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "OK");
}

static void add_function(uint32_t index, const char *name, uint64_t generation, uint32_t status)
{
    static struct ctl_message message;
    memset(&message, 0, sizeof(message));
    message.kind = CTL_FUNCTION;
    message.index = index;
    message.generation = generation;
    message.status = status;
    function_init(&message.spec);
    strcpy(message.spec.name, name);
    strcpy(message.spec.image, "i");
    message.spec.created_unix_s = 86400;
    if (status == CTL_FAILED)
        err_set(&message.why, EIO, "it is broken");
    tell(&message);
}

static void test_the_table_and_its_figures(void **state)
{
    add_function(3, "f", 11, CTL_READY);
    add_function(4, "g", 12, CTL_FAILED);
    atomic_store(&stats->function[3].generation, 11);
    atomic_store(&stats->function[3].invocations, 5);
    atomic_store(&stats->function[4].generation, 1); /* of whoever had the index before */
    atomic_store(&stats->function[4].invocations, 99);
    expect("GET /system/function/f HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 200,
           "\"invocationCount\":5");
    assert_non_null(strstr(answer, "\"createdAt\":\"1970-01-02T00:00:00Z\""));
    assert_non_null(strstr(answer, "\"availableReplicas\":1"));
    expect("GET /system/function/g HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 200,
           "\"invocationCount\":0");
    assert_non_null(strstr(answer, "\"error\":\"it is broken\""));
    assert_non_null(strstr(answer, "\"availableReplicas\":0"));
    expect("GET /system/skerry/describe?name=f HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 200,
           "\"counters\":{\"invocations\":5");
    static struct ctl_message message;
    message.kind = CTL_FUNCTION_DEL;
    message.index = 3;
    tell(&message);
    expect("GET /system/functions HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 200, "\"service\":\"g\"");
    assert_null(strstr(answer, "\"service\":\"f\""));
    message.index = FUNCTIONS_MAX; /* refused, not believed */
    tell(&message);
    expect("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "OK");
}

static void test_parameters_are_decoded(void **state)
{
    add_function(0, "f", 1, CTL_READY);
    expect("GET /system/skerry/describe?x=1&name=%66 HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 200,
           "\"service\":\"f\"");
    expect("GET /system/function/%66?namespace=default HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 200,
           "\"service\":\"f\"");
    expect("GET /system/skerry/describe?name=%6 HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 400,
           "parameter name is malformed");
    expect("GET /system/logs?name=f&tail=many HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 400,
           "tail is 'many'");
    expect("GET /system/logs?name=f&since=yesterday HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", 400,
           "since is 'yesterday'");
}

static void test_times_of_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:01.5Z", 1500000},
        {"2000-02-29T12:00:00Z", UINT64_C(951825600000000)},
        {"2026-11-29T07:35:35.884423Z", UINT64_C(1795937735884423)},
        {"2026-11-29T07:35:35.8844239999999999999Z", UINT64_C(1795937735884423)},
        {"2026-11-29T09:05:35.884423+01:30", UINT64_C(1795937735884423)},
        {"2026-11-28T23:35:35.884423-08:00", UINT64_C(1795937735884423)},
        {"0001-01-01T00:00:00Z", 0},
    };
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-29",
        "2026-11-29T07:35:35",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-29T24:00:00Z",
        "2026-11-29T07:35:35.Z",
        "2026-11-29T07:35:35Zx",
        "2026-11-29T07:35:35+1:00",
        "2026-11-29T07:35:35+24:00",
        "-026-11-29T07:35:35Z",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t us = 7;
        assert_int_equal(rfc3339_parse(good[i].text, &us), 0);
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t us = 7;
        assert_int_equal(rfc3339_parse(bad[i], &us), -EINVAL);
        assert_int_equal(us, 7);
    }
}

static void test_head_has_no_body(void **state)
{
    int fd = request("HEAD /system/info HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n");
    assert_int_equal(status_of(fd), 200);
    assert_non_null(strstr(answer, "Content-Length: "));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_who_may),
        TEST(test_refused_before_the_body),
        TEST(test_what_is_not_http),
        TEST(test_handoffs_that_are_none),
        TEST(test_a_deploy_is_asked_for_and_answered),
        TEST(test_a_byte_at_a_time),
        TEST(test_refusals_of_the_supervisor),
        TEST(test_a_client_that_left),
        TEST(test_the_table_and_its_figures),
        TEST(test_parameters_are_decoded),
        TEST(test_times_of_rfc_3339),
        TEST(test_head_has_no_body),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
