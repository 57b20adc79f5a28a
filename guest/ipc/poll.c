// SPDX-License-Identifier: Apache-2.0
/* poll, ppoll, select, pselect6: look, wait for any of the queues, look again. */
#include <asm/poll.h>
#include <linux/posix_types.h>
#include <linux/time_types.h>

#include "../kernel/call.h"
#include "../kernel/thread.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "anon.h"

#define ALWAYS (POLLERR | POLLHUP | POLLNVAL)

static int look(struct pollfd *fds, unsigned count)
{
    int ready = 0;
    for (unsigned i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (fds[i].fd < 0)
            continue;
        struct file *file = fd_get(fds[i].fd);
        unsigned is = file && !(file->flags & O_PATH) ? file_poll(file) : POLLNVAL;
        fds[i].revents = (short)(is & ((unsigned short)fds[i].events | (unsigned)ALWAYS));
        ready += fds[i].revents != 0;
    }
    return ready;
}

static int join(const struct pollfd *fds, unsigned count, struct wait_node *nodes)
{
    int joined = 0;
    for (unsigned i = 0; i < count; i++) {
        struct file *file = fd_get(fds[i].fd);
        if (file && file->ops->waitq)
            wait_join(file->ops->waitq(file), &nodes[joined++]);
    }
    return joined;
}

/* How many are ready; 0 at the deadline; -ERESTARTNOHAND. The files are held while their queues are
 * joined. */
static int poll_until(struct pollfd *fds, unsigned count, uint64_t deadline)
{
    struct wait_node *nodes = heap_alloc((count + 1) * sizeof(*nodes));
    struct file **held = heap_alloc((count + 1) * sizeof(*held));
    int ready = nodes && held ? 0 : -ENOMEM;
    while (ready == 0) {
        ready = look(fds, count);
        if (ready)
            break;
        for (unsigned i = 0; i < count; i++) {
            held[i] = fd_get(fds[i].fd);
            if (held[i])
                file_get(held[i]);
        }
        int joined = join(fds, count, nodes);
        int rc = wait_block(deadline);
        while (joined)
            wait_leave(&nodes[--joined]);
        for (unsigned i = 0; i < count; i++)
            file_put(held[i]);
        if (rc < 0) {
            ready = look(fds, count);
            if (!ready && rc != -ETIMEDOUT)
                ready = -ERESTARTNOHAND;
            break;
        }
    }
    heap_free(nodes);
    heap_free(held);
    return ready;
}

static long poll_user(uint64_t at, uint64_t count, uint64_t deadline)
{
    if (count > (uint64_t)fd_limit())
        return -EINVAL;
    size_t bytes = count * sizeof(struct pollfd);
    struct pollfd *fds = heap_alloc(bytes + 1);
    if (!fds)
        return -ENOMEM;
    long rc = user_in(fds, at, bytes);
    if (rc == 0)
        rc = poll_until(fds, (unsigned)count, deadline);
    if (rc >= 0 && user_out(at, fds, bytes) < 0)
        rc = -EFAULT;
    heap_free(fds);
    return rc;
}

long sys_poll(const uint64_t a[6])
{
    int ms = (int)a[2];
    return poll_user(a[0], (uint32_t)a[1], ms < 0 ? NEVER : call_deadline((uint64_t)ms * 1000000));
}

static int timespec_deadline(uint64_t at, uint64_t *out)
{
    struct __kernel_timespec ts;
    *out = NEVER;
    if (!at)
        return 0;
    if (user_in(&ts, at, sizeof(ts)) < 0)
        return -EFAULT;
    if (ts.tv_sec < 0 || (uint64_t)ts.tv_nsec >= NS_PER_S)
        return -EINVAL;
    *out = call_deadline(call_ns(ts.tv_sec, ts.tv_nsec));
    return 0;
}

static int mask_in(uint64_t at, uint64_t size)
{
    uint64_t mask;
    if (!at)
        return 0;
    if (size != sizeof(mask))
        return -EINVAL;
    if (user_in(&mask, at, sizeof(mask)) < 0)
        return -EFAULT;
    signal_suspend_mask(mask);
    return 0;
}

