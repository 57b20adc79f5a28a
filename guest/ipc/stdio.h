/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors 0, 1 and 2: rings shared with the monitor. */
#ifndef SKERRY_GUEST_STDIO_H
#define SKERRY_GUEST_STDIO_H

#include "../kernel/base.h"

/** stdio_open(): makes descriptors 0, 1, 2; kinds are st_mode of what they are on the host. */
int stdio_open(const uint32_t kinds[3]);

struct file;

/** stdio_is(): whether a file is one of them. */
bool stdio_is(const struct file *file);

/** stdio_poll(): looks whether a ring has moved and wakes who waits. */
void stdio_poll(void);

/** stdio_resume(): after a snapshot the rings begin anew. */
void stdio_resume(void);

/** stdio_flush(): what is in the output rings is the monitor's to drain when the machine ends. */
void stdio_flush(void);

/** console_trace(): a line into the trace ring; what does not fit is lost. */
void stdio_trace(const char *text, size_t len);

#endif
