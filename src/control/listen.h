/* SPDX-License-Identifier: Apache-2.0 */
/* Listening TCP sockets, made by the supervisor and served by whichever gateway lives. */
#ifndef SKERRY_CONTROL_LISTEN_H
#define SKERRY_CONTROL_LISTEN_H

#include <stddef.h>

#include "base/err.h"

/*
 * Listens on an address of address_parse, non-blocking; shown (room bytes) gets the address with
 * the port that was chosen for 0. An address that is in use is tried again for wait_ms: the gateway
 * of a daemon that was killed may still be about to die. fd or -errno.
 */
int listen_tcp(const char *address, int wait_ms, char *shown, size_t room, struct err *err);

#endif
