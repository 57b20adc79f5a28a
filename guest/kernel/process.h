/* SPDX-License-Identifier: Apache-2.0 */
/* The one process of the guest: what its threads share. */
#ifndef SKERRY_GUEST_PROCESS_H
#define SKERRY_GUEST_PROCESS_H

#include "base.h"

#define PROCESS_PID 2 /* as in the jail tier, where 1 is the sandbox's own first process */

#define PROCESS_MEMLOCK (8UL << 20) /* RLIMIT_MEMLOCK: Linux's own default */

struct dentry;

struct process {
    uint32_t uid, gid;
    uint32_t umask;
    uint32_t open_max;
    uint64_t threads_max;
    uint64_t files_max; /* bytes that files in memory may take; 0: no limit */
    struct dentry *cwd;
    struct dentry *exe;
    char hostname[65];
    char *cmdline; /* arguments, each with its zero */
    size_t cmdline_len;
    char *environ;
    size_t environ_len;
    uint64_t brk_start, brk_end, brk_limit;
    uint64_t stack_top, stack_bytes;
    uint64_t started_ns;
    uint64_t auxv[48];
    size_t auxv_count;
    bool trace;
    bool snapshot; /* to be taken before the first read of stdin */
    bool dumpable;
};

extern struct process process;

struct vm_boot;

/** kernel_setup(): all of the boot but the program: clocks, memory, files, the first thread. Once.
 */
void kernel_setup(const struct vm_boot *boot);

/**
 * kernel_wait(): a pooled machine has all but its program's strings: waits for them. The boot block
 * is then written anew, and with it clocks and random numbers.
 */
void kernel_wait(const struct vm_boot *boot);

/**
 * snapshot_take(): lets the monitor keep a copy of this machine, once; what runs on, perhaps in
 * another machine and much later, has the clocks as they are then, random numbers that no other
 * copy has, and the environment of its request.
 */
void snapshot_take(void);

#endif
