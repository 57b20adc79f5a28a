/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch: a seccomp filter that "make" puts on the process before the program runs. It brings
 * the first read of stdin, and each call that leaves something behind which nobody could bring
 * back, to a SIGSYS handler (trap.c); all else runs as ever. The jail's own filters stay in force.
 */
#ifndef SKERRY_WARM_WATCH_H
#define SKERRY_WARM_WATCH_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define WATCH_LENGTH_MAX 512

struct watch {
    uint64_t own_lo, own_hi; /* calls made from here are skerry-warm's: allowed */
    uint32_t fds_lo, fds_hi; /* descriptors that are skerry-warm's: not to be closed */
};

/* What a trapped call means. */
enum watch_class {
    WATCH_READS_STDIN = 1, /* if 0 is the pipe that skerry-warm made */
    WATCH_MAY_WAIT,        /* for stdin, as its pollfds or sets say */
    WATCH_SIGSYS_ACTION,   /* asks for or sets what is ours here */
    WATCH_LINK,            /* may ask for /proc/self/exe */
    WATCH_EXEC,            /* becomes another program: under the same watch */
    WATCH_END,
    WATCH_REFUSED, /* reason holds */
};

/* Writes the filter; returns its length. Pure. */
uint32_t watch_filter(const struct watch *watch, struct sock_filter out[WATCH_LENGTH_MAX]);

/* What a call that the filter brought means; for WATCH_REFUSED out_reason is a sentence. Pure. */
enum watch_class watch_class_of(uint32_t number, const char **out_reason);

#endif
