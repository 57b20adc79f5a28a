/* SPDX-License-Identifier: Apache-2.0 */
/* What skerry-warm says to pid 1, and the descriptors by which it does. */
#ifndef SKERRY_WARM_SELF_H
#define SKERRY_WARM_SELF_H

#include <stdint.h>

struct self {
    int socket;   /* to pid 1 */
    int snapshot; /* the memfd */
};
extern struct self self;

extern const char leave_page[]; /* what stays mapped (entry.S) */
_Noreturn void enter_program(uint64_t entry, uint64_t stack);
_Noreturn void return_to_program(uint64_t frame, uint64_t low, uint64_t low_bytes, uint64_t high,
                                 uint64_t high_bytes);
void trap_restorer(void);

/* WARM_READY or WARM_MADE. */
void say(uint32_t kind);

/* Says WARM_REFUSED with a sentence without its end, and ends. name, unless NULL, follows it. */
_Noreturn void refuse(const char *reason, const char *name);

/* The same with a number of an error. */
_Noreturn void refuse_error(const char *what, long error);

_Noreturn void leave(int status);

#endif
