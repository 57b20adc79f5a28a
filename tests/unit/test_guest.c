// SPDX-License-Identifier: Apache-2.0
/*
 * The guest kernel, called as a library: its machine part here is an ordinary process (guest/host),
 * its memory a memfd. Allocators and mappings are compared with plain models; every system call
 * meets the worst arguments.
 */
/* The kernel's view of Linux's headers comes first: those of the C library define some of the same.
 */
#include "fs/image.h"
#include "host/machine.h"
#include "kernel/call.h"
#include "kernel/format.h"
#include "kernel/process.h"
#include "kernel/random.h"
#include "kernel/thread.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "mm/space.h"

#include <asm/unistd.h>
#include <linux/mman.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ADDR_NO_RANDOMIZE 0x0040000
int personality(unsigned long persona);
int execv(const char *path, char *const args[]);
void *aligned_alloc(size_t align, size_t len);
void free(void *at);

#define RAM_BYTES (64UL << 20)

static uint64_t seed = 12345;

static uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (seed >> 33) % below;
}

static long call6(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                  uint64_t f)
{
    const uint64_t args[6] = {a, b, c, d, e, f};
    return call_do(number, args);
}

#define CALL(number, a, b, c, d)                                                                   \
    call6(number, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0, 0)

/* Memory of the program, for arguments. */
static char *program_memory(size_t len)
{
    long at = call6(__NR_mmap, 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    UINT64_MAX, 0);
    assert_true(at > 0);
    return (char *)at;
}

static int set_up(void **state)
{
    static struct regs regs;
    (void)state;
    machine_init(RAM_BYTES, -1, 0);
    machine_boot_block()->stdio_mode[0] = machine_boot_block()->stdio_mode[1] = S_IFIFO;
    kernel_setup(machine_boot_block());
    arch_shared()->rings[VM_STDIN].producer_flags = VM_RING_CLOSED;
    current->regs = &regs;
    return 0;
}

static void frames_come_back(void **state)
{
    (void)state;
    paddr_t got[2000];
    unsigned order[2000];
    uint64_t before = page_count_free();
    size_t n = 0;
    for (; n < 2000; n++) {
        order[n] = (unsigned)any(5);
        got[n] = page_alloc_zero(order[n]);
        if (!got[n])
            break;
        size_t bytes = PAGE_SIZE << order[n];
        uint64_t *at = page_ptr(got[n]);
        for (size_t i = 0; i < bytes / 8; i += 64)
            assert_int_equal(at[i], 0);
        memset(at, (int)(n & 0xff), bytes);
    }
    assert_true(n > 500);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(*(uint8_t *)page_ptr(got[i]), i & 0xff);
        page_put(got[i]);
    }
    assert_int_equal(page_count_free(), before);
    paddr_t big = page_alloc(PAGE_ORDER_MAX); /* all buddies have found each other */
    assert_true(big != 0);
    page_put(big);
}

static void heap_pieces_do_not_overlap(void **state)
{
    (void)state;
    enum { N = 300 };
    unsigned char *at[N] = {NULL};
    size_t len[N] = {0};
    for (int round = 0; round < 20000; round++) {
        size_t i = any(N);
        for (size_t k = 0; k < len[i]; k++)
            assert_int_equal(at[i][k], (unsigned char)i);
        heap_free(at[i]);
        len[i] = any(any(20) == 0 ? 20000 : 600);
        at[i] = heap_alloc(len[i]);
        assert_non_null(at[i]);
        for (size_t k = 0; k < len[i]; k++)
            assert_int_equal(at[i][k], 0);
        memset(at[i], (int)i, len[i]);
    }
    for (size_t i = 0; i < N; i++)
        heap_free(at[i]);
}

