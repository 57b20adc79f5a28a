/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's side of what it shares with a guest that nobody trusts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm/dirty.h"
#include "vm/filter.h"
#include "vm/rings.h"

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
    for (unsigned int i = 0; i < 8; i++) {
        struct vm_filter filter = {.role = (enum vm_role)(1u << i / 2), .scans = i % 2 != 0};
        struct vm_grant grants[VM_GRANTS_MAX];
        unsigned int count = vm_filter_grants(&filter, grants);
        assert_true(count >= 1 && count <= 12);
        assert_int_equal(grants[0].number, SYS_ioctl);
        for (unsigned int n = 0; n < count; n++)
            assert_true(strlen(grants[n].reason) > 5);
    }
}

static int mark(void *context, struct page_run run)
{
    for (uint64_t page = run.page; page < run.page + run.count; page++)
        ((char *)context)[page] = 'w';
    return 0;
}

static void own_pages_are_those_that_were_written(void **state)
{
    struct dirty dirty;
    struct err err;
    char found[9];
    int fd = memfd_create("pages", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, 8 * 4096) == 0);
    char *map = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    volatile char sink = map[3 * 4096]; /* read, not written */
    map[1 * 4096] = map[2 * 4096 + 4095] = map[5 * 4096] = (char)(sink + 1);
    assert_int_equal(dirty_open(&dirty, &err), 0);
    for (int scans = dirty.scans; scans >= 0; scans--) { /* as this kernel can, and as old ones */
        dirty.scans = scans;
        memcpy(found, "........", sizeof(found));
        assert_int_equal(dirty_each(&dirty, (const uint8_t *)map, 8 * 4096, mark, found), 0);
        assert_string_equal(found, ".ww..w..");
    }
    dirty_close(&dirty);
    munmap(map, 8 * 4096);
    close(fd);
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
        cmocka_unit_test(own_pages_are_those_that_were_written),
        cmocka_unit_test(the_filter_is_short_and_has_reasons),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
