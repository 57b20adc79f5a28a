// SPDX-License-Identifier: Apache-2.0
/* Streams of bytes, and pipes. */
#include "pipe.h"

#include <asm/ioctls.h>
#include <asm/poll.h>

#include "../fs/inode.h"
#include "../kernel/call.h"
#include "../kernel/thread.h"
#include "../mm/heap.h"
#include "../mm/space.h"

#define ATOMIC_BYTES 4096U
#define SIZE_LIMIT   (1U << 20)

struct pipe {
    struct waitq queue;
    struct stream *stream;
    uint32_t ends;
};

struct stream *stream_new(struct waitq *queue, uint32_t size)
{
    struct stream *stream = heap_alloc(sizeof(*stream));
    if (!stream)
        return NULL;
    stream->data = heap_alloc(size);
    if (!stream->data) {
        heap_free(stream);
        return NULL;
    }
    stream->size = size;
    stream->queue = queue;
    stream->readers = stream->writers = 1;
    return stream;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    heap_free(stream->data);
    heap_free(stream);
}

static void ring_out(const struct stream *stream, void *to, uint32_t len)
{
    uint32_t at = stream->tail % stream->size;
    uint32_t first = (uint32_t)min_u64(len, stream->size - at);
    memcpy(to, stream->data + at, first);
    memcpy((uint8_t *)to + first, stream->data, len - first);
}

long stream_read(struct stream *stream, void *to, size_t len, bool nonblock, bool peek)
{
    if (!len)
        return 0;
    for (;;) {
        uint32_t have = stream_used(stream);
        if (have) {
            uint32_t part = (uint32_t)min_u64(len, have);
            ring_out(stream, to, part);
            if (!peek) {
                stream->tail += part;
                waitq_wake(stream->queue);
            }
            return part;
        }
        if (!stream->writers)
            return 0;
        if (nonblock)
            return -EAGAIN;
        int rc = wait_on(stream->queue, NEVER);
        if (rc < 0)
            return rc;
    }
}

long stream_write(struct stream *stream, const void *from, size_t len, bool nonblock)
{
    size_t done = 0;
    if (!len)
        return 0;
    for (;;) {
        if (!stream->readers) {
            if (done)
                return (long)done;
            signal_send_simple(current, SIGPIPE, 0);
            return -EPIPE;
        }
        uint32_t room = stream->size - stream_used(stream);
        bool fits = room >= len - done || (len > ATOMIC_BYTES && room);
        if (fits) {
            uint32_t part = (uint32_t)min_u64(room, len - done), at = stream->head % stream->size;
            uint32_t first = (uint32_t)min_u64(part, stream->size - at);
            memcpy(stream->data + at, (const uint8_t *)from + done, first);
            memcpy(stream->data, (const uint8_t *)from + done + first, part - first);
            stream->head += part;
            done += part;
            waitq_wake(stream->queue);
            if (done == len)
                return (long)done;
            continue;
        }
        if (nonblock)
            return done ? (long)done : -EAGAIN;
        int rc = wait_on(stream->queue, NEVER);
        if (rc < 0)
            return done ? (long)done : rc;
    }
}

static long pipe_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    (void)pos;
    struct pipe *pipe = file->data;
    return stream_read(pipe->stream, to, len, file->flags & O_NONBLOCK, false);
}

static long pipe_write(struct file *file, const void *from, size_t len, uint64_t *pos)
{
    (void)pos;
    struct pipe *pipe = file->data;
    return stream_write(pipe->stream, from, len, file->flags & O_NONBLOCK);
}

static unsigned pipe_poll(struct file *file)
{
    struct pipe *pipe = file->data;
    struct stream *stream = pipe->stream;
    unsigned ready = 0;
    if (file_readable(file)) {
        ready |= stream_used(stream) ? POLLIN | POLLRDNORM : 0;
        ready |= stream->writers ? 0 : POLLHUP;
    }
    if (file_writable(file)) {
        ready |= stream->size - stream_used(stream) >= ATOMIC_BYTES ? POLLOUT | POLLWRNORM : 0;
        ready |= stream->readers ? 0 : POLLERR;
    }
    return ready;
}

