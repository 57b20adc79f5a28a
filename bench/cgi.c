/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference of the HTTP benchmark: a server that runs one program per request by vfork+exec,
 * without any isolation, and answers with its output. One thread, epoll, kept-alive connections,
 * as little as can be done: bench-cgi PORT PROGRAM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "spawn.h"

#define INPUT_MAX  8192
#define OUTPUT_MAX 65536

struct connection {
    struct connection *next_closed;
    int sock;   /* -1: closed */
    int output; /* the program's, -1: none runs */
    pid_t pid;
    size_t in_used, out_used;
    char in[INPUT_MAX];
    char out[OUTPUT_MAX];
};

static int poller;
static struct connection *closed; /* freed after the events that may still name them */
static char *program[2];

static void watch(int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
        die("watch a descriptor:");
}

/*
 * Removed before it is closed: a child that is just executing may still hold a copy, and then the
 * close alone would leave it in the set.
 */
static void unwatch(int fd)
{
    epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

static void drop(struct connection *connection)
{
    if (connection->output >= 0) {
        unwatch(connection->output);
        waitpid(connection->pid, NULL, 0);
        connection->output = -1;
    }
    unwatch(connection->sock);
    connection->sock = -1;
    connection->next_closed = closed;
    closed = connection;
}

/* The program's descriptor is told from the connection's by the lowest bit of the event's pointer.
 */
static void *tagged(struct connection *connection)
{
    return (char *)connection + 1;
}

static void begin(struct connection *connection)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        die("make a pipe:");
    connection->pid = spawn(SPAWN_VFORK, program, out[1]);
    close(out[1]);
    connection->output = out[0];
    connection->out_used = 0;
    watch(out[0], tagged(connection));
}

/* A request is complete at the empty line: the load generator sends no bodies. */
static void serve_if_complete(struct connection *connection)
{
    connection->in[connection->in_used] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL || connection->output >= 0)
        return;
    size_t taken = (size_t)(end + 4 - connection->in);
    memmove(connection->in, end + 4, connection->in_used - taken);
    connection->in_used -= taken;
    begin(connection);
}

static void on_request(struct connection *connection)
{
    if (connection->sock < 0)
        return;
    ssize_t got = read(connection->sock, connection->in + connection->in_used,
                       INPUT_MAX - 1 - connection->in_used);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            return;
        drop(connection);
        return;
    }
    connection->in_used += (size_t)got;
    serve_if_complete(connection);
}

static void answer(struct connection *connection)
{
    char response[OUTPUT_MAX + 256];
    int status = 0;
    waitpid(connection->pid, &status, 0);
    int head = snprintf(response, sizeof(response),
                        "HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        status == 0 ? "200 OK" : "500 Internal Server Error", connection->out_used);
    memcpy(response + head, connection->out, connection->out_used);
    size_t size = (size_t)head + connection->out_used;
    if (write(connection->sock, response, size) != (ssize_t)size) {
        drop(connection);
        return;
    }
    serve_if_complete(connection);
}

static void on_output(struct connection *connection)
{
    if (connection->sock < 0)
        return;
    ssize_t got = read(connection->output, connection->out + connection->out_used,
                       OUTPUT_MAX - connection->out_used);
    if (got > 0) {
        connection->out_used += (size_t)got;
        return;
    }
    unwatch(connection->output);
    connection->output = -1;
    answer(connection);
}

static void on_connection(int listener)
{
    int one = 1;
    int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (sock < 0)
        return;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        die("out of memory");
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connection->sock = sock;
    connection->output = -1;
    watch(sock, connection);
}

int main(int argc, char **argv)
{
    int one = 1;
    if (argc != 3)
        die("usage: bench-cgi PORT PROGRAM");
    program[0] = argv[2];
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 1024) < 0)
        die("listen on port %s:", argv[1]);
    poller = epoll_create1(EPOLL_CLOEXEC);
    watch(listener, NULL);
    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < count; i++) {
            uintptr_t tag = (uintptr_t)events[i].data.ptr;
            if (tag == 0)
                on_connection(listener);
            else if (tag & 1)
                on_output((struct connection *)(tag - 1));
            else
                on_request((struct connection *)tag);
        }
        while (closed != NULL) {
            struct connection *next = closed->next_closed;
            free(closed);
            closed = next;
        }
    }
}
