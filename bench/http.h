/* SPDX-License-Identifier: Apache-2.0 */
/* A client for one connection, kept alive: enough HTTP to ask our own daemon. */
#ifndef SKERRY_BENCH_HTTP_H
#define SKERRY_BENCH_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Connects to HOST:PORT (numeric); ends on failure. */
int http_connect(const char *url);

/* Sends a request with an empty body. */
void http_send(int sock, const char *path);

/*
 * Reads one response. Returns the size of its body, of which at most room bytes are in body; any
 * status but 200 ends the program.
 */
size_t http_receive(int sock, void *body, size_t room);

#endif
