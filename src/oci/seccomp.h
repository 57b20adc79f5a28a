/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `linux.seccomp` as a program of the kernel.
 *
 * libseccomp compiles it, in a program of its own (skerry-oci-seccomp): it costs a dozen
 * milliseconds and a dynamic start, and it is needed once a profile. Its result is kept in a cache
 * whose files hold the profile's text beside the program, so that what is found is compared byte
 * for byte and never guessed by a digest.
 */
#ifndef SKERRY_OCI_SECCOMP_H
#define SKERRY_OCI_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/spec.h"

struct oci_filter {
    unsigned short length;          /* instructions; 0: no filter */
    const struct sock_filter *code; /* within mapping */
    unsigned int flags; /* for seccomp(2): those of the profile, NEW_LISTENER if it notifies */
    bool notifies;
    bool compiled; /* the cache did not have it */
    void *mapping; /* of a file of the cache, or */
    size_t mapping_size;
    void *answer; /* what the compiler wrote */
};

/*
 * The program of a profile, from the cache or compiled now. cache_dir: a directory for the files,
 * made with mode 0700 when it is missing; NULL or one that is not ours alone: nothing is read from
 * or written to it. helper: path of skerry-oci-seccomp. *out is released by oci_filter_free. 0 or
 * -errno.
 */
int oci_seccomp_get(const struct oci_seccomp *seccomp, const char *cache_dir, const char *helper,
                    struct oci_filter *out, struct err *err);

/* Fine on a zeroed one. */
void oci_filter_free(struct oci_filter *filter);

#endif
