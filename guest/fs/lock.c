// SPDX-License-Identifier: Apache-2.0
/* flock(2): an inode knows its exclusive holder and counts the shared ones. Who waits, waits for
 * any lock to go. */
#include "lock.h"

#include "../kernel/wait.h"
#include "file.h"
#include "inode.h"

#define FLOCK_SH 1u
#define FLOCK_EX 2u
#define FLOCK_NB 4u
#define FLOCK_UN 8u

static struct waitq released = {.nodes = {&released.nodes, &released.nodes}};

void lock_drop(struct file *file)
{
    if (!file->locked)
        return;
    if (file->locked == FLOCK_EX)
        file->inode->locker = NULL;
    else
        file->inode->shared_lockers--;
    file->locked = 0;
    waitq_wake(&released);
}

static bool try_lock(struct file *file, unsigned kind)
{
    struct inode *inode = file->inode;
    if (inode->locker || (kind == FLOCK_EX && inode->shared_lockers))
        return false;
    if (kind == FLOCK_EX)
        inode->locker = file;
    else
        inode->shared_lockers++;
    file->locked = kind;
    return true;
}

long lock_flock(struct file *file, unsigned operation)
{
    unsigned kind = operation & ~FLOCK_NB;
    if (kind != FLOCK_SH && kind != FLOCK_EX && kind != FLOCK_UN)
        return -EINVAL;
    if (file->locked == kind)
        return 0;
    lock_drop(file); /* a change of kind is not atomic: Linux says so too */
    if (kind == FLOCK_UN || !file->inode)
        return 0;
    while (!try_lock(file, kind)) {
        if (operation & FLOCK_NB)
            return -EAGAIN;
        int rc = wait_on(&released, NEVER);
        if (rc < 0)
            return rc;
    }
    return 0;
}
