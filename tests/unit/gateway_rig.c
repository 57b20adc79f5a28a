/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"

static int log_make(void)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
    return fd;
}

static void launch(struct rig *rig, unsigned int connections_max, int uptime)
{
    int link[2], api[2];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    rig->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(rig->listener, 128), 0);
    assert_int_equal(getsockname(rig->listener, (struct sockaddr *)&address, &size), 0);
    rig->port = ntohs(address.sin_port);
    assert_int_equal(packet_pair(link), 0);
    assert_int_equal(packet_pair(api), 0);
    rig->access_log = log_make();
    int stats = memfd_create("stats", MFD_CLOEXEC);
    assert_int_equal(ftruncate(stats, sizeof(struct stats_page)), 0);
    rig->stats = mmap(NULL, sizeof(struct stats_page), PROT_READ, MAP_SHARED, stats, 0);
    assert_ptr_not_equal(rig->stats, MAP_FAILED);
    alarm(1200); /* a hanging test ends the program, it does not wait for ever */
    fflush(NULL);
    rig->pid = fork();
    assert_true(rig->pid >= 0);
    if (rig->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(link[0]);
        close(api[0]);
        struct gateway_options options = {
            .listeners = &rig->listener,
            .listener_count = 1,
            .link = link[1],
            .api = api[1],
            .stats = stats,
            .access_log = rig->access_log,
            .dev_null = open("/dev/null", O_RDONLY | O_CLOEXEC),
            .uptime = uptime,
            .epoch = RIG_EPOCH,
            .connections_max = connections_max != 0 ? connections_max : 64,
        };
        _exit(gateway_main(&options));
    }
    close(link[1]);
    close(api[1]);
    close(stats);
    rig->link = link[0];
    rig->api = api[0];
    struct link_message ready;
    rig_hear(rig, LINK_READY, &ready);
}

void rig_start(struct rig *rig, unsigned int connections_max)
{
    launch(rig, connections_max, -1);
}

void rig_start_full(struct rig *rig)
{
    static const char never_idle[] = "5.00 1.00\n";
    int uptime = memfd_create("uptime", MFD_CLOEXEC);
    assert_int_equal(write(uptime, never_idle, sizeof(never_idle) - 1), sizeof(never_idle) - 1);
    launch(rig, 0, uptime);
    close(uptime);
}

static void gateway_exited_well(struct rig *rig)
{
    int status;
    assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
    assert_int_equal(status, 0);
}

void rig_stop(struct rig *rig)
{
    close(rig->link);
    gateway_exited_well(rig);
    close(rig->listener);
    close(rig->api);
    close(rig->access_log);
    munmap(rig->stats, sizeof(struct stats_page));
}

void rig_tell(struct rig *rig, enum link_kind kind, const struct rig_function *function)
{
    struct link_message message = {.kind = kind};
    if (function != NULL) {
        message.index = function->index;
        message.generation = function->generation;
    }
    struct iovec part = {&message, sizeof(message)};
    assert_int_equal(packet_send(rig->link, &part, 1, NULL, 0, 0), 0);
}

void rig_put(struct rig *rig, struct rig_function *function, uint32_t index, uint64_t generation,
             const char *name, uint32_t flags, const struct function_limits *limits)
{
    int start[2], report[2];
    assert_int_equal(packet_pair(start), 0);
    assert_int_equal(packet_pair(report), 0);
    *function = (struct rig_function){
        .index = index, .generation = generation, .start = start[1], .report = report[1]};
    function->log = log_make();
    struct link_message message = {.kind = LINK_FUNCTION_PUT,
                                   .index = index,
                                   .generation = generation,
                                   .value = generation + 5000};
    const char *dot = strchr(name, '.');
    size_t length = dot != NULL ? (size_t)(dot - name) : strlen(name);
    memcpy(message.function.name, name, length);
    strcpy(message.function.tenant, dot != NULL ? dot + 1 : "default");
    message.function.flags = flags;
    if (limits != NULL)
        message.function.limits = *limits;
    int fds[3] = {start[0], report[0], function->log};
    struct iovec part = {&message, sizeof(message)};
    assert_int_equal(packet_send(rig->link, &part, 1, fds, 3, 0), 0);
    close(start[0]);
    close(report[0]);
}

