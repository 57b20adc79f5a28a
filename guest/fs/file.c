// SPDX-License-Identifier: Apache-2.0
/* Open files and the table of descriptors. */
#include "file.h"

#include "../kernel/process.h"
#include "../mm/heap.h"
#include "inode.h"
#include "lock.h"
#include "tree.h"

struct slot {
    struct file *file;
    bool cloexec;
};

static struct {
    struct slot *slots;
    int room;
    int first_free; /* none is free below */
} table;

struct file *file_new(const struct file_ops *ops, struct inode *inode, struct dentry *dentry,
                      uint32_t flags)
{
    struct file *file = heap_alloc(sizeof(*file));
    if (!file)
        return NULL;
    static uint64_t next_id;
    file->refs = 1;
    file->id = ++next_id;
    file->ops = ops;
    file->flags = flags;
    file->inode = inode;
    file->dentry = dentry;
    if (inode)
        inode_get(inode);
    if (dentry)
        dentry_get(dentry);
    return file;
}

void file_get(struct file *file)
{
    file->refs++;
}

void file_put(struct file *file)
{
    if (!file || --file->refs > 0)
        return;
    lock_drop(file);
    if (file->ops->close)
        file->ops->close(file);
    inode_put(file->inode);
    dentry_put(file->dentry);
    heap_free(file);
}

int file_share(struct file *to, const struct file *from)
{
    if (from->ops->close && !from->ops->share)
        return -ENXIO;
    to->ops = from->ops;
    to->data = from->data;
    to->extra = from->extra;
    if (to->ops->share)
        to->ops->share(to);
    return 0;
}

int fd_limit(void)
{
    return (int)process.open_max;
}

int fd_highest(void)
{
    return table.room;
}

struct file *fd_get(int fd)
{
    return fd >= 0 && fd < table.room ? table.slots[fd].file : NULL;
}

static int room_for(int fd)
{
    if (fd < table.room)
        return 0;
    int room = table.room ? table.room : 64;
    while (room <= fd)
        room *= 2;
    struct slot *slots =
        heap_grow(table.slots, (size_t)table.room * sizeof(*slots), (size_t)room * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    table.slots = slots;
    table.room = room;
    return 0;
}

int fd_install(struct file *file, int low, bool cloexec)
{
    int fd = low > table.first_free ? low : table.first_free;
    while (fd < table.room && table.slots[fd].file)
        fd++;
    int rc = fd >= fd_limit() ? -EMFILE : room_for(fd);
    if (rc < 0) {
        file_put(file);
        return rc;
    }
    table.slots[fd] = (struct slot){.file = file, .cloexec = cloexec};
    if (low <= table.first_free)
        table.first_free = fd + 1;
    return fd;
}

int fd_put_at(int fd, struct file *file, bool cloexec)
{
    int rc = room_for(fd);
    if (rc < 0) {
        file_put(file);
        return rc;
    }
    struct file *old = table.slots[fd].file;
    table.slots[fd] = (struct slot){.file = file, .cloexec = cloexec};
    file_put(old);
    return fd;
}

int fd_close(int fd)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    table.slots[fd].file = NULL;
    if (fd < table.first_free)
        table.first_free = fd;
    file_put(file);
    return 0;
}

bool fd_cloexec(int fd)
{
    return table.slots[fd].cloexec;
}

void fd_set_cloexec(int fd, bool on)
{
    table.slots[fd].cloexec = on;
}
