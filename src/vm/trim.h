/* SPDX-License-Identifier: Apache-2.0 */
/* Gives back to the host what an idle guest holds of memory but does not use. */
#ifndef SKERRY_VM_TRIM_H
#define SKERRY_VM_TRIM_H

#include "vm/memory.h"

/*
 * Frees the pages of RAM that hold only zeroes, by way of huge pages becoming small ones. The guest
 * must not run meanwhile; it sees no difference but in the time of its next touches.
 */
void trim_zeroes(struct guest_memory *memory);

#endif
