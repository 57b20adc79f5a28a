/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a machine: the guest, until it stops for one of a few reasons; everything it asks is read
 * once from its shared block. All system calls made here are in filter.c.
 *
 * A timer's signal stops the guest every few milliseconds: output is drained, the deadline looked
 * at, and program code is sent through the kernel's tick entry so that its timers and threads make
 * progress. While the guest waits, the timer is off.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/clock.h"
#include "vm/machine.h"
#include "vm/tick.h"

#define STUCK_TICKS 100u /* at the same instruction: said in the report of a deadline */

static struct verdict verdict_of(enum verdict_kind kind, uint32_t value, const char *text)
{
    struct verdict verdict = {.kind = kind, .value = value};
    snprintf(verdict.text, sizeof(verdict.text), "%s", text);
    return verdict;
}

/* Output that its reader does not take at once must not be lost: waits until it does. */
static bool flush_all(struct machine *machine)
{
    for (;;) {
        enum rings_result result = rings_drain_all(&machine->rings);
        if (result == RINGS_BROKEN)
            return false;
        bool left = false;
        for (unsigned int i = VM_STDOUT; i < VM_RING_COUNT; i++) {
            uint32_t head =
                __atomic_load_n(&machine->rings.shared->rings[i].head, __ATOMIC_ACQUIRE);
            left |= head != machine->rings.own[i];
        }
        if (!left)
            return true;
        struct pollfd outs[2] = {{.fd = machine->rings.fds[VM_STDOUT], .events = POLLOUT},
                                 {.fd = machine->rings.fds[VM_STDERR], .events = POLLOUT}};
        ppoll(outs, 2, NULL, NULL);
    }
}

static struct verdict guest_exit(struct machine *machine)
{
    uint32_t kind = __atomic_load_n(&machine->rings.shared->exit_kind, __ATOMIC_ACQUIRE);
    uint32_t value = __atomic_load_n(&machine->rings.shared->exit_value, __ATOMIC_RELAXED);
    if (!flush_all(machine))
        return verdict_of(VERDICT_BROKE, 0, "the guest wrote impossible indices into its rings");
    switch (kind) {
    case VM_EXIT_STATUS:
        return verdict_of(VERDICT_STATUS, value & 0xff, "");
    case VM_EXIT_SIGNAL:
        if (value >= 1 && value <= 64)
            return verdict_of(VERDICT_SIGNAL, value, "");
        break;
    case VM_EXIT_OOM:
        return verdict_of(VERDICT_OOM, 0, "the program used up the guest's memory");
    case VM_EXIT_PANIC:
        return verdict_of(VERDICT_DIED, 0, "the guest kernel gave up");
    default:
        break;
    }
    return verdict_of(VERDICT_BROKE, 0, "the guest ended without saying how");
}

/* Waits for stdin, for room in stdout, or until the guest's time; the timer is off meanwhile. */
static void wait_for_events(struct machine *machine, bool stdin_wanted)
{
    uint64_t until = __atomic_load_n(&machine->rings.shared->wait_until, __ATOMIC_RELAXED);
    uint64_t now = cpu_tsc(&machine->cpu);
    uint64_t wait_ns = UINT64_MAX;
    if (until != UINT64_MAX) {
        uint64_t ticks = until > now ? until - now : 0;
        wait_ns = (uint64_t)((__uint128_t)ticks * NS_PER_SEC / machine->cpu.tsc_hz);
    }
    if (machine->deadline_ns != 0) {
        uint64_t mono = clock_now_ns();
        uint64_t left = machine->deadline_ns > mono ? machine->deadline_ns - mono : 0;
        wait_ns = left < wait_ns ? left : wait_ns;
    }
    struct timespec timeout = {(time_t)(wait_ns / NS_PER_SEC), (long)(wait_ns % NS_PER_SEC)};
    struct pollfd in = {.fd = stdin_wanted ? machine->rings.fds[VM_STDIN] : -1, .events = POLLIN};
    tick_stop();
    ppoll(&in, 1, wait_ns == UINT64_MAX ? NULL : &timeout, NULL);
    tick_start();
}

static enum rings_result fill_if_ready(struct machine *machine)
{
    struct pollfd in = {.fd = machine->rings.fds[VM_STDIN], .events = POLLIN};
    struct timespec now = {0, 0};
    if (rings_stdin_broken(&machine->rings))
        return RINGS_BROKEN;
    if (!rings_want_stdin(&machine->rings) || ppoll(&in, 1, &now, NULL) <= 0)
        return RINGS_IDLE;
    return rings_fill(&machine->rings);
}

/* What has come already is there before the guest asks: that would be an exit. */
static enum rings_result fill_first(struct machine *machine)
{
    enum rings_result result;
    do {
        result = fill_if_ready(machine);
    } while (result == RINGS_MOVED && rings_want_stdin(&machine->rings));
    return result;
}

