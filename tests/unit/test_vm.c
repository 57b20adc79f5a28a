/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's side of what it shares with a guest that nobody trusts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm/filter.h"
#include "vm/rings.h"
#include "vm/trim.h"

#define RAM (UINT64_C(16) << 20)

static struct guest_memory memory;
static struct rings rings;
static int ends[2];

static int setup(void **state)
{
    struct err err;
    if (guest_memory_open(&memory, RAM, &err) < 0 || rings_open(&rings, &memory) < 0 ||
        pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    for (unsigned int i = VM_STDOUT; i < VM_RING_COUNT; i++)
        rings.fds[i] = ends[1];
    rings.fds[VM_STDIN] = ends[0];
    return 0;
}

static int teardown(void **state)
{
    guest_memory_close(&memory);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static struct vm_ring *guest_ring(enum vm_ring_index index)
{
    return &rings.shared->rings[index];
}

/* What a well-behaved guest does to write. */
static void guest_writes(enum vm_ring_index index, const char *text)
{
    struct vm_ring *ring = guest_ring(index);
    for (; *text != '\0'; text++)
        rings.data[index][ring->head++ % VM_RING_BYTES] = (uint8_t)*text;
}

static void addresses_outside_of_ram_are_refused(void **state)
{
    char byte = 0;
    assert_int_equal(guest_write(&memory, GPA(RAM - 1), &byte, 1), 0);
    assert_int_equal(guest_write(&memory, GPA(RAM), &byte, 1), -EFAULT);
    assert_int_equal(guest_read(&memory, GPA(RAM - 1), &byte, 2), -EFAULT);
    assert_int_equal(guest_read(&memory, GPA(UINT64_MAX), &byte, 1), -EFAULT);
    assert_null(guest_span(&memory, GPA(1), SIZE_MAX));
    assert_null(guest_span(&memory, GPA(UINT64_MAX), 2));
    assert_non_null(guest_span(&memory, GPA(RAM), 0));
}

static void memory_sizes_are_checked(void **state)
{
    struct guest_memory other;
    struct err err;
    assert_int_equal(guest_memory_open(&other, 0, &err), -EINVAL);
    assert_int_equal(guest_memory_open(&other, RAM + 4096, &err), -EINVAL);
    assert_int_equal(guest_memory_open(&other, VM_RAM_BYTES_MAX * 2, &err), -EINVAL);
    assert_null(other.ram);
}

static void output_is_drained_in_order_and_around_the_corner(void **state)
{
    char text[16] = "";
    rings.own[VM_STDOUT] = guest_ring(VM_STDOUT)->head = UINT32_MAX - 2; /* wraps twice at once */
    guest_writes(VM_STDOUT, "abcdef");
    assert_int_equal(rings_drain(&rings, VM_STDOUT), RINGS_MOVED);
    assert_int_equal(read(ends[0], text, sizeof(text)), 6);
    assert_string_equal(text, "abcdef");
    assert_int_equal(rings_drain(&rings, VM_STDOUT), RINGS_IDLE);
    assert_int_equal(guest_ring(VM_STDOUT)->tail, guest_ring(VM_STDOUT)->head);
}

static void a_full_reader_loses_nothing(void **state)
{
    static char got[VM_RING_BYTES + 1];
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    for (unsigned int i = 0; i < VM_RING_BYTES; i++)
        rings.data[VM_STDOUT][i] = (uint8_t)i;
    guest_ring(VM_STDOUT)->head = VM_RING_BYTES;
    size_t size = 0;
    while (size < VM_RING_BYTES) {
        assert_int_equal(rings_drain(&rings, VM_STDOUT), RINGS_MOVED);
        ssize_t part = read(ends[0], got + size, sizeof(got) - size);
        assert_true(part > 0);
        size += (size_t)part;
    }
    assert_memory_equal(got, rings.data[VM_STDOUT], VM_RING_BYTES);
}

static void impossible_heads_are_broken(void **state)
{
    static const uint32_t heads[] = {VM_RING_BYTES + 1, UINT32_MAX, UINT32_C(0x80000000)};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        guest_ring(VM_STDERR)->head = heads[i];
        assert_int_equal(rings_drain(&rings, VM_STDERR), RINGS_BROKEN);
        char byte;
        assert_int_equal(read(ends[0], &byte, 1), -1); /* and nothing was written */
    }
}

static void the_guests_tail_is_not_believed(void **state)
{
    char text[8] = "";
    guest_writes(VM_STDOUT, "ab");
    guest_ring(VM_STDOUT)->tail = 77;
    assert_int_equal(rings_drain(&rings, VM_STDOUT), RINGS_MOVED);
    assert_int_equal(read(ends[0], text, sizeof(text)), 2);
    assert_string_equal(text, "ab");
}

static void a_closed_reader_is_told_to_the_guest(void **state)
{
    close(ends[0]);
    ends[0] = -1;
    guest_writes(VM_STDOUT, "lost");
    assert_int_equal(rings_drain(&rings, VM_STDOUT), RINGS_MOVED);
    assert_int_equal(guest_ring(VM_STDOUT)->consumer_flags, VM_RING_CLOSED);
    assert_int_equal(guest_ring(VM_STDOUT)->tail, 4); /* the guest does not wait for room */
}

static void stdin_stops_at_the_ring_s_size(void **state)
{
    assert_true(rings_want_stdin(&rings));
    rings.own[VM_STDIN] = VM_RING_BYTES;
    assert_false(rings_want_stdin(&rings));
    assert_false(rings_stdin_broken(&rings));
    guest_ring(VM_STDIN)->tail = VM_RING_BYTES + 1;
    assert_true(rings_stdin_broken(&rings));
    assert_int_equal(rings_fill(&rings), RINGS_BROKEN);
}

static void the_filter_is_short_and_has_reasons(void **state)
{
    unsigned int count;
    const struct vm_grant *grants = vm_filter_grants(&count);
    assert_true(count >= 1 && count <= 12);
    for (unsigned int i = 0; i < count; i++)
        assert_true(strlen(grants[i].reason) > 5);
}

#define VCPU    77   /* a number that is no descriptor: what the filter lets pass says EBADF */
#define NUMBERS 1024 /* more than Linux has calls */
#define X32_BIT 0x40000000
/* Linux lets these pass before any filter; outside of its own trampolines they do nothing. */
#define URETPROBE   335
#define UPROBE      336
#define LEGACY_GATE (-1L)
#define PASSED      23

/* How a process below the filter ends that makes one call: PASSED, or 128 + the signal. */
static int end_of(long number, unsigned long a, unsigned long b, unsigned long c)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err;
        prctl(PR_SET_DUMPABLE, 0);
        if (vm_filter_install(VCPU, &err) < 0)
            _exit(1);
        if (number == LEGACY_GATE)
            __asm__ volatile("int $0x80" : : "a"(20L) : "memory");
        else
            syscall(number, a, b, c, 0, 0, 0);
        syscall(SYS_exit_group, PASSED);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool is_granted(long number)
{
    unsigned int count;
    const struct vm_grant *grants = vm_filter_grants(&count);
    for (unsigned int i = 0; i < count; i++) {
        if (grants[i].number == number)
            return true;
    }
    return false;
}

static void every_call_without_a_grant_kills(void **state)
{
    for (long number = 0; number < NUMBERS; number++) {
        bool passes = is_granted(number) || number == URETPROBE || number == UPROBE;
        int end = passes ? 128 + SIGSYS : end_of(number, 0, 0, 0);
        if (end != 128 + SIGSYS)
            fail_msg("call %ld ends with %d", number, end);
    }
    assert_int_equal(end_of(SYS_read | X32_BIT, VCPU, 0, 0), 128 + SIGSYS);
    assert_int_equal(end_of(LEGACY_GATE, 0, 0, 0), 128 + SIGSYS);
    assert_int_equal(end_of(SYS_read, VCPU, 0, 0), PASSED);
}

static void granted_calls_with_other_arguments_kill(void **state)
{
    static const unsigned long requests[] = {KVM_SET_SREGS,
                                             KVM_SET_MSRS,
                                             KVM_SET_CPUID2,
                                             KVM_SET_FPU,
                                             KVM_ENABLE_CAP,
                                             KVM_SET_GUEST_DEBUG,
                                             KVM_CREATE_VCPU,
                                             KVM_TRANSLATE,
                                             KVM_NMI,
                                             KVM_INTERRUPT,
                                             KVM_SET_NESTED_STATE,
                                             0x5421 /* FIONBIO */,
                                             ~0ul};
    assert_int_equal(end_of(SYS_ioctl, VCPU, KVM_RUN, 0), PASSED);
    assert_int_equal(end_of(SYS_ioctl, VCPU + 1, KVM_RUN, 0), 128 + SIGSYS);
    assert_int_equal(end_of(SYS_ioctl, 0, KVM_RUN, 0), 128 + SIGSYS);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        assert_int_equal(end_of(SYS_ioctl, VCPU, requests[i], 0), 128 + SIGSYS);
    assert_int_equal(end_of(SYS_kill, (unsigned long)getpid(), 0, 0), 128 + SIGSYS);
    assert_int_equal(end_of(SYS_kill, 1, 0, 0), 128 + SIGSYS);
    assert_int_equal(end_of(SYS_kill, ~0ul, 0, 0), 128 + SIGSYS);
    assert_int_equal(end_of(SYS_madvise, 0, 0, MADV_DONTNEED), PASSED);
    assert_int_equal(end_of(SYS_madvise, 0, 0, MADV_HUGEPAGE), 128 + SIGSYS);
    assert_int_equal(end_of(SYS_madvise, 0, 0, MADV_POPULATE_WRITE), 128 + SIGSYS);
}

/* Pages of [at, at + size) that the host has. */
static size_t resident(void *at, size_t size)
{
    unsigned char pages[1024];
    size_t count = 0;
    assert_int_equal(mincore(at, size, pages), 0);
    for (size_t i = 0; i < size / VM_PAGE; i++)
        count += pages[i] & 1;
    return count;
}

static void trimming_frees_zeroes_and_nothing_else(void **state)
{
    const size_t size = 2u << 20;
    uint8_t *block = guest_span(&memory, GPA(GUEST_SMALL_BYTES), 2 * size), *full = block + size;
    memset(block, 0, size); /* the host has it all */
    block[5 * VM_PAGE + 17] = 1;
    block[size - 1] = 2;
    memset(full, 3, size);
    assert_int_equal(resident(block, size), size / VM_PAGE);
    trim_zeroes(&memory);
    assert_int_equal(resident(block, size), 2);
    assert_int_equal(resident(full, size), size / VM_PAGE);
    assert_int_equal(block[5 * VM_PAGE + 17], 1);
    assert_int_equal(block[5 * VM_PAGE + 16], 0);
    assert_int_equal(block[size - 1], 2);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(full[i], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses_outside_of_ram_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_sizes_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(output_is_drained_in_order_and_around_the_corner, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_reader_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(impossible_heads_are_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(the_guests_tail_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_reader_is_told_to_the_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(stdin_stops_at_the_ring_s_size, setup, teardown),
        cmocka_unit_test(the_filter_is_short_and_has_reasons),
        cmocka_unit_test(every_call_without_a_grant_kills),
        cmocka_unit_test(granted_calls_with_other_arguments_kill),
        cmocka_unit_test_setup_teardown(trimming_frees_zeroes_and_nothing_else, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
