/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header block of a CGI program. Nothing that could end our answer's head or change the
 * connection may pass, and a decision, once made, must not change with more output.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cgi.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plain(struct http_span span)
{
    for (size_t i = 0; i < span.size; i++) {
        unsigned char c = (unsigned char)span.at[i];
        REQUIRE(c == '\t' || (c >= 0x20 && c != 0x7f));
    }
}

static enum cgi_result parse(const uint8_t *data, size_t size, bool ended, struct cgi_head *out)
{
    const char *why = NULL;
    char *exact = malloc(size > 0 ? size : 1);
    memcpy(exact, data, size);
    enum cgi_result result = cgi_parse(exact, size, ended, out, &why);
    REQUIRE(result != CGI_BAD || why != NULL);
    if (result == CGI_HEAD) {
        REQUIRE(out->size <= size && out->size <= CGI_HEAD_MAX);
        REQUIRE(out->status >= 200 && out->status <= 599);
        REQUIRE(out->header_count <= CGI_HEADERS_MAX);
        plain(out->reason);
        for (unsigned int i = 0; i < out->header_count; i++) {
            plain(out->headers[i].name);
            plain(out->headers[i].value);
            REQUIRE(out->headers[i].name.size > 0);
            REQUIRE(!http_span_is(out->headers[i].name, "transfer-encoding"));
            REQUIRE(!http_span_is(out->headers[i].name, "content-length"));
            REQUIRE(!http_span_is(out->headers[i].name, "connection"));
        }
    }
    free(exact);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cgi_head whole, part;
    if (size < 1)
        return 0;
    size_t cut = (size_t)data[0] * size / 256;
    data++;
    size--;
    if (cut > size)
        cut = size;
    enum cgi_result early = parse(data, cut, false, &part);
    enum cgi_result late = parse(data, size, true, &whole);
    REQUIRE(late != CGI_MORE);
    if (early != CGI_MORE)
        REQUIRE(early == late);
    if (early == CGI_HEAD)
        REQUIRE(part.size == whole.size && part.status == whole.status &&
                part.header_count == whole.header_count);
    return 0;
}
