/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load of one tenant, for the benchmark of many at once: bench-load HOST:PORT PATH [-c
 * CONNECTIONS]
 * [-t SECONDS] [-n REQUESTS] [-p PAUSE_US] [-r RETRY_MS] [-b BODY_BYTES] [-d DRIP_MS].
 *
 * Each connection sends a request, reads the answer, pauses, and again; after a 429 or 503 it waits
 * RETRY_MS. With DRIP_MS the body is sent one byte at a time, that far apart: a slow client. Prints
 * one JSON object: how many answers of each status, and the latency of the good ones.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http.h"
#include "measure.h"

#define CONNECTIONS_MAX 4096
#define INPUT_MAX       65536

struct client {
    int sock;
    bool reading, chunked;
    size_t sent;       /* of request and body */
    size_t used;       /* of in: the head, or the last bytes of chunks */
    uint64_t left;     /* of a body with a length */
    uint64_t begun_ns; /* of the request */
    uint64_t due_ns;   /* when the next thing is to be sent; 0: nothing is */
    unsigned int status;
    char in[4096];
};

static const char *url, *path;
static unsigned int connections = 1, status_count[600];
static uint64_t seconds = 10, requests, pause_us, retry_ms = 1000, body_bytes, drip_ms;
static uint64_t now_ns, taken, broken;
static char *request, scratch[INPUT_MAX];
static size_t request_size, head_size;
static struct client clients[CONNECTIONS_MAX];
static struct measure measure = {.benchmark = "load", .scale = 1000};
static struct series *latency;
static int poller;

static void client_open(struct client *client)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    client->sock = http_connect(url);
    client->reading = false;
    client->sent = 0;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, client->sock, &event) < 0)
        die("watch a connection:");
}

static void client_next(struct client *client, uint64_t pause_ns)
{
    client->reading = client->chunked = false;
    client->sent = client->used = 0;
    client->left = 0;
    client->due_ns = now_ns + pause_ns;
    if (client->due_ns == 0)
        client->due_ns = 1;
}

static void client_reopen(struct client *client)
{
    broken += client->reading || client->sent > 0;
    close(client->sock);
    client_open(client);
    client_next(client, retry_ms * NS_PER_MS);
}

/* Sends what the socket takes; a slow client one byte of the body. */
static void client_send(struct client *client)
{
    if (client->sent == 0)
        client->begun_ns = now_ns;
    size_t size = request_size - client->sent;
    if (drip_ms > 0)
        size = client->sent < head_size ? head_size - client->sent : size > 0;
    ssize_t sent = send(client->sock, request + client->sent, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) {
        client_reopen(client);
        return;
    }
    client->sent += sent > 0 ? (size_t)sent : 0;
    client->due_ns = client->sent == request_size ? 0
                     : drip_ms > 0                ? now_ns + drip_ms * NS_PER_MS
                                                  : now_ns + NS_PER_MS;
}

static void client_done(struct client *client)
{
    bool good = client->status == 200;
    status_count[client->status < 600 ? client->status : 0]++;
    taken++;
    if (good)
        series_add(latency, (int64_t)(clock_now_ns() - client->begun_ns));
    if (client->sent < request_size) { /* answered before it was sent: the connection ends */
        client->reading = false;
        client->sent = 0;
        client_reopen(client);
        return;
    }
    client_next(client, good ? pause_us * 1000 : retry_ms * NS_PER_MS);
}

/* The answer's head, when it is whole; what follows of it is of the body. */
static void client_head(struct client *client)
{
    client->in[client->used] = '\0';
    char *end = strstr(client->in, "\r\n\r\n");
    if (end == NULL)
        return;
    size_t body = client->used - (size_t)(end + 4 - client->in);
    end[2] = '\0';
    const char *length = strcasestr(client->in, "\r\ncontent-length:");
    client->status = (unsigned int)strtoul(client->in + 9, NULL, 10);
    client->chunked = length == NULL;
    client->left = length == NULL ? 0 : strtoull(length + 17, NULL, 10);
    client->reading = true;
    memmove(client->in, end + 4, body);
    client->used = body;
    if (client->chunked)
        return;
    client->left -= body < client->left ? body : client->left;
    if (client->left == 0)
        client_done(client);
}

