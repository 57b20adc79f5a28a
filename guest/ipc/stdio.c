// SPDX-License-Identifier: Apache-2.0
/*
 * Standard input and output as rings: the monitor fills and drains them on its own core. The guest
 * rings the doorbell when it has nothing else to do: stdin is empty, or an output ring is full.
 * What the monitor writes into a ring is checked no further than that copies stay inside: it rules
 * over all of this memory anyway.
 */
#include "stdio.h"

#include <asm/ioctls.h>
#include <asm/poll.h>

#include "../arch.h"
#include "../fs/file.h"
#include "../fs/inode.h"
#include "../kernel/process.h"
#include "../kernel/signal.h"
#include "../kernel/thread.h"
#include "../mm/space.h"

#define OWNER 65534U /* as a file of the host's shows in a sandbox */

static struct waitq moved = {.nodes = {&moved.nodes, &moved.nodes}};
static uint32_t seen_head, seen_tail[2];
static bool seen_closed;

static struct vm_ring *ring_of(unsigned index)
{
    return &arch_shared()->rings[index];
}

static uint32_t load(const uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE); /* partner: the other side's release store */
}

static uint32_t stdin_bytes(void)
{
    struct vm_ring *ring = ring_of(VM_STDIN);
    return load(&ring->head) - ring->tail;
}

static bool stdin_closed(void)
{
    return load(&ring_of(VM_STDIN)->producer_flags) & VM_RING_CLOSED;
}

static uint32_t room(unsigned index)
{
    struct vm_ring *ring = ring_of(index);
    return VM_RING_BYTES - (ring->head - load(&ring->tail));
}

static bool gone(unsigned index)
{
    return load(&ring_of(index)->consumer_flags) & VM_RING_CLOSED;
}

static void take(void *to, uint32_t len)
{
    struct vm_ring *ring = ring_of(VM_STDIN);
    const uint8_t *data = arch_ring_data(VM_STDIN);
    uint32_t at = ring->tail % VM_RING_BYTES;
    uint32_t first = (uint32_t)min_u64(len, VM_RING_BYTES - at);
    memcpy(to, data + at, first);
    memcpy((uint8_t *)to + first, data, len - first);
    __atomic_store_n(&ring->tail, ring->tail + len, __ATOMIC_RELEASE);
}

static void put(unsigned index, const void *from, uint32_t len)
{
    struct vm_ring *ring = ring_of(index);
    uint8_t *data = arch_ring_data((enum vm_ring_index)index);
    uint32_t at = ring->head % VM_RING_BYTES;
    uint32_t first = (uint32_t)min_u64(len, VM_RING_BYTES - at);
    memcpy(data + at, from, first);
    memcpy(data, (const uint8_t *)from + first, len - first);
    __atomic_store_n(&ring->head, ring->head + len, __ATOMIC_RELEASE);
}

static long stdio_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    (void)pos;
    if (process.snapshot)
        snapshot_take();
    if (!len)
        return 0;
    bool asked = false;
    for (;;) {
        uint32_t have = stdin_bytes();
        if (have) {
            uint32_t part = (uint32_t)min_u64(len, min_u64(have, VM_RING_BYTES));
            take(to, part);
            return part;
        }
        if (stdin_closed() && !stdin_bytes())
            return 0;
        if (!asked) {
            arch_doorbell(VM_BELL_STDIN);
            asked = true;
            continue;
        }
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int rc = wait_on(&moved, NEVER);
        if (rc < 0)
            return rc;
    }
}

