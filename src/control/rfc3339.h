/* SPDX-License-Identifier: Apache-2.0 */
/* Times of RFC 3339, as clients write them and our logs do. */
#ifndef SKERRY_CONTROL_RFC3339_H
#define SKERRY_CONTROL_RFC3339_H

#include <stdint.h>

/*
 * "2026-01-02T03:04:05[.FRACTION](Z|+HH:MM|-HH:MM)" as microseconds since 1970 (what is finer is
 * dropped, what is earlier is 0). 0, or -EINVAL and *out_us is untouched. RFC 3339 section 5.6; a
 * leap second counts as the one before it.
 */
int rfc3339_parse(const char *text, uint64_t *out_us);

#endif
