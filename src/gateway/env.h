/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment of a call: the request as CGI meta-variables (RFC 3875) and as OpenFaaS's Http_*.
 *
 * Decisions where the specifications leave room:
 * - HTTP_PROXY is never set (httpoxy), nor anything for hop-by-hop headers, Expect and
 * Content-Length.
 * - Authorization is given as OpenFaaS's Http_Authorization only: the gateway itself does not use
 * it, so it is the function's, but RFC 3875 4.1.18 keeps it out of the HTTP_* that programs like to
 * dump.
 * - A header whose name has other characters than letters, digits and '-' gives no variable: X_A
 * and X-A would be the same variable, and the one could be used to forge the other.
 * - Repeated headers become one HTTP_* value joined by ", " ("; " for Cookie).
 * - Http_Method, Http_Path, Http_Query, Http_Host, Http_ContentLength and the X-Call-Id variables
 *   are ours; a client's header of such a name is dropped.
 */
#ifndef SKERRY_GATEWAY_ENV_H
#define SKERRY_GATEWAY_ENV_H

#include "gateway/http.h"
#include "gateway/route.h"

struct env_input {
    const struct http_request *request;
    const struct route *route;
    const char *call_id;
    const char *remote_addr;  /* "192.0.2.1", "2001:db8::1" or "unix:" */
    unsigned int remote_port; /* 0: none (Unix socket) */
    unsigned int server_port; /* 0: none (Unix socket), then the Host's or 80 */
    bool length_known;        /* the body's length is known */
    uint64_t length;
};

/*
 * Writes NUL-terminated "K=V" strings into out (room bytes; START_ENV_MAX always suffices for what
 * http_head_parse lets pass). Returns 0 with the counts, 431 when they do not fit, 400 when the
 * path after the function's name has a bad percent-encoding. Pure.
 */
int env_build(const struct env_input *input, char *out, size_t room, uint32_t *out_count,
              uint32_t *out_bytes);

#endif
