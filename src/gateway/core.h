/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the gateway share: the gateway itself, connections, calls, functions, channels.
 *
 *   listener -> conn -> call -> channel -> sandbox
 *                        |         one per zygote: a start socket and a report socket
 *                     function: name, limits, queue; has at most one channel to start on
 *
 * One thread, one epoll loop, no allocation after start: connections, calls and channels come from
 * pools made at start, their buffers are lazily touched mappings. Nothing recurses: a handler that
 * changes a connection or frees a slot marks it (conn_mark, function_mark) and the loop goes on
 * with it afterwards, tenant by tenant (lane.h). An object that is given back becomes free at the
 * end of the round, so that an event of the same round that still points at it finds it closed, not
 * reused.
 */
#ifndef SKERRY_GATEWAY_CORE_H
#define SKERRY_GATEWAY_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gateway/http.h"
#include "gateway/lane.h"
#include "gateway/link.h"
#include "gateway/list.h"
#include "gateway/metrics.h"
#include "gateway/route.h"
#include "gateway/wheel.h"
#include "gateway/width.h"
#include "jail/start.h"
#include "sandbox/life.h"
#include "sandbox/stage.h"
#include "sandbox/stats.h"

#define BODY_STAGE_MAX   (64u * 1024u) /* of a request's body that waits for its program */
#define CONN_IN_ROOM     (HTTP_HEAD_MAX + BODY_STAGE_MAX + 4096u)
#define CONN_REPLY_ROOM  1536u         /* an answer that needs no call */
#define OUTPUT_MAX       (64u * 1024u) /* output that is held until the exit is known */
#define OUTPUT_LEAD      16u           /* room before the output for a chunk's size */
#define OUTPUT_TAIL      128u          /* room after it for the last chunk and a trailer */
#define OUTPUT_SLACK     4096u         /* read beyond OUTPUT_MAX shows that there is more */
#define CALL_HEAD_ROOM   (24u * 1024u) /* an answer's head, a CGI block of 16 KiB included */
#define CALL_BODY_ROOM   (OUTPUT_LEAD + OUTPUT_MAX + OUTPUT_SLACK + OUTPUT_TAIL)
#define STDERR_ROOM      8192u
#define CALL_ROOM        ((CALL_HEAD_ROOM + STDERR_ROOM + CALL_BODY_ROOM + 4095ul) & ~4095ul)
#define STDERR_TAIL      4096u         /* of stderr in a 500 */
#define STDERR_LOG_MAX   (64u * 1024u) /* of a call's stderr in the function's log */
#define CALL_ID_TEXT     26u           /* "EEEEEEEE-CCCCCCCCCCCCCCCC" */
#define CHANNELS_MAX     (FUNCTIONS_MAX + 1024u)
#define FUNCTION_BUCKETS 4096u
#define LISTENERS_MAX    16u
#define POOL_HOT         256u /* so many of a pool keep the pages that they have touched */
#define CONNS_MAX        32768u

#define HEAD_TIMEOUT_NS   (10 * NS_PER_SEC) /* from a head's first byte to its last: 408 */
#define IDLE_TIMEOUT_NS   (60 * NS_PER_SEC) /* between two requests of a connection */
#define GATHER_TIMEOUT_NS (30 * NS_PER_SEC) /* for a body before its program is started: 408 */
#define WRITE_TIMEOUT_NS  (30 * NS_PER_SEC) /* without WRITE_PROGRESS bytes taken by the client */
#define WRITE_PROGRESS    4096u
#define LINGER_NS         (2 * NS_PER_SEC)
#define WATCH_DELAY_NS    NS_PER_MS        /* see call_watch */
#define EXPIRE_GRACE_NS   (2 * NS_PER_SEC) /* for the exit report after a kill, then 504 anyway */
#define KILL_AGAIN_NS     (1 * NS_PER_SEC)
#define KILLS_MAX         30u               /* without a report: it will not come any more */
#define KILL_RETRY_NS     (10 * NS_PER_MS)  /* the report socket was full */
#define WANT_WINDOW_NS    (500 * NS_PER_MS) /* demand must stay low that long before we want less */
#define LOG_DELAY_NS      (20 * NS_PER_MS)  /* access log lines may wait to be written together */
#define ACCEPT_PAUSE_NS   (100 * NS_PER_MS)

enum watch_kind {
    WATCH_LISTENER,
    WATCH_LINK,
    WATCH_CONN,
    WATCH_CALL_IN,
    WATCH_CALL_OUT,
    WATCH_CALL_ERR,
    WATCH_REPORT,
    WATCH_START,
};

struct watch { /* a descriptor in the epoll set */
    int fd;    /* -1: closed */
    uint32_t kind;
    uint32_t events; /* asked for; 0: not in the set */
    void *owner;
};

