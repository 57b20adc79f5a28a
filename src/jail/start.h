/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start message and the exit report: all that is said between a gateway and the sandboxes of a
 * template.
 *
 * The start socket is a SOCK_SEQPACKET pair. At the far end every furnished sandbox of the template
 * waits in recvmsg(); the kernel wakes one, which becomes the request's. So holding the near end
 * *is* the right to start this function, and no process stands between the gateway and the sandbox.
 *
 * A start message is a struct start_header and env_bytes of NUL-terminated "K=V" strings, with
 * exactly three descriptors: stdin, stdout, stderr of the program. The receiver checks all of it
 * and drops what does not fit (the sender gets a report with START_BAD).
 *
 * The report socket carries one struct exit_report a start towards the gateway, and struct
 * kill_request the other way.
 */
#ifndef SKERRY_JAIL_START_H
#define SKERRY_JAIL_START_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "skerry/abi/warm.h"

#define START_MAGIC       UINT32_C(0x31544b53) /* "SKT1" */
#define START_VERSION     2
#define START_ENV_MAX     (96u * 1024u) /* bytes of environment in one message */
#define START_ENV_STRINGS 1024u         /* strings of environment in one message */

/*
 * The program has nothing to read: the sandbox's own /dev/null stays its stdin, whatever the first
 * descriptor is. One open file for many sandboxes would pass messages between them (its flags can
 * be set and read by all).
 */
#define START_EMPTY_STDIN 1u

struct start_header {
    uint32_t magic;
    uint16_t version;
    uint16_t flags;   /* START_EMPTY_STDIN */
    uint64_t call_id; /* unique within an epoch; never 0 */
    uint64_t sent_ns; /* CLOCK_MONOTONIC */
    uint32_t epoch;   /* of the gateway: a start of an earlier gateway is dropped unanswered */
    uint32_t env_count;
    uint32_t env_bytes;
    uint32_t reserved2;
};
static_assert(sizeof(struct start_header) == 40, "start_header is an ABI");

enum report_kind {
    REPORT_EXIT = 1,    /* the program ended: wait_status holds */
    REPORT_EXEC_FAILED, /* execve failed: exec_errno holds */
    REPORT_BAD_START,   /* the start message was malformed; call_id may be 0 */
    REPORT_LOST, /* the sandbox died before exec or its slot was lost (never less confined) */
};

enum report_flags {
    REPORT_OOM = 1 << 0,      /* the kernel killed for the memory limit while it ran */
    REPORT_POOLED = 1 << 1,   /* it was furnished before the request came */
    REPORT_KILLED = 1 << 2,   /* ended by a kill_request */
    REPORT_NET = 1 << 3,      /* it opened a socket and was given a network */
    REPORT_RESTORED = 1 << 4, /* it went on from the template's snapshot */
};

struct exit_report {
    uint32_t magic;
    uint16_t version;
    uint16_t kind; /* enum report_kind */
    uint64_t call_id;
    uint32_t epoch;
    uint32_t flags;      /* enum report_flags */
    int32_t wait_status; /* as of waitpid */
    int32_t exec_errno;
    uint64_t clone_ns;        /* the stamps of stage.h: when cloning began, */
    uint64_t cloned_ns;       /* the process ran, */
    uint64_t furnished_ns;    /* was ready, */
    uint64_t taken_ns;        /* received the start, */
    uint64_t exec_ns;         /* called execve, */
    uint64_t exit_ns;         /* was reaped */
    uint64_t prev_cleaned_ns; /* how long dropping this slot's previous sandbox took, 0: none yet */
    uint64_t user_us;
    uint64_t system_us;
    uint64_t maxrss_kib;
    uint64_t inner_ns[WARM_STAGE_COUNT]; /* of a machine, see skerry/abi/warm.h */
    uint64_t reset_ns; /* how long the return to the snapshot before this start took; 0: none */
};
static_assert(sizeof(struct exit_report) == 160, "exit_report is an ABI");

struct kill_request {
    uint32_t magic;
    uint16_t version;
    uint16_t reserved;
    uint64_t call_id;
    uint32_t epoch;
    uint32_t reserved2;
};
static_assert(sizeof(struct kill_request) == 24, "kill_request is an ABI");

/*
 * Sends a start without blocking. env: env_bytes of NUL-terminated strings, env_count of them; fds:
 * stdin, stdout, stderr (they stay the caller's). 0, -EAGAIN when the socket is full (try later),
 * -E2BIG when the environment is too large, or -errno.
 */
int start_send(int start_sock, const struct start_header *header, const char *env,
               const int fds[3]);

/* Fills magic, version and the given fields; sent_ns is now. */
void start_header_init(struct start_header *header, uint64_t call_id, uint32_t epoch,
                       uint32_t env_count, uint32_t env_bytes);

/*
 * Checks a received message of size bytes (header, environment) against all bounds and counts.
 * 0 or -EINVAL. Reads message[0..size) only; pure (fuzzed). The environment follows the header.
 */
int start_check(const void *message, size_t size, uint32_t fd_count);

/* Receives one report: 1 when *out is filled, 0 at the end of the connection, -EAGAIN, -EBADMSG. */
int report_recv(int report_sock, struct exit_report *out);

/* Asks for the death of everything in the sandbox of a call. 0, -EAGAIN or -errno. */
int kill_send(int report_sock, uint64_t call_id, uint32_t epoch);

#endif
