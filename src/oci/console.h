/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_CONSOLE_H
#define SKERRY_OCI_CONSOLE_H

#include <stdbool.h>

#include "oci/spec.h"

/*
 * Opens a terminal of the container's devpts (root: its root directory) with the size of the
 * process and gives the near end away over the connected socket; mounted: also binds the far end on
 * /dev/console. *out: the far end. 0 or -errno.
 */
int oci_console_open(int root, const struct oci_process *process, int socket, bool mounted,
                     int *out, struct err *err);

/* Without a size of its own, the process gets that of our stdin's terminal, so that its first look
 * finds the right one. */
void oci_console_size(struct oci_process *process);

/* The far end becomes stdin, stdout, stderr and the controlling terminal of the (new) session. */
int oci_console_take(int terminal, struct err *err);

/* Connects to --console-socket. A descriptor or -errno. */
int oci_console_connect(const char *path, struct err *err);

/* Sends one descriptor with a text over a Unix socket. 0 or -errno. */
int oci_send_descriptor(int socket, int fd, const char *text);
/* Receives one; a descriptor (O_CLOEXEC) or -errno. */
int oci_receive_descriptor(int socket);

/* Gives stdin, stdout and stderr (but the null device) to the user, who may open them again by
 * /dev/stdout. */
void oci_console_give_stdio(uint32_t uid);

#endif