/* 64 pages: what the model says of each must be what the address space says. */
static void mappings_match_a_model(void **state)
{
    (void)state;
    enum { PAGES = 64, GONE = -1 };
    int model[PAGES];
    char *area = program_memory(PAGES * PAGE_SIZE);
    uint64_t base = (uint64_t)area;
    for (int i = 0; i < PAGES; i++)
        model[i] = PROT_READ | PROT_WRITE;
    for (int round = 0; round < 3000; round++) {
        uint64_t from = any(PAGES), count = 1 + any(PAGES - from);
        int prot = (int)any(4), what = (int)any(3);
        long rc;
        bool whole = true;
        for (uint64_t i = from; i < from + count; i++)
            whole = whole && model[i] != GONE;
        if (what == 0) {
            rc = CALL(__NR_munmap, base + from * PAGE_SIZE, count * PAGE_SIZE, 0, 0);
            prot = GONE;
        } else if (what == 1) {
            rc = call6(__NR_mmap, base + from * PAGE_SIZE, count * PAGE_SIZE, (uint64_t)prot,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX, 0);
            assert_int_equal(rc, base + from * PAGE_SIZE);
            rc = 0;
        } else {
            rc = CALL(__NR_mprotect, base + from * PAGE_SIZE, count * PAGE_SIZE, prot, 0);
            assert_int_equal(rc, whole ? 0 : -ENOMEM);
            if (!whole)
                continue;
        }
        assert_int_equal(rc, 0);
        for (uint64_t i = from; i < from + count; i++)
            model[i] = prot;
        for (uint64_t i = 0; i < PAGES; i++) {
            const struct vma *vma = space_find(base + i * PAGE_SIZE);
            assert_int_equal(vma ? (int)vma->prot : GONE, model[i]);
            bool reads = model[i] > 0;
            assert_int_equal(user_ok(base + i * PAGE_SIZE, 1, false), reads);
            assert_int_equal(user_ok(base + i * PAGE_SIZE, 1, true),
                             model[i] > 0 && model[i] & PROT_WRITE);
        }
    }
    assert_int_equal(CALL(__NR_munmap, base, PAGES * PAGE_SIZE, 0, 0), 0);
}

static void files_and_pipes_leak_nothing(void **state)
{
    (void)state;
    char *p = program_memory(PAGE_SIZE);
    uint64_t before = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 50; i++) {
            memcpy(p, "/tmp/leak", 10);
            long fd = CALL(__NR_open, p, 0102, 0600, 0);
            assert_true(fd >= 0);
            assert_int_equal(CALL(__NR_write, fd, p, PAGE_SIZE, 0), PAGE_SIZE);
            assert_int_equal(CALL(__NR_ftruncate, fd, 20000, 0, 0), 0);
            long at =
                call6(__NR_mmap, 0, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, (uint64_t)fd, 0);
            assert_true(at > 0);
            assert_int_equal(CALL(__NR_unlink, p, 0, 0, 0), 0);
            assert_int_equal(CALL(__NR_close, fd, 0, 0, 0), 0);
            assert_int_equal(CALL(__NR_munmap, at, 20000, 0, 0), 0);
            assert_int_equal(CALL(__NR_pipe, p, 0, 0, 0), 0);
            int fds[2];
            memcpy(fds, p, sizeof(fds));
            assert_int_equal(CALL(__NR_write, fds[1], p, 100, 0), 100);
            CALL(__NR_close, fds[0], 0, 0, 0);
            CALL(__NR_close, fds[1], 0, 0, 0);
            assert_int_equal(CALL(__NR_socketpair, 1, 1, 0, p), 0);
            memcpy(fds, p, sizeof(fds));
            CALL(__NR_close, fds[0], 0, 0, 0);
            CALL(__NR_close, fds[1], 0, 0, 0);
        }
        /* The first rounds fill the heap's free lists. */
        if (round == 2)
            before = page_count_free();
    }
    assert_int_equal(page_count_free(), before);
    CALL(__NR_munmap, p, PAGE_SIZE, 0, 0);
}

static void text_is_formatted(void **state)
{
    (void)state;
    struct format f;
    format_init(&f);
    format_number(&f, 0);
    format_text(&f, " ");
    format_number(&f, UINT64_MAX);
    format_text(&f, " ");
    format_hex(&f, 0, 1);
    format_text(&f, " ");
    format_hex(&f, 0xabc, 8);
    format_bytes(&f, "", 1);
    assert_string_equal(f.text, "0 18446744073709551615 0 00000abc");
    format_done(&f);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[100], b[100], zero[100] = {0};
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 50, zero, 50);
    random_mix("seed", 4);
    random_bytes(a, sizeof(a));
    assert_memory_not_equal(a, b, sizeof(a));
}

/* A small image: a superblock, a root with "f", and f. nid n lies at 4096 + 32 n. */
static void make_image(uint8_t *at)
{
    memset(at, 0, 3 * PAGE_SIZE);
    uint32_t magic = 0xe0f5e1e2, meta = 1;
    uint16_t root = 0;
    memcpy(at + 1024, &magic, 4);
    at[1024 + 12] = 12;
    memcpy(at + 1024 + 14, &root, 2);
    memcpy(at + 1024 + 40, &meta, 4);
    uint8_t *inode = at + 4096;
    const uint16_t formats[2] = {2 << 1, 2 << 1}, modes[2] = {S_IFDIR | 0755, S_IFREG | 0644};
    const uint32_t sizes[2] = {3 * 12 + 4, 5};
    const uint64_t nids[2] = {0, 8};
    for (int i = 0; i < 2; i++) {
        memcpy(inode + nids[i] * 32, &formats[i], 2);
        memcpy(inode + nids[i] * 32 + 4, &modes[i], 2);
        memcpy(inode + nids[i] * 32 + 8, &sizes[i], 4);
    }
    const char *names[3] = {".", "..", "f"};
    uint16_t name_at = 36;
    for (int i = 0; i < 3; i++) {
        uint64_t nid = i == 2 ? 8 : 0;
        memcpy(inode + 32 + i * 12, &nid, 8);
        memcpy(inode + 32 + i * 12 + 8, &name_at, 2);
        memcpy(inode + 32 + name_at, names[i], strlen(names[i]));
        name_at = (uint16_t)(name_at + strlen(names[i]));
    }
    memcpy(inode + 8 * 32 + 32, "hello", 5);
}

