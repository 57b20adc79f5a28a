/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confinement of our own service processes (gateway, API, importer, ELF reader): the calling
 * process gives up all it does not need, for good, before it reads a byte that it does not trust.
 */
#ifndef SKERRY_JAIL_CONFINE_H
#define SKERRY_JAIL_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum confine_profile {
    CONFINE_GATEWAY, /* epoll, sockets it holds, pipes, SCM_RIGHTS; no files, no new processes */
    CONFINE_API,     /* the same, and pread on the descriptors it was given */
    CONFINE_IMPORT,  /* files below its root, and the decompression's needs; no sockets */
    CONFINE_PARSE,   /* read/pread/write on what it holds, memory, exit: for pure parsers */
};

struct confine_options {
    enum confine_profile profile;
    uid_t uid; /* host uid and gid to become when privileged; else the own uid is kept */
    gid_t gid;
    int root_fd; /* -1: an empty root; else this directory becomes the root, read-write (IMPORT) */
    uint64_t mem_bytes; /* RLIMIT_AS, 0: none */
};

/*
 * New user (where unprivileged), mount, IPC, UTS, network and cgroup namespaces, a root of its own,
 * no capabilities, NO_NEW_PRIVS, rlimits (no core, no new files where the profile has none),
 * seccomp. Descriptors that are open stay open: close what is not needed before. The process must
 * be single-threaded. 0, or -errno: then the process must exit, it may be half confined.
 */
int confine_self(const struct confine_options *options, struct err *err);

#endif
