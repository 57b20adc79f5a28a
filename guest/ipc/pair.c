// SPDX-License-Identifier: Apache-2.0
/* Connected sockets: what moves between the two sides of a pair, and what a side does as an open
 * file. */
#include "pair.h"

#include <asm/ioctls.h>
#include <asm/poll.h>

#include "../fs/inode.h"
#include "../kernel/thread.h"
#include "../mm/heap.h"
#include "../mm/space.h"

void message_free(struct message *message)
{
    for (uint32_t i = 0; i < message->rights; i++)
        file_put(message->files[i]);
    heap_free(message->files);
    heap_free(message);
}

static long broken(unsigned flags)
{
    if (!(flags & MSG_NOSIGNAL))
        signal_send_simple(current, SIGPIPE, 0);
    return -EPIPE;
}

long message_send(struct file *file, const void *from, size_t len, unsigned flags,
                  struct file **files, uint32_t rights)
{
    struct side *to = other(file);
    bool nonblock = file->flags & O_NONBLOCK || flags & MSG_DONTWAIT;
    if (len > BUFFER_BYTES - 32)
        return -EMSGSIZE;
    if (pair_of(file)->alone)
        return -ENOTCONN;
    for (;;) {
        if (mine(file)->no_write)
            return broken(flags);
        if (!to->open || to->no_read)
            return pair_of(file)->kind == KIND_DGRAM ? -ECONNREFUSED : broken(flags);
        if (to->queued + len <= BUFFER_BYTES &&
            (!to->queued || to->queued + len + 512 <= BUFFER_BYTES))
            break;
        if (nonblock)
            return -EAGAIN;
        int rc = wait_on(&pair_of(file)->queue, NEVER);
        if (rc < 0)
            return rc;
    }
    struct message *message = heap_alloc(sizeof(*message) + len);
    if (!message)
        return -ENOBUFS;
    message->len = len;
    message->files = files;
    message->rights = rights;
    memcpy(message->data, from, len);
    to->queued += len + 512;
    list_add_tail(&to->messages, &message->link);
    waitq_wake(&pair_of(file)->queue);
    return (long)len;
}

/* The next message, or NULL with the reason. It stays in the queue. */
struct message *message_next(struct file *file, unsigned flags, long *out_rc)
{
    bool nonblock = file->flags & O_NONBLOCK || flags & MSG_DONTWAIT;
    for (;;) {
        if (!list_empty(&mine(file)->messages))
            return container_of(mine(file)->messages.next, struct message, link);
        *out_rc = pair_of(file)->alone && pair_of(file)->kind == KIND_PACKETS ? -ENOTCONN : 0;
        bool over = mine(file)->no_read || (pair_of(file)->kind != KIND_DGRAM &&
                                            (!other(file)->open || other(file)->no_write));
        if (over || *out_rc < 0)
            return NULL;
        *out_rc = -EAGAIN;
        if (nonblock)
            return NULL;
        *out_rc = wait_on(&pair_of(file)->queue, NEVER);
        if (*out_rc < 0)
            return NULL;
    }
}

void message_done(struct file *file, struct message *message)
{
    mine(file)->queued -= message->len + 512;
    list_del(&message->link);
    message_free(message);
    waitq_wake(&pair_of(file)->queue);
}

long pair_receive(struct file *file, void *to, size_t len, unsigned flags)
{
    bool nonblock = file->flags & O_NONBLOCK || flags & MSG_DONTWAIT;
    size_t done = 0;
    do {
        if (mine(file)->no_read && !stream_used(mine(file)->in))
            break;
        long rc = stream_read(mine(file)->in, (uint8_t *)to + done, len - done, nonblock,
                              flags & MSG_PEEK);
        if (rc <= 0)
            return done ? (long)done : rc;
        done += (size_t)rc;
    } while (flags & MSG_WAITALL && !(flags & MSG_PEEK) && done < len);
    return (long)done;
}

long pair_send(struct file *file, const void *from, size_t len, unsigned flags)
{
    if (pair_of(file)->alone)
        return -ENOTCONN;
    if (mine(file)->no_write || !other(file)->open || other(file)->no_read)
        return broken(flags);
    return stream_write(other(file)->in, from, len,
                        file->flags & O_NONBLOCK || flags & MSG_DONTWAIT);
}

