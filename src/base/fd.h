/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership of file descriptors: a variable declared `fd_owner` closes what it holds when it goes
 * out of scope; `fd_steal` takes the descriptor out of it. Every descriptor of ours is O_CLOEXEC.
 */
#ifndef SKERRY_BASE_FD_H
#define SKERRY_BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

void fd_cleanup(int *fd);
#define fd_owner __attribute__((cleanup(fd_cleanup))) int

/* Returns *fd and leaves -1 there. */
int fd_steal(int *fd);

/* Closes *fd if it is open (>= 0) and leaves -1 there; errno is kept. */
void fd_close(int *fd);

/* Writes all size bytes; retries on EINTR. Returns 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t size);

/* Reads until size bytes or the end. Returns the count or -errno. */
ssize_t fd_read_all(int fd, void *data, size_t size);

/* Writes text into an existing file below dirfd (a /proc, /sys or cgroup file). 0 or -errno. */
int fd_write_file_at(int dirfd, const char *path, const char *text);

/*
 * Reads a small file below dirfd into buf (size bytes with the final NUL that is always written).
 * Returns the count of bytes read or -errno; -EFBIG when it did not fit.
 */
ssize_t fd_read_file_at(int dirfd, const char *path, char *buf, size_t size);

int fd_set_nonblock(int fd);

#endif