bool machine_bell(struct machine *machine, uint32_t bell, struct verdict *verdict)
{
    enum rings_result result = RINGS_IDLE;
    machine->bells++;
    switch (bell) {
    case VM_BELL_EXIT:
        *verdict = guest_exit(machine);
        return false;
    case VM_BELL_FLUSH:
        if (flush_all(machine))
            return true;
        break;
    case VM_BELL_STDIN:
        result = fill_if_ready(machine);
        if (result != RINGS_BROKEN)
            return true;
        break;
    case VM_BELL_WAIT:
        result = rings_drain_all(&machine->rings);
        if (result != RINGS_BROKEN)
            result = fill_if_ready(machine);
        if (result == RINGS_BROKEN)
            break;
        if (result == RINGS_IDLE)
            wait_for_events(machine, rings_want_stdin(&machine->rings));
        if (fill_if_ready(machine) != RINGS_BROKEN)
            return true;
        break;
    default:
        if (bell != 0 && bell == machine->pause_bell) {
            machine->pause_bell = 0;
            *verdict = verdict_of(VERDICT_PAUSED, 0, "");
            return false;
        }
        *verdict = verdict_of(VERDICT_BROKE, bell, "the guest rang a doorbell that there is not");
        return false;
    }
    *verdict = verdict_of(VERDICT_BROKE, 0, "the guest wrote impossible indices into its rings");
    return false;
}

static bool on_port(struct machine *machine, struct verdict *verdict)
{
    const struct kvm_run *run = machine->run;
    if (run->io.direction == KVM_EXIT_IO_OUT && run->io.port == VM_PORT && run->io.size == 4 &&
        run->io.count == 1 && run->io.data_offset <= machine->run_bytes - 4) {
        uint32_t bell;
        memcpy(&bell, (const uint8_t *)run + run->io.data_offset, sizeof(bell));
        return machine_bell(machine, bell, verdict);
    }
    *verdict = (struct verdict){.kind = VERDICT_BROKE};
    snprintf(verdict->text, sizeof(verdict->text), "the guest used I/O port 0x%x, which it has not",
             run->io.port);
    return false;
}

/* True, and says where the guest stood, when its time is over. */
static bool is_late(struct machine *machine, struct verdict *verdict)
{
    if (machine->deadline_ns == 0 || clock_now_ns() < machine->deadline_ns)
        return false;
    *verdict = (struct verdict){.kind = VERDICT_TIMEOUT};
    snprintf(verdict->text, sizeof(verdict->text),
             machine->stuck_ticks >= STUCK_TICKS
                 ? "the guest was stopped at its deadline: it has stood at 0x%" PRIx64
                   " for %" PRIu64 " ticks (an endless loop, or a page fault without end)"
                 : "the guest was stopped at its deadline, at 0x%" PRIx64 ", after %" PRIu64
                   " ticks there",
             cpu_rip(&machine->cpu), machine->stuck_ticks);
    return true;
}

static bool on_tick(struct machine *machine, struct verdict *verdict)
{
    machine->ticks++;
    machine->run->immediate_exit = 0;
    if (rings_drain_all(&machine->rings) == RINGS_BROKEN) {
        *verdict =
            verdict_of(VERDICT_BROKE, 0, "the guest wrote impossible indices into its rings");
        return false;
    }
    uint64_t rip = cpu_rip(&machine->cpu);
    machine->stuck_ticks = rip == machine->stuck_rip ? machine->stuck_ticks + 1 : 0;
    machine->stuck_rip = rip;
    if (is_late(machine, verdict))
        return false;
    cpu_tick(&machine->cpu, &machine->memory, &machine->kernel);
    return true;
}

static struct verdict verdict_of_exit(const struct kvm_run *run)
{
    struct verdict verdict = {.kind = VERDICT_BROKE, .value = run->exit_reason};
    switch (run->exit_reason) {
    case KVM_EXIT_SHUTDOWN:
        return verdict_of(VERDICT_DIED, 0, "the guest's CPU shut down (a triple fault)");
    case KVM_EXIT_HLT:
        return verdict_of(VERDICT_DIED, 0, "the guest's CPU halted, with nothing to wake it");
    case KVM_EXIT_MMIO:
        snprintf(verdict.text, sizeof(verdict.text),
                 "the guest %s physical address 0x%llx, where it has no memory",
                 run->mmio.is_write ? "wrote to" : "read", run->mmio.phys_addr);
        return verdict;
    case KVM_EXIT_INTERNAL_ERROR:
        snprintf(verdict.text, sizeof(verdict.text),
                 "the guest did what KVM cannot emulate (internal error %u)",
                 run->internal.suberror);
        return verdict;
    case KVM_EXIT_FAIL_ENTRY:
        return verdict_of(VERDICT_FAILED, 0, "KVM refuses to enter the guest");
    default:
        snprintf(verdict.text, sizeof(verdict.text), "the guest stopped with KVM exit reason %u",
                 run->exit_reason);
        return verdict;
    }
}

struct verdict machine_run(struct machine *machine)
{
    struct verdict verdict;
    if (machine->pause_bell == 0) /* else there is no request yet */
        fill_first(machine);
    tick_start();
    for (;;) {
        int result = ioctl(machine->cpu.fd, KVM_RUN, 0);
        machine->exits++;
        bool stopped = result < 0 ? errno == EINTR || errno == EAGAIN
                                  : machine->run->exit_reason == KVM_EXIT_INTR;
        if (stopped) {
            if (!on_tick(machine, &verdict))
                return verdict;
        } else if (result < 0) {
            verdict = (struct verdict){.kind = VERDICT_FAILED, .value = (uint32_t)errno};
            snprintf(verdict.text, sizeof(verdict.text), "KVM cannot run the guest: %s",
                     strerrordesc_np(errno));
            return verdict;
        } else if (machine->run->exit_reason == KVM_EXIT_IO) {
            /* here, too: a guest that rings without end leaves the timer no time to fire */
            if (!on_port(machine, &verdict) || is_late(machine, &verdict))
                return verdict;
        } else {
            rings_drain_all(&machine->rings);
            return verdict_of_exit(machine->run);
        }
    }
}
