/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message over a SOCK_SEQPACKET Unix socket, with file descriptors beside it.
 *
 * Every link between our processes is such a socket: messages keep their bounds, a message that is
 * too large or whose descriptors were cut is refused whole, and a received descriptor is O_CLOEXEC.
 */
#ifndef SKERRY_BASE_PACKET_H
#define SKERRY_BASE_PACKET_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define PACKET_FDS_MAX 16

/* socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC); 0 or -errno. */
int packet_pair(int out_ends[2]);

/*
 * Sends one message of the given parts and descriptors (fd_count <= PACKET_FDS_MAX, they stay the
 * caller's). flags: MSG_DONTWAIT or 0; MSG_NOSIGNAL is always set. Returns 0 or -errno.
 */
int packet_send(int sock, const struct iovec *parts, size_t part_count, const int *fds,
                size_t fd_count, int flags);

/*
 * Receives one message into data. The descriptors go to out_fds (room for fd_room) and
 * *out_fd_count; they are the caller's. If more came than there is room for, or the message was
 * longer than size, all are closed and the result is -EMSGSIZE. Returns the size of the message, 0
 * at the end of the connection, or -errno (outputs untouched).
 */
ssize_t packet_recv(int sock, void *data, size_t size, int *out_fds, size_t fd_room,
                    size_t *out_fd_count, int flags);

#endif
