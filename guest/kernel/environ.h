/* SPDX-License-Identifier: Apache-2.0 */
/* Room in a program's environment for what a request brings after a snapshot. */
#ifndef SKERRY_GUEST_ENVIRON_H
#define SKERRY_GUEST_ENVIRON_H

#include "base.h"

struct vm_boot;

/** environ_slots(): how many pointers envp gets behind the program's own; 0 without a snapshot. */
size_t environ_slots(void);

/** environ_reserve(): takes the room for their strings below `top` of the stack, which is zero;
 * returns its lower end. */
uint64_t environ_reserve(uint64_t top);

/** environ_point(): fills the pointers, environ_slots() of them, with empty strings. */
void environ_point(uint64_t *slots);

/** environ_add(): puts the request's variables, the boot block's strings, where getenv finds them,
 * and into /proc/self/environ. */
void environ_add(const struct vm_boot *boot);

#endif
