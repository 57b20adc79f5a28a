// SPDX-License-Identifier: Apache-2.0
/* eventfd, timerfd, signalfd and memfd_create: descriptors for a counter, a clock, signals and
 * memory. */
#include <asm/poll.h>
#include <linux/memfd.h>
#include <linux/signalfd.h>
#include <linux/time_types.h>

#include "../fs/inode.h"
#include "../fs/regular.h"
#include "../fs/tree.h"
#include "../kernel/call.h"
#include "../kernel/thread.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "anon.h"

#define EFD_SEMAPHORE 1u
#define TFD_ABSTIME   1u
#define TFD_CANCEL    2u

struct counter {
    struct waitq queue;
    uint64_t value;
    bool semaphore;
    /* of a timer */
    struct timer timer;
    uint64_t interval_ns;
    bool realtime;
    uint64_t mask; /* of signals */
};

static struct inode *anon_inode;

long anon_install(const struct file_ops *ops, void *data, uint32_t flags, bool cloexec)
{
    if (!anon_inode) {
        anon_inode = inode_new(0600, DEV_ANON);
        if (!anon_inode)
            return -ENOMEM;
    }
    struct file *file = file_new(ops, anon_inode, NULL, flags);
    if (!file) {
        heap_free(data);
        return -ENOMEM;
    }
    file->data = data;
    return fd_install(file, 0, cloexec);
}

unsigned file_poll(struct file *file)
{
    return file->ops->poll ? file->ops->poll(file) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

static struct counter *counter_new(void)
{
    struct counter *counter = heap_alloc(sizeof(*counter));
    if (counter)
        waitq_init(&counter->queue);
    return counter;
}

static struct waitq *counter_waitq(struct file *file)
{
    struct counter *counter = file->data;
    return &counter->queue;
}

static long counter_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    (void)pos;
    struct counter *counter = file->data;
    if (len < sizeof(uint64_t))
        return -EINVAL;
    while (!counter->value) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int rc = wait_on(&counter->queue, NEVER);
        if (rc < 0)
            return rc;
    }
    uint64_t value = counter->semaphore ? 1 : counter->value;
    counter->value -= value;
    memcpy(to, &value, sizeof(value));
    waitq_wake(&counter->queue);
    return sizeof(value);
}

static long event_write(struct file *file, const void *from, size_t len, uint64_t *pos)
{
    (void)pos;
    struct counter *counter = file->data;
    uint64_t add;
    if (len < sizeof(add))
        return -EINVAL;
    memcpy(&add, from, sizeof(add));
    if (add == UINT64_MAX)
        return -EINVAL;
    while (counter->value > UINT64_MAX - 1 - add) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int rc = wait_on(&counter->queue, NEVER);
        if (rc < 0)
            return rc;
    }
    counter->value += add;
    waitq_wake(&counter->queue);
    return sizeof(add);
}

static unsigned event_poll(struct file *file)
{
    struct counter *counter = file->data;
    return (counter->value ? POLLIN | POLLRDNORM : 0) |
           (counter->value < UINT64_MAX - 1 ? POLLOUT | POLLWRNORM : 0);
}

static void counter_close(struct file *file)
{
    struct counter *counter = file->data;
    heap_free(counter);
}

static const struct file_ops event_ops = {
    .read = counter_read,
    .write = event_write,
    .poll = event_poll,
    .waitq = counter_waitq,
    .close = counter_close,
};

long sys_eventfd2(const uint64_t a[6])
{
    uint32_t flags = (uint32_t)a[1];
    if (flags & ~(uint32_t)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    struct counter *counter = counter_new();
    if (!counter)
        return -ENOMEM;
    counter->value = (uint32_t)a[0];
    counter->semaphore = flags & EFD_SEMAPHORE;
    return anon_install(&event_ops, counter, O_RDWR | (flags & O_NONBLOCK), flags & O_CLOEXEC);
}

long sys_eventfd(const uint64_t a[6])
{
    const uint64_t b[6] = {a[0], 0};
    return sys_eventfd2(b);
}

static void clock_fires(struct timer *timer)
{
    struct counter *counter = container_of(timer, struct counter, timer);
    uint64_t now = time_mono_ns();
    counter->value++;
    if (counter->interval_ns) {
        uint64_t late =
            now > timer->deadline_ns ? (now - timer->deadline_ns) / counter->interval_ns : 0;
        counter->value += late;
        timer_start(timer, timer->deadline_ns + (late + 1) * counter->interval_ns);
    }
    waitq_wake(&counter->queue);
}

static unsigned clock_poll(struct file *file)
{
    struct counter *counter = file->data;
    return counter->value ? POLLIN | POLLRDNORM : 0;
}

static void clock_close(struct file *file)
{
    struct counter *counter = file->data;
    timer_stop(&counter->timer);
    heap_free(counter);
}

static const struct file_ops clock_ops = {
    .read = counter_read,
    .poll = clock_poll,
    .waitq = counter_waitq,
    .close = clock_close,
};

long sys_timerfd_create(const uint64_t a[6])
{
    uint32_t flags = (uint32_t)a[1];
    if (flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK) || (a[0] != 0 && a[0] != 1 && a[0] != 7))
        return -EINVAL;
    struct counter *counter = counter_new();
    if (!counter)
        return -ENOMEM;
    timer_init(&counter->timer, clock_fires);
    counter->realtime = a[0] == 0;
    return anon_install(&clock_ops, counter, O_RDWR | (flags & O_NONBLOCK), flags & O_CLOEXEC);
}