static long stdio_write(struct file *file, const void *from, size_t len, uint64_t *pos)
{
    (void)pos;
    unsigned index = (unsigned)file->extra;
    size_t done = 0;
    while (done < len) {
        if (gone(index)) {
            if (done)
                return (long)done;
            signal_send_simple(current, SIGPIPE, 0);
            return -EPIPE;
        }
        uint32_t part = (uint32_t)min_u64(room(index), len - done);
        if (part && part <= VM_RING_BYTES) {
            if (index == VM_STDOUT && !arch_shared()->stages[VM_STAGE_FIRST_BYTE])
                arch_shared()->stages[VM_STAGE_FIRST_BYTE] = arch_tsc();
            put(index, (const uint8_t *)from + done, part);
            done += part;
            continue;
        }
        arch_doorbell(VM_BELL_FLUSH);
        if (room(index) || gone(index))
            continue;
        if (file->flags & O_NONBLOCK)
            return done ? (long)done : -EAGAIN;
        int rc = wait_on(&moved, NEVER);
        if (rc < 0)
            return done ? (long)done : rc;
    }
    return (long)done;
}

static unsigned stdio_ready(struct file *file)
{
    if (file->extra != VM_STDIN) {
        unsigned index = (unsigned)file->extra;
        return (room(index) ? POLLOUT | POLLWRNORM : 0) | (gone(index) ? POLLERR : 0);
    }
    if (!stdin_bytes() && !stdin_closed())
        arch_doorbell(VM_BELL_STDIN);
    if (stdin_bytes())
        return POLLIN | POLLRDNORM;
    if (!stdin_closed())
        return 0;
    return S_IS(file->inode->mode, S_IFREG) || S_IS(file->inode->mode, S_IFCHR)
               ? POLLIN | POLLRDNORM
               : POLLHUP;
}

static struct waitq *stdio_waitq(struct file *file)
{
    (void)file;
    return &moved;
}

static long stdio_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
    if (cmd != FIONREAD)
        return -ENOTTY;
    int have = file->extra == VM_STDIN ? (int)stdin_bytes() : 0;
    return user_out(arg, &have, sizeof(have));
}

static const struct file_ops stdio_ops = {
    .read = stdio_read,
    .write = stdio_write,
    .poll = stdio_ready,
    .waitq = stdio_waitq,
    .ioctl = stdio_ioctl,
};

int stdio_open(const uint32_t kinds[3])
{
    for (unsigned i = 0; i < 3; i++) {
        /* A file or device of the host is a stream here: it has no place to seek to. */
        uint32_t kind = kinds[i] & S_IFMT;
        struct inode *inode = inode_new((kind == S_IFSOCK ? S_IFSOCK : S_IFIFO) | 0666, DEV_PIPE);
        if (!inode)
            return -ENOMEM;
        inode->uid = inode->gid = OWNER; /* not the program's to change */
        inode->file_ops = &stdio_ops;
        struct file *file = file_new(&stdio_ops, inode, NULL, i == 0 ? O_RDONLY : O_WRONLY);
        inode_put(inode);
        if (!file)
            return -ENOMEM;
        static const unsigned rings[] = {VM_STDIN, VM_STDOUT, VM_STDERR};
        file->extra = rings[i];
        int fd = fd_install(file, 0, false);
        if (fd < 0)
            return fd;
    }
    return 0;
}

bool stdio_is(const struct file *file)
{
    return file->ops == &stdio_ops;
}

void stdio_resume(void)
{
    seen_head = seen_tail[0] = seen_tail[1] = 0;
    seen_closed = false;
}

void stdio_poll(void)
{
    uint32_t head = load(&ring_of(VM_STDIN)->head);
    uint32_t out = load(&ring_of(VM_STDOUT)->tail), err = load(&ring_of(VM_STDERR)->tail);
    bool closed = stdin_closed();
    if (head == seen_head && closed == seen_closed && out == seen_tail[0] && err == seen_tail[1] &&
        !gone(VM_STDOUT) && !gone(VM_STDERR))
        return;
    seen_head = head;
    seen_closed = closed;
    seen_tail[0] = out;
    seen_tail[1] = err;
    waitq_wake(&moved);
}

void stdio_flush(void)
{
    arch_shared()->stages[VM_STAGE_EXIT] = arch_tsc();
}

void stdio_trace(const char *text, size_t len)
{
    if (room(VM_TRACE) < len)
        arch_doorbell(VM_BELL_FLUSH);
    if (room(VM_TRACE) >= len)
        put(VM_TRACE, text, (uint32_t)len);
}
