/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's side of the rings. The guest may write anything into them at any time: an index is
 * read once, and when it claims more than the ring holds, the guest is called broken. The monitor's
 * own index is kept here and only published there.
 */
#ifndef SKERRY_VM_RINGS_H
#define SKERRY_VM_RINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "skerry/abi/vm.h"
#include "vm/memory.h"

struct rings {
    struct vm_shared *shared; /* in the guest's RAM: never read twice */
    uint8_t *data[VM_RING_COUNT];
    uint32_t own[VM_RING_COUNT]; /* our index: head of stdin's, tail of the others */
    int fds[VM_RING_COUNT];      /* the host's ends: 0, 1, and 2 for the others */
    bool ended[VM_RING_COUNT];   /* stdin: end of file was told; others: nobody reads any more */
};

enum rings_result {
    RINGS_IDLE = 0,    /* nothing moved */
    RINGS_MOVED = 1,   /* bytes moved */
    RINGS_BROKEN = -1, /* the guest wrote indices that cannot be */
};

/* 0, or -EFAULT when the RAM is too small for them (cannot be after guest_memory_open). */
int rings_open(struct rings *rings, const struct guest_memory *memory);

/* Writes what an output ring holds to its descriptor, as much as that takes. EPIPE is told to the
 * guest. */
enum rings_result rings_drain(struct rings *rings, enum vm_ring_index index);

/* Drains all output rings. */
enum rings_result rings_drain_all(struct rings *rings);

/* Reads from stdin what fits, once; it must be ready or at its end. */
enum rings_result rings_fill(struct rings *rings);

/* True when the guest claims to have read more than was put into stdin's ring. */
bool rings_stdin_broken(const struct rings *rings);

/* True when stdin's ring has room and its end was not reached. */
bool rings_want_stdin(const struct rings *rings);

#endif
