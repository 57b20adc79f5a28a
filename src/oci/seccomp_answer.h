/* SPDX-License-Identifier: Apache-2.0 */
/* What skerry-oci-seccomp writes to stdout, and the beginning of a file of the cache. */
#ifndef SKERRY_OCI_SECCOMP_ANSWER_H
#define SKERRY_OCI_SECCOMP_ANSWER_H

#include <assert.h>
#include <linux/filter.h>
#include <stdint.h>

#define SECCOMP_INSTRUCTIONS_MAX 4096 /* the kernel's BPF_MAXINSNS */

/*
 * The library that compiled it, so that another version of it compiles anew: what a file of the
 * cache names is compared with what stands there now.
 */
struct seccomp_library {
    char path[256];
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t modified_ns;
};

struct seccomp_answer {
    uint32_t count; /* instructions */
    uint32_t zero;
    struct seccomp_library library;
    /* struct sock_filter code[count] follows */
};
static_assert(sizeof(struct seccomp_answer) == 8 + 256 + 32,
              "no padding: it is compared and written");

#define SECCOMP_ANSWER_MAX                                                                         \
    (sizeof(struct seccomp_answer) + SECCOMP_INSTRUCTIONS_MAX * sizeof(struct sock_filter))

#endif
