/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http.h"

#include <llhttp.h>
#include <string.h>
#include <strings.h>

/* tchar of RFC 9110, 5.6.2: what names and methods are made of. */
static bool is_token_char(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct http_span span)
{
    for (size_t i = 0; i < span.size; i++) {
        if (!is_token_char(span.at[i]))
            return false;
    }
    return span.size > 0;
}

bool http_span_is(struct http_span span, const char *lower)
{
    return strlen(lower) == span.size && strncasecmp(span.at, lower, span.size) == 0;
}

static int refuse(const char **out_why, int status, const char *why)
{
    *out_why = why;
    return -status;
}

int http_head_scan(struct http_scan *scan, const char *buf, size_t size, const char **out_why)
{
    for (uint32_t i = scan->at; i < size; i++) {
        unsigned char c = (unsigned char)buf[i];
        bool after_cr = i > scan->line && buf[i - 1] == '\r';
        if (i >= HTTP_HEAD_MAX)
            return refuse(out_why, 431, "the request's head is larger than 32 KiB");
        if (c == '\n') {
            if (!after_cr)
                return refuse(out_why, 400, "a line ends in LF without CR");
            if (i == scan->line + 1)
                return (int)(i + 1);
            if (++scan->lines > HTTP_HEADERS_MAX + 1)
                return refuse(out_why, 431, "more than 128 header lines");
            scan->line = i + 1;
        } else if (after_cr) {
            return refuse(out_why, 400, "a CR without LF");
        } else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f) {
            return refuse(out_why, 400, "a control character in the request's head");
        } else if (scan->lines == 0 && i >= HTTP_TARGET_MAX + 64) {
            return refuse(out_why, 414, "the request line is longer than 8 KiB");
        } else if (scan->lines > 0 && i == scan->line && (c == ' ' || c == '\t')) {
            return refuse(out_why, 400, "a folded header line");
        }
        scan->at = i + 1;
    }
    return 0;
}

/* llhttp's callbacks: the head comes in one piece, so each span is called once, whole. */

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = parser->data;
    request->target = (struct http_span){at, size};
    return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = parser->data;
    if (request->header_count == HTTP_HEADERS_MAX)
        return -1;
    request->headers[request->header_count].name = (struct http_span){at, size};
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    struct http_request *request = parser->data;
    if (request->header_count == HTTP_HEADERS_MAX)
        return -1;
    request->headers[request->header_count].value = (struct http_span){at, size};
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;
    struct http_header *header = &request->headers[request->header_count++];
    struct http_span *value = &header->value;
    while (value->size > 0 &&
           (value->at[value->size - 1] == ' ' || value->at[value->size - 1] == '\t'))
        value->size--;
    return 0;
}

/* The body is not llhttp's: it stops at the end of the head, whatever would follow. */
static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static int refuse_head(struct http_request *request, int status, const char *why)
{
    request->why = why;
    return status;
}

/* "METHOD SP target SP HTTP/1.x CRLF", single spaces; called before llhttp, which is laxer. */
static int request_line_check(const char *head, size_t size, struct http_request *out)
{
    const char *end = memchr(head, '\r', size);
    const char *space = memchr(head, ' ', size);
    if (end == NULL || space == NULL || space > end)
        return refuse_head(out, 400, "the request line is not METHOD TARGET HTTP/1.1");
    out->method = (struct http_span){head, (size_t)(space - head)};
    if (!is_token(out->method))
        return refuse_head(out, 400, "the method is not a token");
    const char *target = space + 1;
    space = memchr(target, ' ', (size_t)(end - target));
    if (space == NULL || space == target)
        return refuse_head(out, 400, "the request line is not METHOD TARGET HTTP/1.1");
    out->target = (struct http_span){target, (size_t)(space - target)};
    if (out->target.size > HTTP_TARGET_MAX)
        return refuse_head(out, 414, "the request's target is longer than 8 KiB");
    for (size_t i = 0; i < out->target.size; i++) {
        if (target[i] <= 0x20 || target[i] == '#')
            return refuse_head(out, 400, "a character in the target must be percent-encoded");
    }
    struct http_span version = {space + 1, (size_t)(end - space - 1)};
    if (version.size != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.' ||
        version.at[5] < '0' || version.at[5] > '9' || version.at[7] < '0' || version.at[7] > '9')
        return refuse_head(out, 400, "the request line does not end in an HTTP version");
    if (version.at[5] != '1' || version.at[7] > '1')
        return refuse_head(out, 505, "HTTP/1.1 and HTTP/1.0 are spoken here");
    out->minor = (unsigned int)(version.at[7] - '0');
    return 0;
}

