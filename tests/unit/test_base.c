/* SPDX-License-Identifier: Apache-2.0 */
/* The base room: sizes and durations, string blocks, packets with descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/packet.h"
#include "base/size.h"
#include "base/strblock.h"

static void sizes_are_powers_of_1024(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint64_t bytes;
    } rows[] = {
        {"0", 0, 0},
        {"128M", 0, UINT64_C(128) << 20},
        {"1.5k", 0, 1536},
        {"2Gi", 0, UINT64_C(2) << 30},
        {"64MB", 0, UINT64_C(64) << 20},
        {"", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"1e9", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"nan", -EINVAL, 0},
        {"12Q", -EINVAL, 0},
        {"1Mx", -EINVAL, 0},
        {"99999999999T", -ERANGE, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t got = 0;
        assert_int_equal(size_parse(rows[i].text, &got), rows[i].result);
        assert_int_equal(got, rows[i].bytes);
    }
}

static void durations_add_up(void **state)
{
    uint64_t got;
    assert_int_equal(duration_parse("1m30s", &got), 0);
    assert_int_equal(got, UINT64_C(90000000000));
    assert_int_equal(duration_parse("250ms", &got), 0);
    assert_int_equal(got, 250000000);
    assert_int_equal(duration_parse("2", &got), 0);
    assert_int_equal(got, UINT64_C(2000000000));
    assert_int_equal(duration_parse("1m30", &got), -EINVAL);
    assert_int_equal(duration_parse("s", &got), -EINVAL);
    assert_int_equal(duration_parse("-1s", &got), -EINVAL);
    uint32_t cpus;
    assert_int_equal(cpus_parse("0.5", &cpus), 0);
    assert_int_equal(cpus, 500);
    assert_int_equal(cpus_parse("250m", &cpus), 0);
    assert_int_equal(cpus, 250);
    assert_int_equal(cpus_parse("0", &cpus), -ERANGE);
}

static void strblock_refuses_what_does_not_fit(void **state)
{
    STRBLOCK(8) block = {0};
    assert_int_equal(STRBLOCK_ADD(&block, "abc"), 0);
    assert_int_equal(STRBLOCK_ADD(&block, "def"), 0);
    assert_int_equal(STRBLOCK_ADD(&block, ""), -E2BIG);
    assert_true(STRBLOCK_VALID(&block));
    block.data[7] = 'x';
    assert_false(STRBLOCK_VALID(&block));
    block.bytes = 9;
    assert_false(STRBLOCK_VALID(&block));
}

static void packet_carries_descriptors_whole_or_not_at_all(void **state)
{
    int ends[2], pipe_ends[2];
    assert_int_equal(packet_pair(ends), 0);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    char text[] = "hello";
    struct iovec part = {text, sizeof(text)};
    assert_int_equal(packet_send(ends[0], &part, 1, pipe_ends, 2, 0), 0);
    char got[16];
    int fds[2];
    size_t count = 0;
    assert_int_equal(packet_recv(ends[1], got, sizeof(got), fds, 2, &count, 0), sizeof(text));
    assert_int_equal(count, 2);
    assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    int before = dup(0);
    close(before);
    assert_int_equal(packet_send(ends[0], &part, 1, pipe_ends, 2, 0), 0);
    assert_int_equal(packet_recv(ends[1], got, sizeof(got), fds, 1, &count, 0), -EMSGSIZE);
    int after = dup(0);
    assert_int_equal(before, after); /* the refused descriptors were closed */
    close(after);
    assert_int_equal(packet_send(ends[0], &part, 1, NULL, 0, 0), 0);
    assert_int_equal(packet_recv(ends[1], got, 3, NULL, 0, NULL, 0), -EMSGSIZE);
}

static void errors_append_the_reason(void **state)
{
    struct err err;
    assert_int_equal(err_set(&err, ENOENT, "open %s:", "x"), -ENOENT);
    assert_string_equal(err.text, "open x: No such file or directory");
    assert_int_equal(err_prefix(&err, "deploy"), -ENOENT);
    assert_string_equal(err.text, "deploy: open x: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(durations_add_up),
        cmocka_unit_test(strblock_refuses_what_does_not_fit),
        cmocka_unit_test(packet_carries_descriptors_whole_or_not_at_all),
        cmocka_unit_test(errors_append_the_reason),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
