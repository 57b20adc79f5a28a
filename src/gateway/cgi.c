/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cgi.h"

#include <string.h>

static bool is_name_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static enum cgi_result bad(const char **out_why, const char *why)
{
    *out_why = why;
    return CGI_BAD;
}

/* Whether the output begins like a header: a token, then ':'. */
static enum cgi_result first_line(const char *data, size_t size, bool ended)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == ':')
            return i > 0 ? CGI_HEAD : CGI_PLAIN;
        if (!is_name_char(data[i]) || i >= 256)
            return CGI_PLAIN;
    }
    return ended ? CGI_PLAIN : CGI_MORE;
}

/* "404 Not Found": three digits from 200 to 599, then nothing or a space and a reason. */
static bool status_take(struct http_span value, struct cgi_head *out)
{
    if (value.size < 3 || value.at[0] < '2' || value.at[0] > '5')
        return false;
    int status = 0;
    for (size_t i = 0; i < 3; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        status = status * 10 + value.at[i] - '0';
    }
    if (value.size > 3 && value.at[3] != ' ')
        return false;
    out->status = status;
    out->reason = (struct http_span){value.at + 3, value.size - 3};
    if (out->reason.size > 0) {
        out->reason.at++;
        out->reason.size--;
    }
    return out->reason.size <= 128;
}

static bool length_take(struct http_span value, struct cgi_head *out)
{
    out->length = 0;
    if (value.size == 0 || value.size > 18)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        out->length = out->length * 10 + (uint64_t)(value.at[i] - '0');
    }
    out->has_length = true;
    return true;
}

/* Headers that say how the message travels: they are the gateway's. */
static bool is_of_the_connection(struct http_span name)
{
    static const char *const names[] = {
        "connection",       "keep-alive",         "transfer-encoding",   "te", "trailer", "upgrade",
        "proxy-connection", "proxy-authenticate", "proxy-authorization",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (http_span_is(name, names[i]))
            return true;
    }
    return false;
}

/* Headers that we write ourselves: the program's are left out. */
static bool is_ours(struct http_span name)
{
    return http_span_is(name, "date") || http_span_is(name, "server") ||
           http_span_is(name, "x-call-id") || http_span_is(name, "x-duration-seconds");
}

static const char *header_take(struct http_header header, bool seen[2], struct cgi_head *out)
{
    if (is_of_the_connection(header.name))
        return "the program's header block has a header that belongs to the connection";
    if (is_ours(header.name))
        return NULL;
    if (http_span_is(header.name, "status")) {
        if (seen[0] || !status_take(header.value, out))
            return "the program's Status is not one number from 200 to 599 with a reason";
        seen[0] = true;
        return NULL;
    }
    if (http_span_is(header.name, "content-length")) {
        if (out->has_length || !length_take(header.value, out))
            return "the program's Content-Length is not one number";
        return NULL;
    }
    if (http_span_is(header.name, "content-type")) {
        if (out->has_type)
            return "the program's header block has two Content-Type";
        out->has_type = true;
    }
    seen[1] |= http_span_is(header.name, "location");
    if (out->header_count == CGI_HEADERS_MAX)
        return "the program's header block has more than 64 headers";
    out->headers[out->header_count++] = header;
    return NULL;
}

/* "Name: value" without its line end. */
static const char *line_parse(struct http_span line, struct http_header *out)
{
    const char *end = line.at + line.size, *at = line.at;
    while (at < end && is_name_char(*at))
        at++;
    if (at == line.at || at == end || *at != ':')
        return "a line of the program's header block is not `Name: value`";
    out->name = (struct http_span){line.at, (size_t)(at - line.at)};
    for (at++; at < end && (*at == ' ' || *at == '\t');)
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    out->value = (struct http_span){at, (size_t)(end - at)};
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return "a control character in the program's header block";
    }
    return NULL;
}

static enum cgi_result block_end(const bool seen[2], struct cgi_head *out, const char **out_why)
{
    if (!out->has_type && !seen[0] && !seen[1])
        return bad(out_why, "the program's header block has no Content-Type, Location or Status");
    if (!seen[0])
        out->status = seen[1] ? 302 : 200;
    return CGI_HEAD;
}

enum cgi_result cgi_parse(const char *data, size_t size, bool ended, struct cgi_head *out,
                          const char **out_why)
{
    enum cgi_result first = first_line(data, size, ended);
    if (first != CGI_HEAD)
        return first;
    bool seen[2] = {false, false}; /* Status, Location */
    memset(out, 0, offsetof(struct cgi_head, headers));
    const char *at = data, *end = data + (size < CGI_HEAD_MAX ? size : CGI_HEAD_MAX);
    for (;;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL)
            break;
        struct http_span line = {at, (size_t)(newline - at)};
        if (line.size > 0 && line.at[line.size - 1] == '\r')
            line.size--;
        at = newline + 1;
        out->size = (size_t)(at - data);
        if (line.size == 0)
            return block_end(seen, out, out_why);
        struct http_header header;
        const char *why = line_parse(line, &header);
        if (why == NULL)
            why = header_take(header, seen, out);
        if (why != NULL)
            return bad(out_why, why);
    }
    if (size >= CGI_HEAD_MAX)
        return bad(out_why, "the program's header block is larger than 16 KiB");
    return ended ? bad(out_why, "the program's header block has no empty line at its end")
                 : CGI_MORE;
}
