/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/rings.h"

#include <errno.h>
#include <unistd.h>

int rings_open(struct rings *rings, const struct guest_memory *memory)
{
    *rings = (struct rings){
        .shared = guest_span(memory, GPA(VM_SHARED_GPA), VM_PAGE),
        .fds = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, STDERR_FILENO, STDERR_FILENO}};
    for (unsigned int i = 0; i < VM_RING_COUNT; i++) {
        rings->data[i] =
            guest_span(memory, GPA(VM_RINGS_GPA + i * (uint64_t)VM_RING_BYTES), VM_RING_BYTES);
        if (rings->data[i] == NULL)
            return -EFAULT;
    }
    return rings->shared != NULL ? 0 : -EFAULT;
}

/* Nobody reads what the guest writes there: it is told, and what comes is dropped. */
static void end_output(struct rings *rings, enum vm_ring_index index)
{
    rings->ended[index] = true;
    __atomic_store_n(&rings->shared->rings[index].consumer_flags, (uint32_t)VM_RING_CLOSED,
                     __ATOMIC_RELEASE);
}

enum rings_result rings_drain(struct rings *rings, enum vm_ring_index index)
{
    struct vm_ring *ring = &rings->shared->rings[index];
    enum rings_result result = RINGS_IDLE;
    for (;;) {
        /* pairs with the guest's release of head: the bytes before it are there */
        uint32_t held = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) - rings->own[index];
        if (held > VM_RING_BYTES)
            return RINGS_BROKEN;
        if (held == 0)
            return result;
        uint32_t at = rings->own[index] % VM_RING_BYTES;
        uint32_t size = held < VM_RING_BYTES - at ? held : VM_RING_BYTES - at;
        ssize_t done = rings->ended[index]
                           ? (ssize_t)size
                           : write(rings->fds[index], rings->data[index] + at, size);
        if (done < 0 && (errno == EAGAIN || errno == EINTR))
            return result;
        if (done < 0) {
            end_output(rings, index);
            continue;
        }
        rings->own[index] += (uint32_t)done;
        __atomic_store_n(&ring->tail, rings->own[index], __ATOMIC_RELEASE);
        result = RINGS_MOVED;
    }
}

enum rings_result rings_drain_all(struct rings *rings)
{
    enum rings_result all = RINGS_IDLE;
    for (unsigned int i = VM_STDOUT; i < VM_RING_COUNT; i++) {
        enum rings_result one = rings_drain(rings, (enum vm_ring_index)i);
        if (one == RINGS_BROKEN)
            return RINGS_BROKEN;
        if (one == RINGS_MOVED)
            all = RINGS_MOVED;
    }
    return all;
}

static uint32_t stdin_held(const struct rings *rings)
{
    return rings->own[VM_STDIN] -
           __atomic_load_n(&rings->shared->rings[VM_STDIN].tail, __ATOMIC_ACQUIRE);
}

bool rings_stdin_broken(const struct rings *rings)
{
    return stdin_held(rings) > VM_RING_BYTES;
}

bool rings_want_stdin(const struct rings *rings)
{
    return !rings->ended[VM_STDIN] && stdin_held(rings) < VM_RING_BYTES;
}

enum rings_result rings_fill(struct rings *rings)
{
    struct vm_ring *ring = &rings->shared->rings[VM_STDIN];
    uint32_t held = stdin_held(rings);
    if (held > VM_RING_BYTES)
        return RINGS_BROKEN;
    if (rings->ended[VM_STDIN] || held == VM_RING_BYTES)
        return RINGS_IDLE;
    uint32_t at = rings->own[VM_STDIN] % VM_RING_BYTES;
    uint32_t room = VM_RING_BYTES - held;
    uint32_t size = room < VM_RING_BYTES - at ? room : VM_RING_BYTES - at;
    ssize_t got = read(rings->fds[VM_STDIN], rings->data[VM_STDIN] + at, size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return RINGS_IDLE;
    if (got <= 0) {
        rings->ended[VM_STDIN] = true;
        __atomic_store_n(&ring->producer_flags, (uint32_t)VM_RING_CLOSED, __ATOMIC_RELEASE);
        return RINGS_MOVED;
    }
    rings->own[VM_STDIN] += (uint32_t)got;
    __atomic_store_n(&ring->head, rings->own[VM_STDIN], __ATOMIC_RELEASE);
    return RINGS_MOVED;
}
