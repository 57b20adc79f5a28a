/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 over the daemon's Unix sockets: one request a connection, bodies streamed both ways. The
 * parser is llhttp; JSON is jansson's.
 */
#ifndef SKERRY_CLI_CLIENT_H
#define SKERRY_CLI_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/state.h"
#include "cli/verb.h"

struct client_request {
    const char *state;               /* state directory */
    const char *socket;              /* name of the socket in it: CLIENT_ADMIN or CLIENT_HTTP */
    const char *method;              /* a token */
    const char *target;              /* path and query, escaped */
    const struct text_list *headers; /* "K:V", checked; may be NULL */
    const char *content_type;        /* may be NULL */
    const void *body;                /* or NULL */
    size_t body_size;
    int body_fd; /* read to its end instead of body when >= 0 */
};
#define CLIENT_ADMIN "skerry.sock"
#define CLIENT_HTTP  "http.sock"

struct client_response {
    int status;
    char content_type[128];
    char retry_after[32];
    char call_id[64];
};

/* Takes a piece of the response's body; the head is complete. 0, or -errno to stop with err filled.
 */
typedef int (*client_sink_fn)(void *arg, const struct client_response *head, const void *data,
                              size_t size, struct err *err);

/*
 * Makes one request and feeds the body of its answer to sink. 0 when an answer came whole, whatever
 * its status; -errno with a sentence that says what to do when the daemon cannot be reached.
 */
int client_call(const struct client_request *request, struct client_response *out,
                client_sink_fn sink, void *sink_arg, struct err *err);

/*
 * An admin request with a JSON body (may be NULL; stays the caller's). A 2xx answer: 0, and
 * *out_json (may be NULL to ignore it) is the caller's, NULL when the answer had no body. Any
 * other: -errno with the daemon's sentence, and the status in *out_status (may be NULL).
 */
int client_json(const char *state, const char *method, const char *target, const json_t *body,
                json_t **out_json, int *out_status, struct err *err);

/*
 * The daemon's reason for an answer that is no success: the "error" of a JSON object or the text
 * itself, without control characters. Returns -errno.
 */
int client_refused(int status, const char *body, size_t size, struct err *err);

/* 0 when the daemon answers a connection on its admin socket. */
int client_probe(const char *state, struct err *err);

/*
 * Appends text to buf (room bytes, NUL-terminated), each byte outside of the unreserved characters
 * and `keep` percent-escaped. False when it does not fit.
 */
bool client_escape(char *buf, size_t room, const char *text, const char *keep);

/* True when "K:V" is a header that may be sent: a token, a colon, no control characters. */
bool client_header_valid(const char *header);

#endif
