/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays the guest: the input is a list of writes into the shared block and of doorbells. The
 * monitor must stay within its memory, never wait without end, and keep what it says about itself:
 * its own indices move only forward and by no more than a ring at a time.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "vm/machine.h"
#include "vm/tick.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The CPU and the timer, which are not under test. */
void tick_start(void)
{
}

void tick_stop(void)
{
}

uint64_t cpu_tsc(const struct cpu *cpu)
{
    return cpu->tsc_hz;
}

uint64_t cpu_rip(const struct cpu *cpu)
{
    return cpu->tsc_hz;
}

int cpu_tick(struct cpu *cpu, struct guest_memory *memory, const struct kernel *kernel)
{
    (void)cpu;
    (void)memory;
    (void)kernel;
    return 0;
}

static void prepare(struct machine *machine)
{
    static struct guest_memory memory;
    struct err err;
    if (memory.ram == NULL && guest_memory_open(&memory, VM_RAM_BYTES_MIN, &err) < 0)
        abort();
    memset(memory.ram + VM_SHARED_GPA, 0, sizeof(struct vm_shared));
    *machine = (struct machine){.memory = memory, .cpu = {.fd = -1, .tsc_hz = 1000000000}};
    machine->deadline_ns = 1; /* passed long ago: no wait lasts */
    if (rings_open(&machine->rings, &memory) < 0)
        abort();
    static int null = -1;
    if (null < 0)
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (unsigned int i = 0; i < VM_RING_COUNT; i++)
        machine->rings.fds[i] = null;
}

static void check(const struct machine *machine, const uint32_t before[VM_RING_COUNT])
{
    for (unsigned int i = VM_STDOUT; i < VM_RING_COUNT; i++) {
        if (machine->rings.own[i] - before[i] > VM_RING_BYTES)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine machine;
    struct verdict verdict = {0};
    prepare(&machine);
    while (size >= 8) { /* kind, bell, offset, value */
        uint16_t offset;
        uint32_t value, before[VM_RING_COUNT];
        memcpy(&offset, data + 2, sizeof(offset));
        memcpy(&value, data + 4, sizeof(value));
        if (offset <= sizeof(struct vm_shared) - sizeof(value))
            memcpy((uint8_t *)machine.rings.shared + offset, &value, sizeof(value));
        memcpy(before, machine.rings.own, sizeof(before));
        bool goes_on = (data[0] & 1) == 0 || machine_bell(&machine, data[1], &verdict);
        check(&machine, before);
        if (!goes_on && memchr(verdict.text, '\0', sizeof(verdict.text)) == NULL)
            abort();
        if (!goes_on)
            break;
        data += 8;
        size -= 8;
    }
    return 0;
}
