/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's own memory. */
#ifndef SKERRY_GUEST_HEAP_H
#define SKERRY_GUEST_HEAP_H

#include "../kernel/base.h"

/** heap_alloc(): len bytes, aligned to 16 (64 from 64 bytes on), cleared; at most 4 MiB. NULL when
 * memory is used up. */
void *heap_alloc(size_t len);

/** heap_grow(): the same contents in a place of new_len bytes, what is new cleared. NULL, and
 * nothing changed, when there is none. */
void *heap_grow(void *old, size_t old_len, size_t new_len);

/** heap_free(): gives it back; NULL is allowed. */
void heap_free(void *ptr);

/** heap_string(): a copy of a string of len bytes, with a zero behind. */
char *heap_string(const char *s, size_t len);

#endif