static struct waitq *pipe_waitq(struct file *file)
{
    struct pipe *pipe = file->data;
    return &pipe->queue;
}

static long resize(struct stream *stream, uint64_t wish)
{
    if (wish > SIZE_LIMIT)
        return -EPERM;
    uint32_t size = (uint32_t)PAGE_SIZE;
    while (size < wish)
        size *= 2;
    uint32_t used = stream_used(stream);
    if (used > size)
        return -EBUSY;
    uint8_t *data = heap_alloc(size);
    if (!data)
        return -ENOMEM;
    ring_out(stream, data, used);
    heap_free(stream->data);
    stream->data = data;
    stream->size = size;
    stream->tail = 0;
    stream->head = used;
    waitq_wake(stream->queue);
    return (long)size;
}

static long pipe_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
    struct pipe *pipe = file->data;
    int used = (int)stream_used(pipe->stream);
    switch (cmd) {
    case FIONREAD:
        return user_out(arg, &used, sizeof(used));
    case F_GETPIPE_SZ:
        return (long)pipe->stream->size;
    case F_SETPIPE_SZ:
        return resize(pipe->stream, arg);
    default:
        return -ENOTTY;
    }
}

static void pipe_close(struct file *file)
{
    struct pipe *pipe = file->data;
    if (file_readable(file))
        pipe->stream->readers--;
    if (file_writable(file))
        pipe->stream->writers--;
    waitq_wake(&pipe->queue);
    if (--pipe->ends)
        return;
    stream_free(pipe->stream);
    heap_free(pipe);
}

static void pipe_share(struct file *file)
{
    struct pipe *pipe = file->data;
    pipe->ends++;
    pipe->stream->readers += file_readable(file);
    pipe->stream->writers += file_writable(file);
}

static const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .waitq = pipe_waitq,
    .ioctl = pipe_ioctl,
    .close = pipe_close,
    .share = pipe_share,
};

static long pipe_make(uint64_t to, uint32_t flags)
{
    if (flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    if (!user_ok(to, 2 * sizeof(int), true))
        return -EFAULT;
    struct inode *inode = inode_new(S_IFIFO | 0600, DEV_PIPE);
    struct pipe *pipe = heap_alloc(sizeof(*pipe));
    if (!inode || !pipe)
        goto fail;
    waitq_init(&pipe->queue);
    pipe->stream = stream_new(&pipe->queue, STREAM_BYTES);
    if (!pipe->stream)
        goto fail;
    struct file *reader =
        file_new(&pipe_ops, inode, NULL, O_RDONLY | (flags & (O_NONBLOCK | O_DIRECT)));
    struct file *writer =
        file_new(&pipe_ops, inode, NULL, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)));
    if (!reader || !writer) {
        heap_free(reader);
        heap_free(writer);
        stream_free(pipe->stream);
        goto fail;
    }
    inode_put(inode);
    reader->data = writer->data = pipe;
    pipe->ends = 2;
    int fds[2];
    fds[0] = fd_install(reader, 0, flags & O_CLOEXEC);
    if (fds[0] < 0) {
        file_put(writer);
        return fds[0];
    }
    fds[1] = fd_install(writer, 0, flags & O_CLOEXEC);
    if (fds[1] < 0) {
        fd_close(fds[0]);
        return fds[1];
    }
    return user_out(to, fds, sizeof(fds));
fail:
    inode_put(inode);
    heap_free(pipe);
    return -ENOMEM;
}

long sys_pipe(const uint64_t a[6])
{
    return pipe_make(a[0], 0);
}

long sys_pipe2(const uint64_t a[6])
{
    return pipe_make(a[0], (uint32_t)a[1]);
}
