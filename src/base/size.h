/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and durations as people write them: 128M, 1.5G, 10s, 250ms. */
#ifndef SKERRY_BASE_SIZE_H
#define SKERRY_BASE_SIZE_H

#include <stdint.h>

/*
 * Parses a count of bytes with an optional suffix k, K, M, G, T or Ki, Mi, Gi, Ti (all powers of
 * 1024), fractions allowed. 0, or -EINVAL / -ERANGE.
 */
int size_parse(const char *text, uint64_t *out_bytes);

/* Parses a duration: a number with ns, us, ms, s, m or h ("10s", "1m30s"); a bare number is
 * seconds. */
int duration_parse(const char *text, uint64_t *out_ns);

/* Parses a count of CPUs ("0.5", "2", "500m") into thousandths, 1 to 1024000; "none" is 0. */
int cpus_parse(const char *text, uint32_t *out_millis);

#endif