static int refuse_llhttp(struct http_request *out, const llhttp_t *parser)
{
    switch (parser->error) {
    case HPE_INVALID_METHOD:
        return refuse_head(out, 501, "the method is not known");
    case HPE_INVALID_TRANSFER_ENCODING:
        return refuse_head(out, 501, "only Transfer-Encoding: chunked is known");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse_head(out, 400, "more than one Content-Length or Transfer-Encoding");
    case HPE_USER:
        return refuse_head(out, 431, "more than 128 header lines");
    default:
        return refuse_head(out, 400, "the request's head is malformed");
    }
}

/* uri-host [":" port] of RFC 3986 without userinfo; empty is allowed in a Host header. */
static bool host_is_valid(struct http_span host)
{
    size_t i = 0;
    if (host.size > 0 && host.at[0] == '[') {
        for (i = 1; i < host.size && host.at[i] != ']'; i++) {
            if (strchr("0123456789abcdefABCDEF:.vV", host.at[i]) == NULL || host.at[i] == '\0')
                return false;
        }
        if (i == host.size || i < 3)
            return false;
        i++;
    } else {
        for (; i < host.size && host.at[i] != ':'; i++) {
            char c = host.at[i];
            bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            if (!alnum && (c == '\0' || strchr("-._~!$&'()*+,;=", c) == NULL))
                return false;
        }
    }
    if (i == host.size)
        return true;
    if (host.at[i++] != ':' || host.size - i > 5)
        return false;
    for (; i < host.size; i++) {
        if (host.at[i] < '0' || host.at[i] > '9')
            return false;
    }
    return true;
}

static int length_parse(struct http_span value, struct http_request *out)
{
    if (out->has_length)
        return refuse_head(out, 400, "more than one Content-Length");
    if (value.size == 0 || value.size > 18)
        return refuse_head(out, 400, "Content-Length is not a number of 1 to 18 digits");
    uint64_t length = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return refuse_head(out, 400, "Content-Length is not a number");
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    out->has_length = true;
    out->content_length = length;
    return 0;
}

/* True when the comma-separated list holds the lower-case element (parameters are cut off). */
static bool list_has(struct http_span list, const char *lower)
{
    const char *at = list.at, *end = list.at + list.size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;
        while (at < stop && (*at == ' ' || *at == '\t'))
            at++;
        const char *last = at;
        while (last < stop && *last != ';' && *last != ' ' && *last != '\t')
            last++;
        if (http_span_is((struct http_span){at, (size_t)(last - at)}, lower))
            return true;
        at = stop + 1;
    }
    return false;
}

static int header_take(const struct http_header *header, struct http_request *out)
{
    switch (header->name.size) {
    case 2:
        if (http_span_is(header->name, "te"))
            out->takes_trailers |= list_has(header->value, "trailers");
        return 0;
    case 4:
        if (!http_span_is(header->name, "host"))
            return 0;
        if (out->host.at != NULL)
            return refuse_head(out, 400, "more than one Host");
        if (!host_is_valid(header->value))
            return refuse_head(out, 400, "Host is not a host name with an optional port");
        out->host = header->value;
        return 0;
    case 6:
        if (!http_span_is(header->name, "expect"))
            return 0;
        if (!http_span_is(header->value, "100-continue"))
            return refuse_head(out, 417, "only Expect: 100-continue is known");
        out->expects_continue = out->minor == 1;
        return 0;
    case 12:
        if (!http_span_is(header->name, "content-type"))
            return 0;
        if (out->type.at != NULL)
            return refuse_head(out, 400, "more than one Content-Type");
        out->type = header->value;
        return 0;
    case 14:
        return http_span_is(header->name, "content-length") ? length_parse(header->value, out) : 0;
    case 17:
        if (!http_span_is(header->name, "transfer-encoding"))
            return 0;
        if (out->chunked)
            return refuse_head(out, 400, "more than one Transfer-Encoding");
        if (!http_span_is(header->value, "chunked"))
            return refuse_head(out, 501, "only Transfer-Encoding: chunked is known");
        out->chunked = true;
        return 0;
    default:
        return 0;
    }
}