static int count_entry(void *arg, const char *name, size_t len, uint64_t nid)
{
    (void)name, (void)len, (void)nid;
    ++*(int *)arg;
    return 0;
}

static void images_are_read_and_damage_is_an_error(void **state)
{
    (void)state;
    uint8_t *good = aligned_alloc(PAGE_SIZE, 3 * PAGE_SIZE),
            *bad = aligned_alloc(PAGE_SIZE, 3 * PAGE_SIZE);
    uint64_t nid;
    const void *at;
    size_t len;
    int count = 0;
    make_image(good);
    assert_int_equal(image_open(good, VM_IMAGE_GPA, 3 * PAGE_SIZE), 0);
    assert_int_equal(image_lookup(0, "f", 1, &nid), 0);
    assert_int_equal(nid, 8);
    assert_int_equal(image_lookup(0, "g", 1, &nid), -ENOENT);
    assert_int_equal(image_page(8, 0, &at, &len), 0);
    assert_int_equal(len, 5);
    assert_memory_equal(at, "hello", 5);
    assert_int_equal(image_page(8, 1, &at, &len), -ENXIO);
    assert_int_equal(image_each(0, count_entry, &count), 0);
    assert_int_equal(count, 1);
    for (int round = 0; round < 20000; round++) {
        memcpy(bad, good, 3 * PAGE_SIZE);
        for (uint64_t i = any(4) + 1; i; i--)
            bad[4096 + any(400)] = (uint8_t)any(256);
        if (image_open(bad, VM_IMAGE_GPA, 3 * PAGE_SIZE) < 0)
            continue;
        image_lookup(0, "f", 1, &nid);
        image_each(0, count_entry, &count);
        if (image_page(8, 0, &at, &len) == 0)
            assert_true((const uint8_t *)at >= bad &&
                        (const uint8_t *)at + len <= bad + 3 * PAGE_SIZE);
    }
    free(good);
    free(bad);
}

static void calls_survive_the_worst_arguments(void **state)
{
    (void)state;
    char *p = program_memory(2 * PAGE_SIZE);
    const uint64_t worst[] = {0,
                              1,
                              2,
                              3,
                              7,
                              8,
                              4095,
                              4096,
                              UINT64_MAX,
                              UINT32_MAX,
                              INT64_MAX,
                              (uint64_t)INT64_MIN,
                              0x7fffffff,
                              0x80000000,
                              (uint64_t)p,
                              (uint64_t)p + 2 * PAGE_SIZE - 4,
                              (uint64_t)p + 1,
                              0xffff888000000000,
                              0x7fffdffff000};
    const uint64_t ends[] = {__NR_exit, __NR_exit_group, __NR_rt_sigreturn, __NR_sched_yield};
    for (int round = 0; round < 60000; round++) {
        uint64_t number = any(470), a[6];
        bool skip = false;
        for (size_t i = 0; i < ARRAY_LEN(ends); i++)
            skip = skip || number == ends[i];
        if (skip)
            continue;
        for (int i = 0; i < 6; i++)
            a[i] = worst[any(ARRAY_LEN(worst))];
        /* Something is always pending: nothing that waits may wait. */
        current->blocked = 0;
        signal_actions[SIGUSR1].handler = 1000;
        signal_send_simple(current, SIGUSR1, 0);
        long rc = call_do(number, a);
        assert_true(rc >= 0 || rc > -4096);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    /* The program's addresses must be free: nothing of this process may lie there by chance. */
    int now = personality(0xffffffff);
    if (now >= 0 && !(now & ADDR_NO_RANDOMIZE)) {
        personality((unsigned long)now | ADDR_NO_RANDOMIZE);
        execv("/proc/self/exe", argv);
        return 125;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back),
        cmocka_unit_test(heap_pieces_do_not_overlap),
        cmocka_unit_test(mappings_match_a_model),
        cmocka_unit_test(files_and_pipes_leak_nothing),
        cmocka_unit_test(text_is_formatted),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(images_are_read_and_damage_is_an_error),
        cmocka_unit_test(calls_survive_the_worst_arguments),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
