/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the main filter; see filter.c. */
#ifndef SKERRY_JAIL_FILTER_TABLE_H
#define SKERRY_JAIL_FILTER_TABLE_H

#include <stddef.h>

enum grant_when {
    GRANT_ALWAYS = 0,
    GRANT_OWN_IPC, /* with an IPC namespace of its own */
    GRANT_OWN_NET, /* with a network of its own: the sockets come from the notify handler */
};

struct filter_grant {
    int number;
    enum grant_when when;
    const char *reason;
};

extern const struct filter_grant filter_grants[];
extern const size_t filter_grant_count;

/* Calls that need privilege: EPERM instead of ENOSYS, so that programs say the right thing. */
extern const int filter_refusals[];
extern const size_t filter_refusal_count;

#endif
