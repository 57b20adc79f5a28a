/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_JAIL_PROC_MASK_H
#define SKERRY_JAIL_PROC_MASK_H

/*
 * Covers the paths of a full /proc that tell about the host. Runs in the sandbox before it gives up
 * its rights; raw system calls only. 0 or -errno.
 */
long proc_mask(void);

#endif
