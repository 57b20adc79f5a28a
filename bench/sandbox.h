/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real sandboxes for benchmarks: a template with its pool, started by the same start_send() that
 * the gateway uses. No daemon and no HTTP: what is measured is the sandbox.
 */
#ifndef SKERRY_BENCH_SANDBOX_H
#define SKERRY_BENCH_SANDBOX_H

#include <stdint.h>

#include "jail/start.h"
#include "jail/template.h"

struct bench_sandbox {
    struct jail_host *host;
    struct jail_template *template;
    char root[64]; /* the root file system: the program and nothing else */
    int null;
    uint64_t next_call;
};

/* The template of the program PROGRAMS/name with `slots` furnished sandboxes; flags:
 * FUNCTION_OWN_IPC, FUNCTION_RENEW_ALL. Ends on failure. */
void bench_sandbox_open(struct bench_sandbox *sandbox, const char *programs, const char *name,
                        uint32_t slots, uint32_t net, uint32_t flags);
void bench_sandbox_close(struct bench_sandbox *sandbox);

/* Grows or shrinks the pool and waits until it has that many. */
void bench_sandbox_slots(struct bench_sandbox *sandbox, uint32_t slots);

/*
 * Sends one start; in and out become the program's (-1: /dev/null). Returns the call's id;
 * *out_sent_ns: when sending began.
 */
uint64_t bench_sandbox_start(struct bench_sandbox *sandbox, int in, int out, uint64_t *out_sent_ns);

/* Waits for one report; anything but the exit status 0 or a kill ends the program. */
struct exit_report bench_sandbox_await(struct bench_sandbox *sandbox);

#endif