void rig_slots(struct rig *rig, const struct rig_function *function, uint32_t slots)
{
    struct link_message message = {.kind = LINK_SLOTS,
                                   .index = function->index,
                                   .generation = function->generation,
                                   .value = slots};
    struct iovec part = {&message, sizeof(message)};
    assert_int_equal(packet_send(rig->link, &part, 1, NULL, 0, 0), 0);
}

void rig_hear(struct rig *rig, enum link_kind kind, struct link_message *out)
{
    do {
        assert_int_equal(packet_recv(rig->link, out, sizeof(*out), NULL, 0, NULL, 0), sizeof(*out));
    } while (out->kind != kind);
}

void rig_function_close(struct rig_function *function)
{
    close(function->start);
    close(function->report);
    close(function->log);
}

void rig_take(struct rig_function *function, struct rig_start *out)
{
    static char message[sizeof(struct start_header) + START_ENV_MAX];
    struct start_header header;
    int fds[3];
    size_t fd_count = 0;
    ssize_t n = packet_recv(function->start, message, sizeof(message), fds, 3, &fd_count, 0);
    assert_true(n > 0);
    assert_int_equal(start_check(message, (size_t)n, (uint32_t)fd_count), 0);
    memcpy(&header, message, sizeof(header));
    assert_int_equal(header.epoch, RIG_EPOCH);
    *out = (struct rig_start){.call_id = header.call_id,
                              .epoch = header.epoch,
                              .flags = header.flags,
                              .in = fds[0],
                              .out = fds[1],
                              .err = fds[2],
                              .env_bytes = header.env_bytes};
    memcpy(out->env, message + sizeof(header), header.env_bytes);
    for (int i = 0; i < 3; i++) /* a program must not find its descriptors non-blocking */
        assert_int_equal(fcntl(fds[i], F_GETFL) & O_NONBLOCK, 0);
}

bool rig_has_start(struct rig_function *function)
{
    struct pollfd poll_fd = {.fd = function->start, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

const char *rig_env(const struct rig_start *start, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = start->env; at < start->env + start->env_bytes; at += strlen(at) + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == '=')
            return at + size + 1;
    }
    return NULL;
}

void rig_report(struct rig_function *function, struct rig_start *start, uint16_t kind,
                int wait_status, uint32_t flags)
{
    uint64_t now = clock_now_ns();
    struct exit_report report = {
        .magic = START_MAGIC,
        .version = START_VERSION,
        .kind = kind,
        .call_id = start->call_id,
        .epoch = start->epoch,
        .flags = flags,
        .wait_status = wait_status,
        .exec_errno = kind == REPORT_EXEC_FAILED ? ENOENT : 0,
        .clone_ns = now - 9000,
        .cloned_ns = now - 8000,
        .furnished_ns = now - 7000,
        .taken_ns = now - 6000,
        .exec_ns = now - 5000,
        .exit_ns = now,
        .prev_cleaned_ns = 1000,
        .user_us = 11 + start->cpu_us,
        .system_us = 22,
        .maxrss_kib = 333,
    };
    struct iovec part = {&report, sizeof(report)};
    close(start->in);
    close(start->out);
    close(start->err);
    assert_int_equal(packet_send(function->report, &part, 1, NULL, 0, 0), 0);
}

void rig_exit(struct rig_function *function, struct rig_start *start, int wait_status,
              uint32_t flags)
{
    rig_report(function, start, REPORT_EXIT, wait_status, flags);
}

void rig_kill_wait(struct rig_function *function, const struct rig_start *start)
{
    struct kill_request request;
    assert_int_equal(packet_recv(function->report, &request, sizeof(request), NULL, 0, NULL, 0),
                     sizeof(request));
    assert_int_equal(request.magic, START_MAGIC);
    assert_int_equal(request.call_id, start->call_id);
    assert_int_equal(request.epoch, start->epoch);
}

void rig_write(int fd, const char *text)
{
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

size_t rig_stdin(struct rig_start *start, char *out, size_t room)
{
    ssize_t n = fd_read_all(start->in, out, room);
    assert_true(n >= 0);
    return (size_t)n;
}

int rig_connect(const struct rig *rig)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)rig->port)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

