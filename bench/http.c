/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "measure.h"

int http_connect(const char *url)
{
    char host[64];
    const char *colon = strrchr(url, ':');
    if (colon == NULL || (size_t)(colon - url) >= sizeof(host))
        die("%s is not HOST:PORT", url);
    memcpy(host, url, (size_t)(colon - url));
    host[colon - url] = '\0';
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("%s is not a numeric address", host);
    int one = 1;
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("connect to %s:", url);
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return sock;
}

void http_send(int sock, const char *path)
{
    char request[512];
    int length = snprintf(request, sizeof(request),
                          "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n", path);
    if (fd_write_all(sock, request, (size_t)length) < 0)
        die("send a request:");
}

struct input {
    int sock;
    size_t used, at;
    char data[16384];
};

static void fill(struct input *in)
{
    ssize_t got = read(in->sock, in->data + in->used, sizeof(in->data) - 1 - in->used);
    if (got <= 0)
        die("read a response:");
    in->used += (size_t)got;
    in->data[in->used] = '\0';
}

static size_t take(struct input *in, size_t size, char *body, size_t at, size_t room)
{
    while (in->used - in->at < size)
        fill(in);
    for (size_t i = 0; i < size && at + i < room; i++)
        body[at + i] = in->data[in->at + i];
    in->at += size;
    return at + size;
}

static size_t take_chunks(struct input *in, char *body, size_t room)
{
    size_t at = 0;
    for (;;) {
        while (strstr(in->data + in->at, "\r\n") == NULL)
            fill(in);
        size_t size = strtoul(in->data + in->at, NULL, 16);
        in->at = (size_t)(strstr(in->data + in->at, "\r\n") - in->data) + 2;
        if (size == 0) {
            take(in, 2, body, room, room);
            return at;
        }
        at = take(in, size, body, at, room);
        take(in, 2, body, room, room);
    }
}

size_t http_receive(int sock, void *body, size_t room)
{
    struct input in = {.sock = sock};
    char *end;
    in.data[0] = '\0';
    while ((end = strstr(in.data, "\r\n\r\n")) == NULL)
        fill(&in);
    if (strncmp(in.data, "HTTP/1.1 200", 12) != 0)
        die("the daemon answered: %.300s", in.data);
    in.at = (size_t)(end - in.data) + 4;
    char saved = end[2];
    end[2] = '\0';
    char *length = strcasestr(in.data, "\r\ncontent-length:");
    int chunked = strcasestr(in.data, "\r\ntransfer-encoding: chunked") != NULL;
    end[2] = saved;
    if (length != NULL)
        return take(&in, strtoul(length + 17, NULL, 10), body, 0, room);
    return chunked ? take_chunks(&in, body, room) : 0;
}