static void clock_left(const struct counter *counter, struct __kernel_itimerspec *out)
{
    bool runs = !list_empty(&counter->timer.link);
    uint64_t now = time_mono_ns(), at = counter->timer.deadline_ns;
    uint64_t left = !runs ? 0 : at > now ? at - now : 1;
    out->it_value = (struct __kernel_timespec){.tv_sec = (int64_t)(left / NS_PER_S),
                                               .tv_nsec = (int64_t)(left % NS_PER_S)};
    out->it_interval =
        (struct __kernel_timespec){.tv_sec = (int64_t)(counter->interval_ns / NS_PER_S),
                                   .tv_nsec = (int64_t)(counter->interval_ns % NS_PER_S)};
}

static struct counter *clock_of(int fd, long *out_error)
{
    struct file *file = fd_get(fd);
    *out_error = file ? -EINVAL : -EBADF;
    return file && file->ops == &clock_ops ? file->data : NULL;
}

long sys_timerfd_settime(const uint64_t a[6])
{
    long error;
    struct __kernel_itimerspec new, old;
    if (user_in(&new, a[2], sizeof(new)) < 0)
        return -EFAULT;
    if (a[1] & ~(uint64_t)(TFD_ABSTIME | TFD_CANCEL) || new.it_value.tv_sec < 0 ||
        new.it_interval.tv_sec < 0 || (uint64_t) new.it_value.tv_nsec >= NS_PER_S ||
        (uint64_t) new.it_interval.tv_nsec >= NS_PER_S)
        return -EINVAL;
    struct counter *counter = clock_of((int)a[0], &error);
    if (!counter)
        return error;
    clock_left(counter, &old);
    if (a[3] && user_out(a[3], &old, sizeof(old)) < 0)
        return -EFAULT;
    timer_stop(&counter->timer);
    counter->value = 0;
    counter->interval_ns = call_ns(new.it_interval.tv_sec, new.it_interval.tv_nsec);
    uint64_t at = call_ns(new.it_value.tv_sec, new.it_value.tv_nsec);
    if (!at)
        return 0;
    if (!(a[1] & TFD_ABSTIME))
        at = call_deadline(at);
    else if (counter->realtime)
        at = at > (uint64_t)time_real_offset_ns() ? at - (uint64_t)time_real_offset_ns() : 1;
    timer_start(&counter->timer, at);
    timers_run();
    return 0;
}

long sys_timerfd_gettime(const uint64_t a[6])
{
    long error;
    struct __kernel_itimerspec now;
    struct counter *counter = clock_of((int)a[0], &error);
    if (!counter)
        return error;
    clock_left(counter, &now);
    return user_out(a[1], &now, sizeof(now));
}

static long signals_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    (void)pos;
    struct counter *counter = file->data;
    struct signalfd_siginfo *out = to;
    siginfo_t info;
    size_t done = 0;
    if (len < sizeof(*out))
        return -EINVAL;
    while (!done) {
        while (len - done >= sizeof(*out) && signal_take(counter->mask, &info)) {
            memset(out, 0, sizeof(*out));
            out->ssi_signo = (uint32_t)info.si_signo;
            out->ssi_errno = info.si_errno;
            out->ssi_code = info.si_code;
            out->ssi_pid = (uint32_t)info.si_pid;
            out->ssi_uid = info.si_uid;
            out->ssi_int = info.si_int;
            out->ssi_ptr = (uint64_t)info.si_ptr;
            out++;
            done += sizeof(*out);
        }
        if (done)
            break;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        current->waiting_for = counter->mask;
        int rc = wait_block(NEVER);
        current->waiting_for = 0;
        if (rc < 0)
            return rc;
    }
    return (long)done;
}

static unsigned signals_poll(struct file *file)
{
    struct counter *counter = file->data;
    return (current->pending.set | signal_shared.set) & counter->mask ? POLLIN | POLLRDNORM : 0;
}

struct waitq signal_arrived = {.nodes = {&signal_arrived.nodes, &signal_arrived.nodes}};

static struct waitq *signals_waitq(struct file *file)
{
    (void)file;
    return &signal_arrived;
}

static const struct file_ops signals_ops = {
    .read = signals_read,
    .poll = signals_poll,
    .waitq = signals_waitq,
    .close = counter_close,
};

long sys_signalfd4(const uint64_t a[6])
{
    uint64_t mask;
    uint32_t flags = (uint32_t)a[3];
    if (a[2] != sizeof(mask) || flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    if (user_in(&mask, a[1], sizeof(mask)) < 0)
        return -EFAULT;
    mask &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
    if ((int)a[0] != -1) {
        struct file *file = fd_get((int)a[0]);
        if (!file)
            return -EBADF;
        if (file->ops != &signals_ops)
            return -EINVAL;
        ((struct counter *)file->data)->mask = mask;
        return (int)a[0];
    }
    struct counter *counter = counter_new();
    if (!counter)
        return -ENOMEM;
    counter->mask = mask;
    return anon_install(&signals_ops, counter, O_RDWR | (flags & O_NONBLOCK), flags & O_CLOEXEC);
}

long sys_signalfd(const uint64_t a[6])
{
    const uint64_t b[6] = {a[0], a[1], a[2], 0};
    return sys_signalfd4(b);
}

long sys_memfd_create(const uint64_t a[6])
{
    char name[250];
    long len = user_string(name, a[0], sizeof(name));
    if (len < 0)
        return len == -ENAMETOOLONG ? -EINVAL : len;
    uint32_t flags = (uint32_t)a[1];
    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | 8U | 16U))
        return -EINVAL;
    struct inode *inode = inode_new(S_IFREG | 0777, DEV_SHM);
    if (!inode)
        return -ENOMEM;
    inode->nlink = 0;
    inode->seals = flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
    struct file *file = file_new(&regular_ops, inode, NULL, O_RDWR | 0100000);
    inode_put(inode);
    return file ? fd_install(file, 0, flags & MFD_CLOEXEC) : -ENOMEM;
}
