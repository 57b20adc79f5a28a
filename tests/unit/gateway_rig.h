/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gateway in a process of its own, with the test in all other roles: supervisor (the link), API
 * process, clients, and the sandboxes (a test receives a start message, writes to the program's
 * descriptors and sends the exit report by hand). Everything is a blocking step in one thread, so a
 * test has one order of events; an alarm ends a test run that hangs.
 */
#ifndef SKERRY_TESTS_GATEWAY_RIG_H
#define SKERRY_TESTS_GATEWAY_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/link.h"
#include "jail/start.h"
#include "sandbox/stats.h"

struct rig {
    int pid;
    int listener;
    unsigned int port;
    int link;
    int api;
    int access_log;
    struct stats_page *stats;
};

struct rig_function {
    uint32_t index;
    uint64_t generation;
    int start;  /* the sandboxes' end */
    int report; /* the zygote's end */
    int log;
};

struct rig_start { /* a received start message */
    uint64_t call_id;
    uint32_t epoch;
    uint16_t flags;
    int in, out, err;
    char env[START_ENV_MAX];
    uint32_t env_bytes;
    uint64_t cpu_us; /* is reported besides the 33 that each used */
};

struct rig_answer {
    int status;
    bool chunked;
    bool whole; /* by its length or its last chunk; by the end of the connection for 1.0 */
    char head[32 * 1024];
    char *body; /* body_size bytes and a NUL; freed by the next answer */
    size_t body_size;
    char trailer[256];
};

#define RIG_EPOCH 7u

/* Starts a gateway; connections_max 0: the default. */
void rig_start(struct rig *rig, unsigned int connections_max);
/* The same, on a machine of one CPU that is never idle, as far as the gateway can see. */
void rig_start_full(struct rig *rig);
/* Ends it by closing the link; asserts that it exits with 0. */
void rig_stop(struct rig *rig);

/* A deployed function, NAME or NAME.TENANT; limits may be NULL. */
void rig_put(struct rig *rig, struct rig_function *function, uint32_t index, uint64_t generation,
             const char *name, uint32_t flags, const struct function_limits *limits);
void rig_slots(struct rig *rig, const struct rig_function *function, uint32_t slots);
void rig_tell(struct rig *rig, enum link_kind kind, const struct rig_function *function);
/* The next message of the gateway that is of this kind. */
void rig_hear(struct rig *rig, enum link_kind kind, struct link_message *out);
void rig_function_close(struct rig_function *function);

/* Waits for a start message. */
void rig_take(struct rig_function *function, struct rig_start *out);
/* True when a start message is waiting. */
bool rig_has_start(struct rig_function *function);
const char *rig_env(const struct rig_start *start, const char *name);
/* Closes what the program holds and reports its end. */
void rig_exit(struct rig_function *function, struct rig_start *start, int wait_status,
              uint32_t flags);
void rig_report(struct rig_function *function, struct rig_start *start, uint16_t kind,
                int wait_status, uint32_t flags);
/* Waits for a kill request and asserts that it is for this start. */
void rig_kill_wait(struct rig_function *function, const struct rig_start *start);
void rig_write(int fd, const char *text);
/* All of the program's stdin, to its end. */
size_t rig_stdin(struct rig_start *start, char *out, size_t room);

int rig_connect(const struct rig *rig);
void rig_send(int client, const char *text);
/* One answer; head_only: to a HEAD request. */
void rig_answer(int client, struct rig_answer *out, bool head_only);
/* Asserts that the peer has closed (or reset) and nothing more came. */
void rig_closed(int client);
/* Value of a header in an answer's head; NULL: absent. Static storage. */
const char *rig_header(const struct rig_answer *answer, const char *name);
/* All of a log's text so far; static storage. */
const char *rig_log(int fd);
/* Waits until the access log has a line with this text. */
void rig_logged(struct rig *rig, const char *text);

#define EXITED(code)     ((code) << 8)
#define SIGNALLED(signo) (signo)

#endif