/* Origin form, absolute form ("http://host/path", whose host wins, RFC 9112 3.2.2) or "*". */
static int target_split(struct http_request *out)
{
    struct http_span path = out->target;
    if (path.size >= 7 && strncasecmp(path.at, "http://", 7) == 0) {
        path.at += 7;
        path.size -= 7;
        size_t host = 0;
        while (host < path.size && path.at[host] != '/' && path.at[host] != '?')
            host++;
        out->host = (struct http_span){path.at, host};
        if (host == 0 || !host_is_valid(out->host))
            return refuse_head(out, 400, "the target's host is not valid");
        path.at += host;
        path.size -= host;
        if (path.size == 0 || path.at[0] == '?')
            return refuse_head(out, 400, "the target has no path");
    }
    bool asterisk = path.size == 1 && path.at[0] == '*' && http_span_is(out->method, "options");
    if (!asterisk && path.at[0] != '/')
        return refuse_head(out, 400, "the target does not begin with '/'");
    const char *mark = memchr(path.at, '?', path.size);
    if (mark != NULL) {
        out->query = (struct http_span){mark + 1, (size_t)(path.at + path.size - mark - 1)};
        path.size = (size_t)(mark - path.at);
    }
    out->path = path;
    return 0;
}

static int headers_check(struct http_request *out)
{
    for (unsigned int i = 0; i < out->header_count; i++) {
        if (!is_token(out->headers[i].name))
            return refuse_head(out, 400, "a header's name is not a token");
        int status = header_take(&out->headers[i], out);
        if (status != 0)
            return status;
    }
    if (out->chunked && out->has_length)
        return refuse_head(out, 400, "both Content-Length and Transfer-Encoding");
    if (out->chunked && out->minor == 0)
        return refuse_head(out, 400, "Transfer-Encoding in a request of HTTP/1.0");
    if (out->minor == 1 && out->host.at == NULL)
        return refuse_head(out, 400, "Host is missing");
    return 0;
}

static void request_reset(struct http_request *out)
{
    memset(out, 0, offsetof(struct http_request, headers)); /* the table is written before read */
}

int http_head_parse(const char *head, size_t size, struct http_request *out)
{
    static const llhttp_settings_t settings = {
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_header_value_complete = on_value_complete,
        .on_headers_complete = on_headers_complete,
    };
    request_reset(out);
    int status = request_line_check(head, size, out);
    if (status != 0)
        return status;
    struct http_span target = out->target;
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = out;
    llhttp_errno_t error = llhttp_execute(&parser, head, size);
    if (error != HPE_PAUSED)
        return refuse_llhttp(out, &parser);
    if (parser.http_major != 1 || parser.http_minor != out->minor || out->target.at != target.at ||
        out->target.size != target.size)
        return refuse_head(out, 400, "the request line is ambiguous");
    if (parser.method == HTTP_CONNECT || parser.method == HTTP_PRI)
        return refuse_head(out, 501, "the method is not offered");
    status = headers_check(out);
    if (status == 0)
        status = target_split(out);
    out->keep_alive = llhttp_should_keep_alive(&parser) != 0;
    out->is_head = parser.method == HTTP_HEAD;
    return status;
}

bool http_header_find(const struct http_request *request, const char *name, struct http_span *out)
{
    for (unsigned int i = 0; i < request->header_count; i++) {
        if (http_span_is(request->headers[i].name, name)) {
            *out = request->headers[i].value;
            return true;
        }
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

ssize_t http_percent_decode(struct http_span text, char *out, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (c == '%') {
            if (text.size - i < 3)
                return -400;
            int high = hex_digit(text.at[i + 1]), low = hex_digit(text.at[i + 2]);
            if (high < 0 || low < 0 || high + low == 0)
                return -400;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (used == room)
            return -414;
        out[used++] = c;
    }
    return (ssize_t)used;
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {404, "Not Found"},
        {400, "Bad Request"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {410, "Gone"},
        {422, "Unprocessable Content"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return "Status";
}