enum timer_kind {
    TIMER_CONN,
    TIMER_CALL,
    TIMER_WANT,
    TIMER_LOG,
    TIMER_ACCEPT,
    TIMER_LANE,
    TIMER_WIDTH,
};

enum conn_state {
    CONN_FREE = 0,
    CONN_HEAD,    /* between requests, or a head is coming in */
    CONN_CALL,    /* a call is gathering, waiting, running or streaming */
    CONN_WRITE,   /* a whole answer is being sent */
    CONN_METRICS, /* /metrics is being written piece by piece */
    CONN_LINGER,  /* our side is shut; what still comes is dropped so that the answer arrives */
};

struct conn {
    struct watch watch;
    struct list node;  /* free, or marked in its lane */
    struct lane *lane; /* of the tenant whose function it asked for last */
    struct list idle;  /* while nothing of a request is here */
    struct timer timer;
    struct call *call;
    uint8_t state;
    bool marked;
    bool parsed;   /* a head is complete; its request begins when it is its tenant's turn */
    bool readable; /* edge-triggered: there may be bytes to read */
    bool hung;     /* the peer closed its side, or all of it */
    bool blocked;  /* the socket took less than we had: EPOLLOUT is awaited */
    bool keep_alive;
    bool is_head;
    bool http10;
    bool takes_trailers;
    bool is_unix;
    bool blank_line; /* the one empty line before a request was seen */
    bool touched;    /* the buffer was used beyond its first page */
    uint32_t index;  /* in the pool */
    uint16_t server_port;
    uint16_t remote_port;
    char remote_addr[48];

    char *in;           /* CONN_IN_ROOM bytes: head | staged body | raw */
    uint32_t head_size; /* 0: no complete head */
    uint32_t stage_from, stage_to;
    uint32_t raw_from, raw_to;
    struct http_scan scan;
    struct http_body body;
    uint64_t accepted_ns;
    uint64_t bytes_in;  /* decoded body of the current request */
    uint64_t bytes_out; /* of the current answer, head included */
    uint64_t id;        /* X-Call-Id of an answer without a call */

    struct iovec out[2]; /* what is being sent */
    uint32_t stalled;    /* bytes taken since the write timer was set */
    struct metrics_cursor metrics;
    char reply[CONN_REPLY_ROOM];
};

struct channel {
    struct watch report;
    struct watch start;
    struct list node;          /* free list */
    struct list running;       /* calls */
    struct function *function; /* NULL: retired, it only finishes what runs */
    uint32_t index;
    uint64_t generation;
    uint64_t serial; /* of its zygote */
    uint32_t slots;
    uint32_t in_flight;
    bool start_blocked; /* the start socket is full: EPOLLOUT is awaited */
    int log;
    uint64_t log_size;
};

struct function {
    bool present;
    bool marked;
    uint32_t index;
    uint32_t incarnation; /* grows when another function gets the slot */
    uint64_t generation;
    struct link_function spec;
    struct channel *channel; /* NULL while its zygote is down */
    struct list queue;
    uint32_t queued;
    uint32_t want;           /* last told to the supervisor */
    uint32_t peak;           /* highest demand in this window */
    struct list node;        /* marked */
    struct lane *lane;       /* of its tenant */
    struct list wanted;      /* functions with want > 0 */
    struct function *bucket; /* next of the same hash */
    struct width width;
    struct list watched; /* functions whose width is looked at */
    bool failed;         /* it cannot be served now; else it can, or will soon */
};

struct call {
    uint8_t state; /* enum life_state */
    bool watched;  /* its pipes are in the epoll set */
    bool retry_kill;
    bool in_blocked; /* stdin's pipe is full */
    bool in_gone;    /* the program closed its stdin: the rest of the body is dropped */
    bool err_ready;  /* there is stderr to read */
    bool out_ready;  /* there may be output to read before anything is sent */
    bool out_ended;  /* end of file on stdout */
    bool started;
    bool finishing;  /* the exit is known and fine, output is still being passed on */
    bool committed;  /* the head is sent */
    bool drop_body;  /* of a HEAD request, or a status without one */
    bool failed;     /* the committed answer must be broken off */
    uint16_t status; /* answered or noted for an answer */
    uint16_t result; /* enum stats_result */
    uint32_t index;  /* in the pool */
    uint32_t incarnation;
    uint64_t id;
    struct conn *conn;
    struct function *function;
    struct channel *channel;
    struct list node;      /* free, function's queue, channel's running */
    struct lane_work work; /* while it runs */
    struct timer timer;
    struct watch in, out, err;
    struct function_limits limits;
    uint32_t flags;
    uint64_t deadline_ns;
    struct stage_clock clock;
    struct exit_report report;
    const char *why; /* sentence for the log and the answer; static text */
    char why_room[128];

