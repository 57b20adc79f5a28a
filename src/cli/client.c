/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of one HTTP exchange. The body goes out while the answer comes in: a function
 * may answer before it has read all, and a pipe into `skerry invoke` may never end before it does.
 */
#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <llhttp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define HEAD_MAX  (48u * 1024u)
#define PIECE_MAX (64u * 1024u)

struct exchange {
    const struct client_request *request;
    struct client_response *response;
    client_sink_fn sink;
    void *sink_arg;
    struct err *err;
    int sock;
    bool chunked;
    bool body_ended; /* nothing more will be put into out */
    uint64_t left;   /* of a body of known length: what was not read yet */
    bool complete;   /* the answer is whole */
    int failed;      /* -errno of the sink */
    char *keep_at;   /* where the current header's value goes, or NULL */
    size_t keep_room;
    char field[32];
    size_t out_at, out_size;
    char out[HEAD_MAX + PIECE_MAX];
};

bool client_escape(char *buf, size_t room, const char *text, const char *keep)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t at = strlen(buf);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL ||
                     strchr(keep, byte) != NULL;
        if (at + (plain ? 1 : 3) >= room)
            return false;
        if (plain) {
            buf[at++] = (char)byte;
        } else {
            buf[at++] = '%';
            buf[at++] = hex[byte >> 4];
            buf[at++] = hex[byte & 15];
        }
    }
    buf[at] = '\0';
    return true;
}

bool client_header_valid(const char *header)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t name = strspn(header, token);
    if (name == 0 || header[name] != ':')
        return false;
    for (const char *at = header + name; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' && *at != '\t')
            return false;
        if (*at == 127)
            return false;
    }
    return true;
}

static int no_daemon(const char *path, const char *state, int code, struct err *err)
{
    if (code == EACCES || code == EPERM)
        return err_set(
            err, code,
            "connect to the daemon at %s: permission denied; it answers root and the user that "
            "it runs as: use sudo, or --state for a daemon of your own",
            path);
    if (code != ENOENT && code != ECONNREFUSED)
        return err_set(err, code, "connect to the daemon at %s:", path);
    return err_set(err, code,
                   "the daemon is not running: nothing answers at %s; start it with 'skerry serve "
                   "--state %s', or name another state directory with --state",
                   path, state);
}