void rig_send(int client, const char *text)
{
    rig_write(client, text);
}

/* Up to size bytes, fewer at the end of the connection; a reset is an end, errno tells. */
static size_t read_some(int client, char *out, size_t size)
{
    size_t used = 0;
    errno = 0;
    while (used < size) {
        ssize_t n = recv(client, out + used, size - used, 0);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    return used;
}

static bool read_exactly(int client, char *out, size_t size)
{
    return read_some(client, out, size) == size;
}

/* A line without its CRLF; false at the end of the connection. */
static bool read_line(int client, char *out, size_t room)
{
    size_t used = 0;
    while (used < room && read_exactly(client, out + used, 1)) {
        used++;
        if (used >= 2 && out[used - 2] == '\r' && out[used - 1] == '\n') {
            out[used - 2] = '\0';
            return true;
        }
    }
    return false;
}

static void body_more(struct rig_answer *out, int client, size_t size)
{
    out->body = realloc(out->body, out->body_size + size + 1);
    size_t n = read_some(client, out->body + out->body_size, size);
    out->body_size += n;
    out->body[out->body_size] = '\0';
    out->whole = n == size;
}

static void read_chunks(int client, struct rig_answer *out)
{
    char line[256];
    size_t size = 1;
    while (size > 0) {
        if (!read_line(client, line, sizeof(line)))
            return; /* broken off: not whole */
        size = strtoul(line, NULL, 16);
        if (size == 0)
            break;
        body_more(out, client, size);
        if (!out->whole || !read_line(client, line, sizeof(line)) || line[0] != '\0') {
            out->whole = false;
            return;
        }
        out->whole = false;
    }
    while (read_line(client, line, sizeof(line))) {
        if (line[0] == '\0') {
            out->whole = true;
            return;
        }
        memcpy(out->trailer, line, sizeof(line)); /* the last one */
    }
}

void rig_answer(int client, struct rig_answer *out, bool head_only)
{
    size_t used = 0;
    free(out->body);
    memset(out, 0, sizeof(*out));
    do {
        assert_true(used < sizeof(out->head) - 1);
        if (!read_exactly(client, out->head + used, 1))
            fail_msg("the connection ended within a head: '%s'", out->head);
        used++;
    } while (used < 4 || memcmp(out->head + used - 4, "\r\n\r\n", 4) != 0);
    assert_memory_equal(out->head, "HTTP/1.1 ", 9);
    out->status = atoi(out->head + 9);
    out->body = calloc(1, 1);
    const char *length = rig_header(out, "Content-Length");
    size_t size = length != NULL ? strtoul(length, NULL, 10) : 0;
    bool has_length = length != NULL;
    out->chunked = rig_header(out, "Transfer-Encoding") != NULL;
    assert_false(has_length && out->chunked);
    out->whole = true;
    if (head_only || out->status == 100 || out->status == 204 || out->status == 304)
        return;
    if (out->chunked) {
        out->whole = false;
        read_chunks(client, out);
    } else if (has_length) {
        body_more(out, client, size);
    } else {
        do {
            body_more(out, client, 65536);
        } while (out->whole);
        out->whole = errno != ECONNRESET;
    }
}

void rig_closed(int client)
{
    char byte;
    assert_true(read(client, &byte, 1) <= 0);
    close(client);
}

const char *rig_header(const struct rig_answer *answer, const char *name)
{
    static char value[1024];
    char pattern[128];
    snprintf(pattern, sizeof(pattern), "\r\n%s: ", name);
    const char *at = strstr(answer->head, pattern);
    if (at == NULL)
        return NULL;
    at += strlen(pattern);
    size_t size = strcspn(at, "\r");
    assert_true(size < sizeof(value));
    memcpy(value, at, size);
    value[size] = '\0';
    return value;
}

const char *rig_log(int fd)
{
    static char text[2 << 20];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

void rig_logged(struct rig *rig, const char *text)
{
    while (strstr(rig_log(rig->access_log), text) == NULL)
        usleep(1000); /* lines wait for up to 20 ms; the alarm bounds this loop */
}
