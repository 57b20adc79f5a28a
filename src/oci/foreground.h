/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_FOREGROUND_H
#define SKERRY_OCI_FOREGROUND_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "base/err.h"

/* The caller's terminal joined to a container's. */
struct oci_terminal {
    int near; /* of the container's terminal; -1: there is none */
    bool raw; /* our stdin is a terminal, and was set to raw */
    struct termios saved;
};

/* Receives the near end over `socket`, gives it our size and sets our terminal to raw. */
int oci_terminal_take(int socket, struct oci_terminal *out, struct err *err);
void oci_terminal_restore(struct oci_terminal *terminal);

/*
 * Waits for a child as if it were this program: passes signals on, carries bytes between the
 * terminals. Returns its exit status, 128 + N after signal N, or -errno.
 */
int oci_foreground(pid_t pid, int pidfd, const struct oci_terminal *terminal, struct err *err);

#endif