static int connect_daemon(const char *state, const char *name, int *out, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", state, name);
    if (length < 0 || length >= (int)sizeof(address.sun_path))
        return err_set(err, ENAMETOOLONG, "the path %s/%s is too long for a socket", state, name);
    fd_owner sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return err_set(err, errno, "make a socket to the daemon:");
    if (connect(sock, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return no_daemon(address.sun_path, state, errno, err);
    *out = fd_steal(&sock);
    return 0;
}

int client_probe(const char *state, struct err *err)
{
    fd_owner sock = -1;
    return connect_daemon(state, CLIENT_ADMIN, &sock, err);
}

static int on_field(llhttp_t *parser, const char *at, size_t size)
{
    struct exchange *exchange = parser->data;
    size_t used = strlen(exchange->field);
    for (size_t i = 0; i < size && used + 1 < sizeof(exchange->field); i++)
        exchange->field[used++] = at[i];
    exchange->field[used] = '\0';
    return 0;
}

static int on_field_complete(llhttp_t *parser)
{
    struct exchange *exchange = parser->data;
    struct client_response *response = exchange->response;
    exchange->keep_at = NULL;
    if (strcasecmp(exchange->field, "content-type") == 0) {
        exchange->keep_at = response->content_type;
        exchange->keep_room = sizeof(response->content_type);
    } else if (strcasecmp(exchange->field, "retry-after") == 0) {
        exchange->keep_at = response->retry_after;
        exchange->keep_room = sizeof(response->retry_after);
    } else if (strcasecmp(exchange->field, "x-call-id") == 0) {
        exchange->keep_at = response->call_id;
        exchange->keep_room = sizeof(response->call_id);
    }
    if (exchange->keep_at != NULL)
        exchange->keep_at[0] = '\0';
    exchange->field[0] = '\0';
    return 0;
}

/* Kept values are printed to terminals: no control characters. */
static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    struct exchange *exchange = parser->data;
    if (exchange->keep_at == NULL)
        return 0;
    size_t used = strlen(exchange->keep_at);
    for (size_t i = 0; i < size && used + 1 < exchange->keep_room; i++)
        exchange->keep_at[used++] = at[i] >= ' ' && at[i] < 127 ? at[i] : '?';
    exchange->keep_at[used] = '\0';
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct exchange *exchange = parser->data;
    exchange->response->status = parser->status_code;
    return strcmp(exchange->request->method, "HEAD") == 0 ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct exchange *exchange = parser->data;
    exchange->failed =
        exchange->sink(exchange->sink_arg, exchange->response, at, size, exchange->err);
    return exchange->failed < 0 ? -1 : 0;
}

static int on_complete(llhttp_t *parser)
{
    struct exchange *exchange = parser->data;
    if (parser->status_code < 200) /* 100 Continue and the like: the answer follows */
        return 0;
    exchange->complete = true;
    return HPE_PAUSED;
}

static bool append(struct exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool append(struct exchange *exchange, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length =
        vsnprintf(exchange->out + exchange->out_size, HEAD_MAX - exchange->out_size, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= HEAD_MAX - exchange->out_size)
        return false;
    exchange->out_size += (size_t)length;
    return true;
}

static bool says(const struct text_list *headers, const char *name)
{
    for (unsigned int i = 0; headers != NULL && i < headers->count; i++) {
        size_t length = strlen(name);
        if (strncasecmp(headers->items[i], name, length) == 0 && headers->items[i][length] == ':')
            return true;
    }
    return false;
}

/* A regular file has a length, so the daemon can refuse a body that is too large at once. */
static int64_t body_length(const struct client_request *request)
{
    struct stat status;
    if (request->body_fd < 0)
        return (int64_t)request->body_size;
    if (fstat(request->body_fd, &status) < 0 || !S_ISREG(status.st_mode))
        return -1;
    off_t at = lseek(request->body_fd, 0, SEEK_CUR);
    return at < 0 || at > status.st_size ? -1 : status.st_size - at;
}

static int put_head(struct exchange *exchange)
{
    const struct client_request *request = exchange->request;
    int64_t length = body_length(request);
    exchange->chunked = length < 0;
    exchange->left = length < 0 ? UINT64_MAX : (uint64_t)length;
    bool fits = append(exchange, "%s %s HTTP/1.1\r\nConnection: close\r\n", request->method,
                       request->target);
    if (!says(request->headers, "host"))
        fits = fits && append(exchange, "Host: localhost\r\n");
    if (!says(request->headers, "user-agent"))
        fits = fits && append(exchange, "User-Agent: skerry/%s\r\n", SKERRY_VERSION);
    if (request->content_type != NULL && !says(request->headers, "content-type"))
        fits = fits && append(exchange, "Content-Type: %s\r\n", request->content_type);
    if (exchange->chunked)
        fits = fits && append(exchange, "Transfer-Encoding: chunked\r\n");
    else if (length > 0 || strcmp(request->method, "GET") != 0)
        fits = fits && append(exchange, "Content-Length: %lld\r\n", (long long)length);
    for (unsigned int i = 0; request->headers != NULL && i < request->headers->count; i++)
        fits = fits && append(exchange, "%s\r\n", request->headers->items[i]);
    if (!fits || !append(exchange, "\r\n"))
        return err_set(exchange->err, E2BIG, "the headers of the request are longer than %u bytes",
                       HEAD_MAX);
    return 0;
}

/* Fills the empty output buffer with the next piece of the body. */
static int refill(struct exchange *exchange)
{
    const struct client_request *request = exchange->request;
    exchange->out_at = exchange->out_size = 0;
    if (request->body_fd < 0) { /* sent from the caller's memory, see send_some */
        exchange->body_ended = true;
        return 0;
    }
    char *piece = exchange->out + 16; /* room for the chunk's size */
    ssize_t got;
    do
        got =
            read(request->body_fd, piece, exchange->left < PIECE_MAX ? exchange->left : PIECE_MAX);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_set(exchange->err, errno, "read the body of the request:");
    if (!exchange->chunked) {
        if (got == 0 && exchange->left > 0)
            return err_set(exchange->err, EIO, "the body's file became shorter while it was sent");
        exchange->out_at = 16;
        exchange->out_size = 16 + (size_t)got;
        exchange->left -= (size_t)got;
        exchange->body_ended = exchange->left == 0;
        return 0;
    }
    char head[17];
    int head_size = snprintf(head, sizeof(head), "%zx\r\n", (size_t)got);
    exchange->out_at = 16 - (size_t)head_size;
    memcpy(exchange->out + exchange->out_at, head, (size_t)head_size);
    memcpy(piece + got, "\r\n", 2); /* after the last, empty chunk this ends the trailers */
    exchange->out_size = 16 + (size_t)got + 2;
    exchange->body_ended = got == 0;
    return 0;
}

/* Once the daemon reads no more, only its answer is of interest. */
static int send_some(struct exchange *exchange, const char *data, size_t size, size_t *sent)
{
    ssize_t done = send(exchange->sock, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done >= 0) {
        *sent += (size_t)done;
        return 0;
    }
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    if (errno != EPIPE && errno != ECONNRESET)
        return err_set(exchange->err, errno, "send the request to the daemon:");
    exchange->body_ended = true;
    exchange->out_at = exchange->out_size;
    *sent = size;
    return 0;
}

static int recv_some(struct exchange *exchange, llhttp_t *parser)
{
    char piece[PIECE_MAX];
    ssize_t got = recv(exchange->sock, piece, sizeof(piece), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got < 0 && errno != ECONNRESET)
        return err_set(exchange->err, errno, "read the daemon's answer:");
    enum llhttp_errno result =
        got > 0 ? llhttp_execute(parser, piece, (size_t)got) : llhttp_finish(parser);
    if (exchange->failed < 0)
        return exchange->failed;
    if (exchange->complete)
        return 0;
    if (result != HPE_OK && got > 0)
        return err_set(exchange->err, EPROTO, "the daemon's answer is no valid HTTP: %s",
                       llhttp_get_error_reason(parser));
    if (got <= 0)
        return err_set(
            exchange->err, ECONNRESET, "the connection ended before the answer was complete%s",
            exchange->response->status != 0 ? ": what was printed is only a part of it"
                                            : "; the daemon may have been stopped: see its log");
    return 0;
}

/* Sends what waits in the buffer or, after it, the rest of the caller's memory. */
static int pump_out(struct exchange *exchange, size_t *memory_sent)
{
    const struct client_request *request = exchange->request;
    if (exchange->out_at < exchange->out_size)
        return send_some(exchange, exchange->out + exchange->out_at,
                         exchange->out_size - exchange->out_at, &exchange->out_at);
    if (request->body_fd < 0 && *memory_sent < request->body_size)
        return send_some(exchange, (const char *)request->body + *memory_sent,
                         request->body_size - *memory_sent, memory_sent);
    return exchange->body_ended ? 0 : refill(exchange);
}

static int converse(struct exchange *exchange, llhttp_t *parser)
{
    size_t memory_sent = 0;
    while (!exchange->complete) {
        const struct client_request *request = exchange->request;
        bool pending = exchange->out_at < exchange->out_size ||
                       (request->body_fd < 0 && memory_sent < request->body_size);
        bool wants_body = !pending && !exchange->body_ended;
        struct pollfd polls[2] = {
            {.fd = exchange->sock, .events = (short)(POLLIN | (pending ? POLLOUT : 0))},
            {.fd = wants_body ? request->body_fd : -1, .events = POLLIN},
        };
        if (wants_body && request->body_fd < 0)
            exchange->body_ended = true;
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            return err_set(exchange->err, errno, "wait for the daemon:");
        int result = 0;
        if (polls[0].revents & (POLLIN | POLLHUP | POLLERR))
            result = recv_some(exchange, parser);
        if (result == 0 && !exchange->complete &&
            ((polls[0].revents & POLLOUT) || polls[1].revents != 0))
            result = pump_out(exchange, &memory_sent);
        if (result < 0)
            return result;
    }
    return 0;
}

int client_call(const struct client_request *request, struct client_response *out,
                client_sink_fn sink, void *sink_arg, struct err *err)
{
    memset(out, 0, sizeof(*out));
    fd_owner sock = -1;
    int result = connect_daemon(request->state, request->socket, &sock, err);
    if (result < 0)
        return result;
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL)
        return err_set(err, ENOMEM, "make room for a request:");
    *exchange = (struct exchange){.request = request,
                                  .response = out,
                                  .sink = sink,
                                  .sink_arg = sink_arg,
                                  .err = err,
                                  .sock = sock};
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_header_field = on_field;
    settings.on_header_field_complete = on_field_complete;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_headers_complete;
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
    llhttp_t parser;
    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    parser.data = exchange;
    result = put_head(exchange);
    if (result == 0)
        result = converse(exchange, &parser);
    free(exchange);
    return result;
}
