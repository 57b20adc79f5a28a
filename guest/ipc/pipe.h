/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of bytes between two ends: pipes, and each direction of a stream socket pair. */
#ifndef SKERRY_GUEST_PIPE_H
#define SKERRY_GUEST_PIPE_H

#include "../fs/file.h"

#define STREAM_BYTES 65536U

struct stream {
    uint32_t refs;
    uint32_t readers, writers;
    uint32_t size;
    uint32_t head, tail; /* run freely; modulo size */
    uint8_t *data;
    struct waitq *queue; /* woken on every change */
};

struct stream *stream_new(struct waitq *queue, uint32_t size);
void stream_free(struct stream *stream);

/** stream_read(): at least one byte, 0 at the end, -EAGAIN, -ERESTARTSYS. peek leaves the bytes. */
long stream_read(struct stream *stream, void *to, size_t len, bool nonblock, bool peek);

/** stream_write(): all of it, in one piece up to 4096 bytes; what was written, -EPIPE, -EAGAIN,
 * -ERESTARTSYS. */
long stream_write(struct stream *stream, const void *from, size_t len, bool nonblock);

static inline uint32_t stream_used(const struct stream *stream)
{
    return stream->head - stream->tail;
}

#endif
