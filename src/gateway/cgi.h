/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header block that a CGI program writes before its body (RFC 3875, 6). The program is not
 * trusted: what it writes becomes part of our answer's head, so each line is checked and none is
 * copied that could end the head, begin another answer or change the connection.
 */
#ifndef SKERRY_GATEWAY_CGI_H
#define SKERRY_GATEWAY_CGI_H

#include "gateway/http.h"

#define CGI_HEAD_MAX    (16u * 1024u)
#define CGI_HEADERS_MAX 64u

enum cgi_result {
    CGI_PLAIN = 0, /* the output does not begin with a header: all of it is the body */
    CGI_MORE,      /* it may: read on */
    CGI_HEAD,      /* *out holds */
    CGI_BAD,       /* it begins with a header block that is not one: *out_why says why */
};

struct cgi_head {
    int status;              /* 200-599 */
    struct http_span reason; /* of a Status header; may be empty */
    bool has_type;           /* Content-Type is among the headers */
    bool has_length;         /* Content-Length, which is only used to answer HEAD */
    uint64_t length;
    size_t size;               /* bytes of the block with its empty line */
    unsigned int header_count; /* to be sent on as they are */
    struct http_header headers[CGI_HEADERS_MAX];
};

/*
 * Looks at the first bytes of a program's output; ended: nothing will follow. Lines end in LF or
 * CRLF. A block is recognised by a first line of the form `Name: value`; it must then be complete,
 * bounded, hold Content-Type, Location or Status, and no header that belongs to the connection
 * (Connection, Transfer-Encoding, Upgrade, ...). Pure; the spans of *out point into data.
 */
enum cgi_result cgi_parse(const char *data, size_t size, bool ended, struct cgi_head *out,
                          const char **out_why);

#endif
