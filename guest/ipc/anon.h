/* SPDX-License-Identifier: Apache-2.0 */
/* Open files without a name: eventfd, timerfd, signalfd, epoll. */
#ifndef SKERRY_GUEST_ANON_H
#define SKERRY_GUEST_ANON_H

#include "../fs/file.h"

/** anon_install(): a descriptor for data with these operations; on failure data is freed with
 * ops->close's help. */
long anon_install(const struct file_ops *ops, void *data, uint32_t flags, bool cloexec);

/** file_poll(): what poll says of an open file: files without the operation are always ready. */
unsigned file_poll(struct file *file);

#endif