static long pair_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    (void)pos;
    if (pair_of(file)->alone)
        return pair_of(file)->kind == KIND_STREAM    ? -EINVAL
               : pair_of(file)->kind == KIND_PACKETS ? -ENOTCONN
                                                     : -EAGAIN;
    if (pair_of(file)->kind == KIND_STREAM)
        return pair_receive(file, to, len, 0);
    long rc = 0;
    struct message *message = message_next(file, 0, &rc);
    if (!message)
        return rc;
    size_t part = min_u64(len, message->len);
    memcpy(to, message->data, part);
    message_done(file, message);
    return (long)part;
}

static long pair_write(struct file *file, const void *from, size_t len, uint64_t *pos)
{
    (void)pos;
    if (pair_of(file)->kind == KIND_STREAM)
        return pair_send(file, from, len, 0);
    return message_send(file, from, len, 0, NULL, 0);
}

static unsigned pair_poll(struct file *file)
{
    struct side *in = mine(file), *out = other(file);
    bool stream = pair_of(file)->kind == KIND_STREAM;
    if (pair_of(file)->alone) /* never connected, unix_poll() */
        return POLLOUT | POLLWRNORM | (pair_of(file)->kind == KIND_DGRAM ? 0U : POLLHUP) |
               (in->no_read ? POLLIN | POLLRDNORM | POLLRDHUP : 0U);
    bool gone = !out->open && pair_of(file)->kind != KIND_DGRAM;
    bool end = gone || in->no_read || out->no_write;
    unsigned ready = 0;
    if (end || (stream ? stream_used(in->in) > 0 : !list_empty(&in->messages)))
        ready |= POLLIN | POLLRDNORM;
    if (end)
        ready |= POLLRDHUP;
    if (gone || (in->no_read && in->no_write) || (in->no_write && out->no_write))
        ready |= POLLHUP;
    bool room = !out->open ||
                (stream ? stream_used(out->in) < BUFFER_BYTES / 2 : out->queued < BUFFER_BYTES / 2);
    return ready | (room ? POLLOUT | POLLWRNORM : 0);
}

static struct waitq *pair_waitq(struct file *file)
{
    return &pair_of(file)->queue;
}

static long pair_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
    if (cmd != FIONREAD)
        return -ENOTTY;
    struct side *in = mine(file);
    int have = 0;
    if (pair_of(file)->kind == KIND_STREAM)
        have = (int)stream_used(in->in);
    else if (!list_empty(&in->messages))
        have = (int)container_of(in->messages.next, struct message, link)->len;
    return user_out(arg, &have, sizeof(have));
}

static void pair_close(struct file *file)
{
    struct pair *pair = pair_of(file);
    struct side *side = mine(file);
    side->open = false;
    if (pair->kind == KIND_STREAM) {
        side->in->readers = 0;
        other(file)->in->writers = 0;
    }
    waitq_wake(&pair->queue);
    if (--pair->ends)
        return;
    for (int i = 0; i < 2; i++) {
        stream_free(pair->sides[i].in);
        while (!list_empty(&pair->sides[i].messages)) {
            struct message *message =
                container_of(pair->sides[i].messages.next, struct message, link);
            list_del(&message->link);
            message_free(message);
        }
    }
    heap_free(pair);
}

const struct file_ops pair_ops = {
    .read = pair_read,
    .write = pair_write,
    .poll = pair_poll,
    .waitq = pair_waitq,
    .ioctl = pair_ioctl,
    .close = pair_close,
    .whole = true,
};

struct pair *pair_new(unsigned kind)
{
    struct pair *pair = heap_alloc(sizeof(*pair));
    if (!pair)
        return NULL;
    waitq_init(&pair->queue);
    pair->kind = kind;
    for (int i = 0; i < 2; i++) {
        list_init(&pair->sides[i].messages);
        pair->sides[i].open = true;
        if (kind != KIND_STREAM)
            continue;
        pair->sides[i].in = stream_new(&pair->queue, 1U << 18);
        if (pair->sides[i].in)
            continue;
        stream_free(pair->sides[0].in);
        heap_free(pair);
        return NULL;
    }
    return pair;
}
