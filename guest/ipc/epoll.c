// SPDX-License-Identifier: Apache-2.0
/*
 * epoll. An item remembers how often its file's queue had been woken when it was last reported:
 * edge-triggered items are reported again only after another wake-up. A file that is closed takes
 * its items with it when it is looked at.
 */
#include <asm/poll.h>
#include <linux/eventpoll.h>

#include "../fs/inode.h"
#include "../kernel/call.h"
#include "../kernel/thread.h"
#include "../mm/heap.h"
#include "../mm/space.h"
#include "anon.h"

#define ALWAYS     (EPOLLERR | EPOLLHUP)
#define MODE_BITS  (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)
#define EVENTS_MAX 4096

struct item {
    struct list link;
    int fd;
    struct file *file; /* no reference: see alive() */
    uint64_t file_id;
    uint32_t events;
    uint64_t data;
    uint64_t seen;
    bool off; /* EPOLLONESHOT has fired */
};

struct epoll {
    struct waitq queue;
    struct list items;
    size_t count;
};

/* An item lives as long as its descriptor leads to the same open file. */
static bool alive(const struct item *item)
{
    return fd_get(item->fd) == item->file && item->file->id == item->file_id;
}

static void drop(struct epoll *epoll, struct item *item)
{
    list_del(&item->link);
    heap_free(item);
    epoll->count--;
}

static uint32_t ready_of(struct item *item)
{
    if (item->off)
        return 0;
    uint32_t is = file_poll(item->file) & ((item->events & ~MODE_BITS) | ALWAYS);
    if (item->events & EPOLLET && item->file->ops->waitq &&
        item->seen == item->file->ops->waitq(item->file)->events)
        return 0;
    return is;
}

static void sweep(struct epoll *epoll)
{
    for (struct list *at = epoll->items.next; at != &epoll->items;) {
        struct item *item = container_of(at, struct item, link);
        at = at->next;
        if (!alive(item))
            drop(epoll, item);
    }
}

static unsigned epoll_poll(struct file *file)
{
    struct epoll *epoll = file->data;
    sweep(epoll);
    for (struct list *at = epoll->items.next; at != &epoll->items; at = at->next) {
        if (ready_of(container_of(at, struct item, link)))
            return POLLIN | POLLRDNORM;
    }
    return 0;
}

static struct waitq *epoll_waitq(struct file *file)
{
    struct epoll *epoll = file->data;
    return &epoll->queue;
}

static void epoll_close(struct file *file)
{
    struct epoll *epoll = file->data;
    while (!list_empty(&epoll->items))
        drop(epoll, container_of(epoll->items.next, struct item, link));
    heap_free(epoll);
}

static const struct file_ops epoll_ops = {
    .poll = epoll_poll, .waitq = epoll_waitq, .close = epoll_close};

long sys_epoll_create1(const uint64_t a[6])
{
    if (a[0] & ~(uint64_t)O_CLOEXEC)
        return -EINVAL;
    struct epoll *epoll = heap_alloc(sizeof(*epoll));
    if (!epoll)
        return -ENOMEM;
    waitq_init(&epoll->queue);
    list_init(&epoll->items);
    return anon_install(&epoll_ops, epoll, O_RDWR, a[0] & O_CLOEXEC);
}

long sys_epoll_create(const uint64_t a[6])
{
    const uint64_t none[6] = {0};
    return (int)a[0] <= 0 ? -EINVAL : sys_epoll_create1(none);
}

static struct item *find(struct epoll *epoll, int fd)
{
    sweep(epoll);
    for (struct list *at = epoll->items.next; at != &epoll->items; at = at->next) {
        struct item *item = container_of(at, struct item, link);
        if (item->fd == fd)
            return item;
    }
    return NULL;
}

static long add(struct epoll *epoll, int fd, struct file *file, const struct epoll_event *event)
{
    struct item *item = heap_alloc(sizeof(*item));
    if (!item)
        return -ENOMEM;
    item->fd = fd;
    item->file = file;
    item->file_id = file->id;
    item->events = event->events;
    item->data = event->data;
    item->seen = UINT64_MAX;
    list_add_tail(&epoll->items, &item->link);
    epoll->count++;
    return 0;
}

