/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_WARM_RESTORE_H
#define SKERRY_WARM_RESTORE_H

#include "warm/load.h"
#include "warm/snapshot.h"

/* Brings the snapshot back, takes one request and goes on in the program's read. start: what the
 * kernel told skerry-warm. */
_Noreturn void restore(const struct start *start);

/* Says READY, waits for the request, and gives the program its descriptors and environment. Ends
 * the process when nobody asks, or what comes is no request. */
void request_take(const struct head *head);

#endif
