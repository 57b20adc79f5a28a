/* SPDX-License-Identifier: Apache-2.0 */
/* flock(2): locks of open files. Locks of fcntl are the process's own and never meet another. */
#ifndef SKERRY_GUEST_LOCK_H
#define SKERRY_GUEST_LOCK_H

struct file;

/** lock_flock(): LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB: 0, -EWOULDBLOCK, -ERESTARTSYS, -EINVAL.
 */
long lock_flock(struct file *file, unsigned operation);

/** lock_drop(): the file is closed: its lock goes. */
void lock_drop(struct file *file);

#endif