long sys_epoll_ctl(const uint64_t a[6])
{
    int fd = (int)a[2];
    struct epoll_event event = {0};
    struct file *file = fd_get(fd), *self = fd_get((int)a[0]);
    if (a[1] != EPOLL_CTL_DEL && user_in(&event, a[3], sizeof(event)) < 0)
        return -EFAULT;
    if (!self || !file)
        return -EBADF;
    if (!file->ops->poll)
        return -EPERM;
    if (self->ops != &epoll_ops || file == self)
        return -EINVAL;
    struct epoll *epoll = self->data;
    struct item *item = find(epoll, fd);
    long rc = 0;
    switch (a[1]) {
    case EPOLL_CTL_ADD:
        rc = item ? -EEXIST : add(epoll, fd, file, &event);
        break;
    case EPOLL_CTL_DEL:
        if (!item)
            return -ENOENT;
        drop(epoll, item);
        return 0;
    case EPOLL_CTL_MOD:
        if (!item)
            return -ENOENT;
        item->events = event.events;
        item->data = event.data;
        item->seen = UINT64_MAX;
        item->off = false;
        break;
    default:
        return -EINVAL;
    }
    if (rc == 0)
        waitq_wake(&epoll->queue);
    return rc;
}

static int collect(struct epoll *epoll, struct epoll_event *out, int max)
{
    int found = 0;
    struct list *end = epoll->items.prev;
    sweep(epoll);
    if (list_empty(&epoll->items))
        return 0;
    end = epoll->items.prev;
    for (struct list *at = epoll->items.next; found < max;) {
        struct item *item = container_of(at, struct item, link);
        bool last = at == end;
        at = at->next;
        uint32_t is = ready_of(item);
        if (is) {
            out[found++] = (struct epoll_event){.events = is, .data = item->data};
            if (item->file->ops->waitq)
                item->seen = item->file->ops->waitq(item->file)->events;
            item->off = item->events & EPOLLONESHOT;
            /* Who was reported goes to the end, so that all get their turn. */
            list_del(&item->link);
            list_add_tail(&epoll->items, &item->link);
        }
        if (last)
            break;
    }
    return found;
}

static long wait_items(struct epoll *epoll, struct epoll_event *out, int max, uint64_t deadline)
{
    for (;;) {
        int found = collect(epoll, out, max);
        if (found)
            return found;
        size_t count = epoll->count, joined = 0;
        struct wait_node *nodes = heap_alloc((count + 1) * sizeof(*nodes));
        struct file **held = heap_alloc((count + 1) * sizeof(*held));
        if (!nodes || !held) {
            heap_free(nodes);
            heap_free(held);
            return -ENOMEM;
        }
        size_t holds = 0;
        wait_join(&epoll->queue, &nodes[joined++]);
        for (struct list *at = epoll->items.next; at != &epoll->items && joined <= count;
             at = at->next) {
            struct file *file = container_of(at, struct item, link)->file;
            if (!file->ops->waitq)
                continue;
            wait_join(file->ops->waitq(file), &nodes[joined++]);
            file_get(file);
            held[holds++] = file;
        }
        int rc = wait_block(deadline);
        while (joined)
            wait_leave(&nodes[--joined]);
        while (holds)
            file_put(held[--holds]);
        heap_free(nodes);
        heap_free(held);
        if (rc < 0) {
            found = collect(epoll, out, max);
            return found ? found : rc == -ETIMEDOUT ? 0 : -EINTR;
        }
    }
}

static long epoll_wait_until(int fd, uint64_t to, int max, uint64_t deadline)
{
    struct file *self = fd_get(fd);
    if (max <= 0)
        return -EINVAL;
    if (!self)
        return -EBADF;
    max = max > EVENTS_MAX ? EVENTS_MAX : max;
    size_t bytes = (size_t)max * sizeof(struct epoll_event);
    if (self->ops != &epoll_ops)
        return -EINVAL;
    struct epoll_event *out = heap_alloc(bytes);
    if (!out)
        return -ENOMEM;
    file_get(self);
    long rc = wait_items(self->data, out, max, deadline);
    file_put(self);
    if (rc > 0 && user_out(to, out, (size_t)rc * sizeof(*out)) < 0)
        rc = -EFAULT;
    heap_free(out);
    return rc;
}

long sys_epoll_wait(const uint64_t a[6])
{
    int ms = (int)a[3];
    return epoll_wait_until((int)a[0], a[1], (int)a[2],
                            ms < 0 ? NEVER : call_deadline((uint64_t)ms * 1000000));
}

long sys_epoll_pwait(const uint64_t a[6])
{
    uint64_t mask;
    if (a[4]) {
        if (a[5] != sizeof(mask))
            return -EINVAL;
        if (user_in(&mask, a[4], sizeof(mask)) < 0)
            return -EFAULT;
        signal_suspend_mask(mask);
    }
    return sys_epoll_wait(a);
}