    char *head;         /* CALL_HEAD_ROOM */
    char *body;         /* CALL_BODY_ROOM */
    uint32_t body_from; /* what is held of the output: body[from, to) */
    uint32_t body_to;
    char *err_text; /* STDERR_ROOM: the last of stderr */
    uint32_t err_size;
    uint32_t err_logged; /* up to here it is in the function's log */
    uint32_t kills;      /* sent */
    uint32_t log_bytes;  /* written to the log for this call */
    uint64_t bytes_in, bytes_out;
    char method[24];
    char path[256];
};

struct gateway {
    int epoll;
    int api;
    int access_log;
    int dev_null;
    uint32_t epoch;
    uint64_t now_ns;
    bool serving;
    bool draining;
    bool drained;
    bool ended;
    bool accept_paused;
    uint64_t full_told_ns; /* when the log was last told that no more can be accepted */
    struct stats_page *stats;
    struct wheel wheel;
    struct watch link;
    struct watch listeners[LISTENERS_MAX];
    uint16_t listener_ports[LISTENERS_MAX];
    unsigned int listener_count;

    struct conn *conns;
    unsigned int conns_max;
    unsigned int conns_made; /* of conns, those that were ever used */
    unsigned int conns_used;
    char *conn_rooms;
    struct list conns_free, conns_given_back;
    struct list conns_idle; /* the longest idle first */
    struct call *calls;
    unsigned int calls_max;
    unsigned int calls_made;
    unsigned int calls_used;
    char *call_rooms;
    struct list calls_free, calls_given_back;
    uint64_t last_call;

    struct function *functions;
    struct function *buckets[FUNCTION_BUCKETS];
    struct list functions_wanted;
    struct list functions_watched;
    struct widths widths;
    struct lanes lanes;
    struct channel *channels;
    unsigned int channels_made;
    struct list channels_free, channels_given_back;
    struct timer want_timer;

    /* The last parsed head; parsed_for is whose it is (its buffer still holds the bytes). */
    struct conn *parsed_for;
    struct http_request request;
    struct route route;

    struct timer log_timer;
    struct timer accept_timer;
    struct timer lane_timer;
    struct timer width_timer;
    uint32_t log_used;
    char log_text[64 * 1024];
    char date[32]; /* "Sun, 06 Nov 1994 08:49:37 GMT" of date_s */
    uint64_t date_s;
    char env[START_ENV_MAX];
    char scratch[64 * 1024];
};

/* gateway.c */
/* Accepts connections from now on and says so. */
void gateway_serve(struct gateway *gw);
/* A free object of a pool, or NULL. */
struct conn *conn_take(struct gateway *gw);
struct call *call_take(struct gateway *gw);
struct channel *channel_take(struct gateway *gw);
void watch_set(struct gateway *gw, struct watch *watch, uint32_t events);
/* Closes the descriptor, which also takes it out of the set (we hold the only reference). */
void watch_close(struct watch *watch);
/* No connection is accepted for so long; 0: until one is given back. */
void accept_pause(struct gateway *gw, uint64_t ns);

/* conn.c */
void conn_accept(struct gateway *gw, unsigned int listener);
void conn_event(struct gateway *gw, struct conn *conn, uint32_t events);
void conn_progress(struct gateway *gw, struct conn *conn);
void conn_timeout(struct gateway *gw, struct conn *conn);
void conn_mark(struct gateway *gw, struct conn *conn);
/* Closes at once; a call that hangs on it gets LIFE_EV_GONE. */
void conn_close(struct gateway *gw, struct conn *conn);
/* Breaks off so that the client notices: no final chunk, or a reset where there are no chunks. */
void conn_abort(struct gateway *gw, struct conn *conn);
/* Queues bytes for sending and marks the connection; they must stay until sent. */
void conn_send(struct gateway *gw, struct conn *conn, const char *head, size_t head_size,
               const char *body, size_t body_size);
bool conn_is_sending(const struct conn *conn);
/* Reads behind the raw bytes up to limit. > 0: the count; 0: nothing now; -1: closed. */
ssize_t conn_read(struct gateway *gw, struct conn *conn, uint32_t limit);
/* Parses the connection's head into gw->request and gw->route unless they hold it already. */
void conn_request(struct gateway *gw, struct conn *conn);
/* An X-Call-Id for an answer that has no call. */
void conn_name(struct gateway *gw, struct conn *conn);
/* A short text as the whole answer. close: the connection ends after it. */
void conn_reply(struct gateway *gw, struct conn *conn, int status, const char *text, bool close);

/* request.c: from a complete head to a call or an answer */
void request_begin(struct gateway *gw, struct conn *conn);
/* Moves a call's body on; true: something moved, or the connection's state changed. */
bool body_progress(struct gateway *gw, struct conn *conn);
/* Queues the next piece of /metrics. */
bool request_metrics(struct gateway *gw, struct conn *conn);

