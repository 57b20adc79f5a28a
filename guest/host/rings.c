// SPDX-License-Identifier: Apache-2.0
/* The rings of the hosted machine part: the monitor's side of them, on this process's descriptors
 * 0, 1 and 2. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "machine.h"

struct vm_shared *arch_shared(void)
{
    return arch_phys(VM_SHARED_GPA);
}

uint8_t *arch_ring_data(enum vm_ring_index ring)
{
    return arch_phys(VM_RINGS_GPA + ring * VM_RING_BYTES);
}

static void drain(enum vm_ring_index index, int fd)
{
    struct vm_ring *ring = &arch_shared()->rings[index];
    while (ring->tail != ring->head) {
        uint32_t at = ring->tail % VM_RING_BYTES, len = ring->head - ring->tail;
        if (len > VM_RING_BYTES - at)
            len = VM_RING_BYTES - at;
        ssize_t done = write(fd, arch_ring_data(index) + at, len);
        if (done < 0 && errno == EAGAIN)
            return;
        if (done < 0) {
            ring->consumer_flags |= VM_RING_CLOSED;
            ring->tail = ring->head;
            return;
        }
        ring->tail += (uint32_t)done;
    }
}

void machine_drain(void)
{
    drain(VM_STDOUT, 1);
    drain(VM_STDERR, 2);
    drain(VM_TRACE, 2);
}

void machine_fill_stdin(int timeout_ms)
{
    struct vm_ring *ring = &arch_shared()->rings[VM_STDIN];
    struct pollfd in = {.fd = 0, .events = POLLIN};
    uint32_t room = VM_RING_BYTES - (ring->head - ring->tail);
    if (!room || ring->producer_flags & VM_RING_CLOSED || poll(&in, 1, timeout_ms) <= 0)
        return;
    uint32_t at = ring->head % VM_RING_BYTES;
    if (room > VM_RING_BYTES - at)
        room = VM_RING_BYTES - at;
    ssize_t got = read(0, arch_ring_data(VM_STDIN) + at, room);
    if (got > 0)
        ring->head += (uint32_t)got;
    else if (got == 0 || errno != EAGAIN)
        ring->producer_flags |= VM_RING_CLOSED;
}
