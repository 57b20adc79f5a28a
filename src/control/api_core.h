/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the API process share; private to api*.c. */
#ifndef SKERRY_CONTROL_API_CORE_H
#define SKERRY_CONTROL_API_CORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "control/api.h"
#include "control/api_table.h"
#include "control/spec_json.h"
#include "gateway/http.h"

#define API_CONNS_MAX       128u
#define API_BODY_MAX        SPEC_JSON_MAX
#define API_READ_TIMEOUT_NS (15 * NS_PER_SEC) /* for a whole request */
#define API_TIMEOUT_NS                                                                             \
    (120 * NS_PER_SEC) /* for the supervisor's reply, for a client that does not read */
#define API_LINGER_NS   (1 * NS_PER_SEC)
#define API_LOG_POLL_MS 200
#define API_QUERY_MAX   256u

enum api_state {
    API_READ,   /* the request comes in */
    API_WAIT,   /* the supervisor was asked */
    API_WRITE,  /* the answer goes out; then it is closed */
    API_FOLLOW, /* all of a log was sent; more may come */
    API_LINGER, /* our side is shut; what still comes is dropped so that the answer arrives */
    API_CLOSED, /* freed at the end of the round */
};

struct api_log { /* a log that is being sent */
    uint32_t index;
    uint64_t generation;
    uint64_t at;       /* offset in the file */
    uint64_t since_us; /* lines of before that are left out; 0: none */
    bool follow;
};

struct api_conn {
    int fd;
    enum api_state state;
    bool trusted; /* a peer whose uid may do everything */
    bool head_done;
    bool is_head;
    uint32_t events; /* asked for in the epoll set */
    uint64_t deadline_ns;
    char *in; /* the head, then what came after it and is not decoded yet */
    size_t in_size, in_room;
    struct http_scan scan;
    struct http_request request; /* its spans point into in[0, head_size) */
    size_t head_size;
    struct http_body body;
    char *body_text; /* decoded */
    size_t body_size, body_room;
    char *out;
    size_t out_size, out_room, out_sent;
    uint64_t request_id; /* of the question that it waits for */
    int success;         /* status when the supervisor says yes */
    struct api_log *log; /* NULL: no log is being sent */
};

struct api {
    struct api_options options;
    int epoll;
    uint64_t now_ns;
    uint64_t last_request;
    struct api_table table;
    bool ended; /* the link is: there is nothing left to serve for */
    unsigned int conn_count;
    struct api_conn *conns[API_CONNS_MAX];
};

/* api.c */

/* Takes what the supervisor sent. */
void api_take_link(struct api *api);

/* api_conn.c */

/* Takes a connection (its descriptor becomes the API's) with what was read from it already. */
void api_conn_open(struct api *api, int fd, bool trusted, const char *bytes, size_t size);
void api_conn_event(struct api *api, struct api_conn *conn, uint32_t events);
void api_conn_timeout(struct api *api, struct api_conn *conn);
/* Frees what was closed in this round. */
void api_conns_reap(struct api *api);
/* Closes and frees all. */
void api_conns_end(struct api *api);
/* Appends to what is to be sent; false without memory (the connection is closed then). */
bool api_conn_append(struct api *api, struct api_conn *conn, const char *data, size_t size);
/* Begins an answer without a length: what follows is appended, then api_conn_write. */
void api_conn_begin_stream(struct api *api, struct api_conn *conn, const char *type);
void api_conn_write(struct api *api, struct api_conn *conn);
/* Waits for the supervisor's reply to a question; success: the status of the answer if it is yes.
 */
void api_conn_wait(struct api *api, struct api_conn *conn, uint64_t request_id, int success);
/* Waits until again_ns, then api_conn_write is called. */
void api_conn_follow(struct api *api, struct api_conn *conn, uint64_t again_ns);

/* Answers with JSON (becomes the callee's; NULL: no memory, 500). */
void api_answer_json(struct api *api, struct api_conn *conn, int status, json_t *json);
void api_answer_text(struct api *api, struct api_conn *conn, int status, const char *text);
void api_answer_error(struct api *api, struct api_conn *conn, int status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* As an error; allow: the methods for a 405, else NULL. */
void api_answer_refusal(struct api *api, struct api_conn *conn, int status, const char *allow,
                        const char *text);

/* api_routes.c */

/* False when the request may not be made; it is answered then. Called before the body is read. */
bool api_request_allowed(struct api *api, struct api_conn *conn);
/* The request is complete. */
void api_request(struct api *api, struct api_conn *conn);
/* A reply of the supervisor for the connection that waits for it. */
void api_reply(struct api *api, struct api_conn *conn, const struct ctl_message *message);
/* The value of a parameter of the query, decoded: 1, 0: not there, -1: answered with 400. */
int api_query(struct api *api, struct api_conn *conn, const char *name, char *out, size_t room);

/* api_logs.c */
void api_logs_begin(struct api *api, struct api_conn *conn);
/*
 * All that was appended is sent: appends the next part, or ends the log (conn->log becomes NULL).
 * False when there is nothing to send now: it follows, or the connection is closed.
 */
bool api_logs_next(struct api *api, struct api_conn *conn);

#endif