/* Linux tells how much time is left. */
static void time_left(uint64_t at, uint64_t deadline, bool micro)
{
    if (!at || deadline == NEVER)
        return;
    uint64_t now = time_mono_ns(), left = deadline > now ? deadline - now : 0;
    int64_t out[2] = {(int64_t)(left / NS_PER_S), (int64_t)(left % NS_PER_S / (micro ? 1000 : 1))};
    user_out(at, out, sizeof(out));
}

long sys_ppoll(const uint64_t a[6])
{
    uint64_t deadline;
    int rc = timespec_deadline(a[2], &deadline);
    if (rc == 0)
        rc = mask_in(a[3], a[4]);
    if (rc < 0)
        return rc;
    long ready = poll_user(a[0], (uint32_t)a[1], deadline);
    time_left(a[2], deadline, false);
    return ready;
}

#define SET_READ  (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SET_WRITE (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SET_OTHER POLLPRI

static long select_sets(unsigned count, uint64_t sets[3][16], uint64_t deadline)
{
    static const unsigned asks[3] = {POLLIN | POLLRDNORM | POLLRDBAND,
                                     POLLOUT | POLLWRNORM | POLLWRBAND, POLLPRI};
    static const unsigned means[3] = {SET_READ, SET_WRITE, SET_OTHER};
    struct pollfd *fds = heap_alloc(count * sizeof(*fds) + 1);
    if (!fds)
        return -ENOMEM;
    unsigned used = 0;
    for (unsigned fd = 0; fd < count; fd++) {
        unsigned events = 0;
        for (int k = 0; k < 3; k++)
            events |= sets[k][fd / 64] >> (fd % 64) & 1 ? asks[k] : 0;
        if (!events)
            continue;
        if (!fd_get((int)fd)) {
            heap_free(fds);
            return -EBADF;
        }
        fds[used++] = (struct pollfd){.fd = (int)fd, .events = (short)events};
    }
    long rc = poll_until(fds, used, deadline);
    long bits = 0;
    uint64_t out[3][16] = {{0}};
    for (unsigned i = 0; rc >= 0 && i < used; i++) {
        for (int k = 0; k < 3; k++) {
            if ((unsigned)fds[i].events & asks[k] && (unsigned)fds[i].revents & means[k]) {
                out[k][fds[i].fd / 64] |= 1UL << (fds[i].fd % 64);
                bits++;
            }
        }
    }
    heap_free(fds);
    if (rc < 0)
        return rc;
    memcpy(sets, out, sizeof(out));
    return bits;
}

static long select_user(const uint64_t a[6], uint64_t deadline)
{
    int wish = (int)a[0];
    if (wish < 0)
        return -EINVAL;
    unsigned count = (unsigned)min_u64((uint64_t)wish, 1024);
    size_t bytes = (count + 63) / 64 * 8;
    uint64_t sets[3][16] = {{0}};
    for (int k = 0; k < 3; k++) {
        if (a[k + 1] && user_in(sets[k], a[k + 1], bytes) < 0)
            return -EFAULT;
    }
    long rc = select_sets(count, sets, deadline);
    for (int k = 0; k < 3 && rc >= 0; k++) {
        if (a[k + 1] && user_out(a[k + 1], sets[k], bytes) < 0)
            rc = -EFAULT;
    }
    return rc;
}

long sys_select(const uint64_t a[6])
{
    uint64_t deadline = NEVER;
    int64_t tv[2];
    if (a[4]) {
        if (user_in(tv, a[4], sizeof(tv)) < 0)
            return -EFAULT;
        if (tv[0] < 0 || tv[1] < 0)
            return -EINVAL;
        deadline = call_deadline(call_ns(tv[0], tv[1] * 1000));
    }
    long rc = select_user(a, deadline);
    time_left(a[4], deadline, true);
    return rc;
}

long sys_pselect6(const uint64_t a[6])
{
    uint64_t deadline, mask[2] = {0, 8};
    int rc = timespec_deadline(a[4], &deadline);
    if (rc == 0 && a[5] && user_in(mask, a[5], sizeof(mask)) < 0)
        rc = -EFAULT;
    if (rc == 0)
        rc = mask_in(mask[0], mask[1]);
    if (rc < 0)
        return rc;
    long ready = select_user(a, deadline);
    time_left(a[4], deadline, false);
    return ready;
}