/* call.c */
struct call *call_open(struct gateway *gw, struct conn *conn, struct function *function);
void call_event(struct gateway *gw, struct call *call, enum life_event event);
void call_timeout(struct gateway *gw, struct call *call);
/* Notes what the answer to a refused request is; the event follows. */
/* What the call found: by its report. */
enum stats_start call_start_kind(const struct call *call);

void call_note(struct call *call, int status, const char *why);

/* launch.c: pipes, environment, start message. 0; -EAGAIN: try later; -1: cannot be, noted. */
int call_start(struct gateway *gw, struct call *call);

/* output.c: what comes out of a program */
void call_watch(struct gateway *gw, struct call *call);
void call_out_event(struct gateway *gw, struct call *call);
/* Reads what is there while nothing is sent; commits the answer when it is time to. */
void call_out_progress(struct gateway *gw, struct call *call);
/* One read of stderr and its lines in the log. */
void call_err_progress(struct gateway *gw, struct call *call);
void call_err_event(struct gateway *gw, struct call *call);
void call_drain(struct gateway *gw, struct call *call);
/* Reads stdout into the buffer. 1: something came, 0: nothing now, -1: the end. */
int call_read_output(struct call *call);
/* Passes on more of a committed answer; true when something was queued for sending. */
bool call_stream(struct gateway *gw, struct call *call);
void call_close_pipes(struct call *call);

/* reply.c: the answers of a call */
/* How its program ended, as a sentence in call->why. 0: well; else the status to answer. */
int call_exit_judge(struct call *call);
void call_answer_exit(struct gateway *gw, struct call *call);
void call_answer_text(struct gateway *gw, struct call *call, int status, const char *text);
void call_commit(struct gateway *gw, struct call *call);

/* table.c: the functions and who waits for them */
struct function *function_find(struct gateway *gw, const char *name, const char *tenant);
/* Three descriptors: start socket, report socket, log. One: its zygote is not up yet, requests
 * wait. */
void function_put(struct gateway *gw, const struct link_message *message, const int *fds,
                  size_t fd_count);
void function_del(struct gateway *gw, const struct link_message *message);
void function_slots(struct gateway *gw, const struct link_message *message);
void function_down(struct gateway *gw, const struct link_message *message);
/* What clients of a function are told that cannot be served. */
extern const char function_failed_text[];

/* It cannot be served now: who waits is told why. */
void function_failed(struct gateway *gw, const struct link_message *message);
/* A call that is ready: starts it, queues it, or LIFE_EV_NO_ROOM. */
void function_enqueue(struct gateway *gw, struct function *function, struct call *call);
void function_dequeue(struct gateway *gw, struct call *call);
bool function_has_room(const struct function *function);
/* Starts the first of what waits if there is a slot, and marks the function if more wait. */
void function_progress(struct gateway *gw, struct function *function);
void function_mark(struct gateway *gw, struct function *function);
/* So many bytes of body or output of a call that runs went through. */
void function_worked(struct gateway *gw, struct call *call, size_t bytes);
struct function_stats *function_stats(struct gateway *gw, const struct call *call);
void want_tick(struct gateway *gw);
void width_tick(struct gateway *gw);

/* channel.c */
struct channel *channel_open(struct gateway *gw, struct function *function, const int fds[3]);
void channel_report(struct gateway *gw, struct channel *channel);
void channel_writable(struct gateway *gw, struct channel *channel);
void channel_enter(struct channel *channel, struct call *call);
void channel_leave(struct gateway *gw, struct call *call);
/* Closes a retired channel that nothing runs on any more. */
void channel_settle(struct gateway *gw, struct channel *channel);
/* No more starts; it goes when nothing runs on it. */
void channel_retire(struct gateway *gw, struct channel *channel);
/* Its zygote is dead: what runs is lost. */
void channel_lost(struct gateway *gw, struct channel *channel);

/* link.c */
void link_event(struct gateway *gw);
/* False: the supervisor has not read what was sent before; nothing is queued. */
bool link_send(struct gateway *gw, enum link_kind kind, uint32_t index, uint64_t generation,
               uint64_t value);

/* record.c: the access log and the functions' logs */
void record_call(struct gateway *gw, const struct call *call);
void record_reply(struct gateway *gw, const struct conn *conn, int status, const char *why);
void record_flush(struct gateway *gw);
void record_stderr(struct gateway *gw, struct call *call, bool ended);
void call_id_text(const struct gateway *gw, uint64_t id, char out[CALL_ID_TEXT]);
/* An RFC 9110 date, made once a second. */
const char *date_text(struct gateway *gw);

#endif
