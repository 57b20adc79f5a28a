/* SPDX-License-Identifier: Apache-2.0 */
/* Two connected sockets of AF_UNIX: for a stream two byte streams, else two queues of messages. */
#ifndef SKERRY_GUEST_PAIR_H
#define SKERRY_GUEST_PAIR_H

#include "pipe.h"

#define FAMILY_UNIX  1
#define KIND_STREAM  1u
#define KIND_DGRAM   2u
#define KIND_PACKETS 5u
#define BUFFER_BYTES 212992u
#define MSG_PEEK     0x2u
#define MSG_TRUNC    0x20u
#define MSG_DONTWAIT 0x40u
#define MSG_WAITALL  0x100u
#define MSG_NOSIGNAL 0x4000u

struct message {
    struct list link;
    size_t len;
    uint32_t rights;
    struct file **files;
    uint8_t data[];
};

struct side {
    struct stream *in; /* of a stream */
    struct list messages;
    size_t queued;
    bool open, no_read, no_write;
    int fd_passed;
};

struct pair {
    struct waitq queue;
    struct side sides[2];
    unsigned kind, ends;
    bool alone;         /* made by socket(): has no other side */
    struct list passed; /* files that travel with a stream's bytes */
};

extern const struct file_ops pair_ops;

static inline struct pair *pair_of(const struct file *file)
{
    return file->data;
}

static inline struct side *mine(const struct file *file)
{
    return &pair_of(file)->sides[file->extra];
}

static inline struct side *other(const struct file *file)
{
    return &pair_of(file)->sides[1 - file->extra];
}

/** pair_new(): both sides open, no descriptor yet. NULL without memory. */
struct pair *pair_new(unsigned kind);

/** pair_receive(), pair_send(): bytes of a stream, with MSG_* flags; results as recv and send have
 * them. */
long pair_receive(struct file *file, void *to, size_t len, unsigned flags);
long pair_send(struct file *file, const void *from, size_t len, unsigned flags);

/** message_send(): queues a message at the other side; takes files over when it succeeds. */
long message_send(struct file *file, const void *from, size_t len, unsigned flags,
                  struct file **files, uint32_t rights);

/** message_next(): the next message, which stays in the queue, or NULL with the call's result. */
struct message *message_next(struct file *file, unsigned flags, long *out_rc);

/** message_done(): takes it out of the queue and frees it. */
void message_done(struct file *file, struct message *message);
void message_free(struct message *message);

#endif
