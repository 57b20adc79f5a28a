/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes: ChaCha20 keyed by the host's seed; the key is replaced after each use (fast key
 * erasure). */
#ifndef SKERRY_GUEST_RANDOM_H
#define SKERRY_GUEST_RANDOM_H

#include "base.h"

/** random_mix(): stirs bytes into the key: the seed at boot, a new one after a restore, what
 * programs write. */
void random_mix(const void *from, size_t len);

void random_bytes(void *to, size_t len);

#endif