static void client_read(struct client *client)
{
    if (!client->reading) {
        ssize_t got = recv(client->sock, client->in + client->used,
                           sizeof(client->in) - 1 - client->used, MSG_DONTWAIT);
        if (got <= 0) {
            if (got == 0 || errno != EAGAIN)
                client_reopen(client);
            return;
        }
        client->used += (size_t)got;
        client_head(client);
    } else {
        ssize_t got = recv(client->sock, scratch, sizeof(scratch), MSG_DONTWAIT);
        if (got <= 0) {
            if (got == 0 || errno != EAGAIN)
                client_reopen(client);
            return;
        }
        client->left -= (uint64_t)got < client->left ? (uint64_t)got : client->left;
        if (!client->chunked && client->left == 0) {
            client_done(client);
            return;
        }
        size_t keep = (size_t)got < 5 ? (size_t)got : 5;
        memcpy(client->in, scratch + got - keep, keep);
        client->used = keep;
    }
    if (client->reading && client->chunked && client->used >= 5 &&
        memcmp(client->in + client->used - 5, "0\r\n\r\n", 5) == 0)
        client_done(client);
}

static uint64_t send_due(void)
{
    uint64_t next = now_ns + 100 * NS_PER_MS;
    for (unsigned int i = 0; i < connections; i++) {
        struct client *client = &clients[i];
        if (client->due_ns != 0 && client->due_ns <= now_ns)
            client_send(client);
        if (client->due_ns != 0 && client->due_ns < next)
            next = client->due_ns;
    }
    return next;
}

static void run(void)
{
    struct epoll_event events[512];
    uint64_t end = clock_now_ns() + seconds * NS_PER_SEC;
    for (unsigned int i = 0; i < connections; i++) {
        client_open(&clients[i]);
        client_next(&clients[i], 0);
    }
    while ((now_ns = clock_now_ns()) < end && (requests == 0 || taken < requests)) {
        uint64_t next = send_due();
        struct timespec wait = {.tv_nsec = next > now_ns ? (long)(next - now_ns) : 0};
        int count = epoll_pwait2(poller, events, 512, &wait, NULL);
        now_ns = clock_now_ns();
        for (int i = 0; i < count; i++)
            client_read(events[i].data.ptr);
    }
}

static void report(void)
{
    printf("{\"answers\":{");
    const char *comma = "";
    for (unsigned int i = 0; i < 600; i++) {
        if (status_count[i] == 0)
            continue;
        printf("%s\"%u\":%u", comma, i, status_count[i]);
        comma = ",";
    }
    printf("},\"broken\":%llu,\"n\":%zu,\"p50_us\":%lld,\"p99_us\":%lld,\"max_us\":%lld}\n",
           (unsigned long long)broken, latency->count,
           (long long)series_quantile(latency, 0.5) / 1000,
           (long long)series_quantile(latency, 0.99) / 1000,
           (long long)series_quantile(latency, 1) / 1000);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc < 3)
        die("usage: HOST:PORT PATH [-c CONNECTIONS] [-t SECONDS] [-n REQUESTS] [-p PAUSE_US] "
            "[-r RETRY_MS] [-b BODY_BYTES] [-d DRIP_MS]");
    url = argv[1];
    path = argv[2];
    optind = 3;
    for (int option; (option = getopt(argc, argv, "c:t:n:p:r:b:d:")) >= 0;) {
        uint64_t value = option == '?' ? 0 : strtoull(optarg, NULL, 10);
        switch (option) {
        case 'c':
            connections = (unsigned int)(value < CONNECTIONS_MAX ? value : CONNECTIONS_MAX);
            break;
        case 't':
            seconds = value;
            break;
        case 'n':
            requests = value;
            break;
        case 'p':
            pause_us = value;
            break;
        case 'r':
            retry_ms = value;
            break;
        case 'b':
            body_bytes = value;
            break;
        case 'd':
            drip_ms = value;
            break;
        default:
            die("unknown option");
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    request = calloc(1, body_bytes + 1024);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (request == NULL || poller < 0)
        die("no memory");
    head_size = (size_t)snprintf(request, 1024,
                                 "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %llu\r\n\r\n",
                                 path, (unsigned long long)body_bytes);
    memset(request + head_size, 'x', body_bytes);
    request_size = head_size + body_bytes;
    latency = series_new(&measure, "latency", 0);
    run();
    report();
    return 0;
}
