/* SPDX-License-Identifier: Apache-2.0 */
/* function_check: each field is refused for each reason, and the sentence names it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/function.h"

static struct function_spec *valid_spec(void)
{
    static struct function_spec spec;
    function_init(&spec);
    strcpy(spec.name, "hello");
    strcpy(spec.image, "hello:latest");
    return &spec;
}

static void expect_refused(const struct function_spec *spec, const char *word)
{
    struct err err = {0};
    assert_int_equal(function_check(spec, &err), -EINVAL);
    assert_int_equal(err.code, EINVAL);
    if (strstr(err.text, word) == NULL)
        fail_msg("'%s' does not name '%s'", err.text, word);
}

static void expect_fine(const struct function_spec *spec)
{
    struct err err = {0};
    if (function_check(spec, &err) != 0)
        fail_msg("refused: %s", err.text);
}

static void an_initial_spec_has_the_defaults(void **state)
{
    struct function_spec *spec = valid_spec();
    expect_fine(spec);
    assert_int_equal(spec->limits.mem_bytes, 128 << 20);
    assert_int_equal(spec->limits.tmp_bytes, 64 << 20);
    assert_int_equal(spec->limits.timeout_ns, 10000000000);
    assert_int_equal(spec->limits.max_body_bytes, 16 << 20);
    assert_int_equal(spec->limits.cpu_millis, 0);
    assert_int_equal(spec->limits.pids_max, 64);
    assert_int_equal(spec->limits.concurrency_max, 64);
    assert_int_equal(spec->limits.queue_max, 256);
    assert_int_equal(spec->limits.files_max, 1024);
    spec->limits = (struct function_limits){.mem_bytes = 4 << 20, .pids_max = 3};
    function_fill_defaults(spec);
    assert_int_equal(spec->limits.tmp_bytes, 2 << 20);
    assert_int_equal(spec->limits.pids_max, 3);
}

static void names_follow_the_alphabet(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"a", true},    {"0", true},         {"a-b-9", true}, {"", false},    {"-a", false},
        {"a-", false},  {"A", false},        {"a_b", false},  {"a.b", false}, {"a/b", false},
        {"a b", false}, {"\xc3\xa4", false}, {"..", false},   {"a\n", false}, {"a--b", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(function_name_valid(rows[i].text), rows[i].valid);
        struct function_spec *spec = valid_spec();
        snprintf(spec->name, sizeof(spec->name), "%s", rows[i].text);
        if (rows[i].valid)
            expect_fine(spec);
        else
            expect_refused(spec, "name");
        spec = valid_spec();
        snprintf(spec->tenant, sizeof(spec->tenant), "%s", rows[i].text);
        if (rows[i].valid)
            expect_fine(spec);
        else
            expect_refused(spec, "tenant");
    }
    char longest[FUNCTION_NAME_MAX + 1] = {0};
    memset(longest, 'a', FUNCTION_NAME_MAX - 1);
    assert_true(function_name_valid(longest));
    longest[FUNCTION_NAME_MAX - 1] = 'a';
    assert_false(function_name_valid(longest));
}

/* Every text field filled to its last byte: no NUL within the array. */
static void texts_end_within_their_fields(void **state)
{
    struct function_spec *spec = valid_spec();
    memset(spec->name, 'a', sizeof(spec->name));
    expect_refused(spec, "name");
    spec = valid_spec();
    memset(spec->tenant, 'a', sizeof(spec->tenant));
    expect_refused(spec, "tenant");
    spec = valid_spec();
    memset(spec->tier, 'a', sizeof(spec->tier));
    expect_refused(spec, "tier");
    spec = valid_spec();
    memset(spec->image, 'a', sizeof(spec->image));
    expect_refused(spec, "image");
    spec = valid_spec();
    memset(spec->cwd, '/', sizeof(spec->cwd));
    expect_refused(spec, "cwd");
    spec = valid_spec();
    memset(spec->user, '1', sizeof(spec->user));
    expect_refused(spec, "user");
    spec = valid_spec();
    spec->bind_count = 1;
    memset(spec->binds[0].source, '/', sizeof(spec->binds[0].source));
    expect_refused(spec, "bind source");
    spec = valid_spec();
    spec->bind_count = 1;
    strcpy(spec->binds[0].source, "/srv");
    memset(spec->binds[0].target, '/', sizeof(spec->binds[0].target));
    expect_refused(spec, "bind target");
}

static void words_are_known(void **state)
{
    struct function_spec *spec = valid_spec();
    spec->version = 2;
    expect_refused(spec, "version");
    spec = valid_spec();
    spec->flags = 1u << 30;
    expect_refused(spec, "flags");
    spec = valid_spec();
    spec->net = 2;
    expect_refused(spec, "net");
    spec = valid_spec();
    spec->proc = 2;
    expect_refused(spec, "proc");
    spec = valid_spec();
    spec->reserved = 1;
    expect_refused(spec, "reserved");
    spec = valid_spec();
    spec->limits.reserved = 1;
    expect_refused(spec, "reserved");
    spec = valid_spec();
    strcpy(spec->tier, "wasm");
    expect_refused(spec, "tier");
    spec = valid_spec();
    spec->flags = FUNCTION_CGI | FUNCTION_STREAM | FUNCTION_OWN_IPC;
    expect_fine(spec);
}

static void an_image_or_the_hosts_usr(void **state)
{
    struct function_spec *spec = valid_spec();
    spec->flags = FUNCTION_HOST_USR;
    expect_refused(spec, "image");
    spec->image[0] = '\0';
    expect_refused(spec, "args");
    STRBLOCK_ADD(&spec->args, "/usr/bin/true");
    expect_fine(spec);
    spec->flags = 0;
    expect_refused(spec, "image");
    static const char *const bad[] = {"/a", "a b", "a\n", "-a", "a\\b", "a;b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        spec = valid_spec();
        strcpy(spec->image, bad[i]);
        expect_refused(spec, "image");
    }
    spec = valid_spec();
    strcpy(spec->image, "docker.io/library/busybox:1.36-musl@sha256:00");
    expect_fine(spec);
}

static void users_are_numbers_of_the_range(void **state)
{
    static const char *const good[] = {"", "0", "65535", "1000:1000", "0:65535"};
    static const char *const bad[] = {"65536", "99999999999", "a",    "1:",      ":1",    "1:2:3",
                                      "-1",    "1 ",          "1:+2", "1:65536", "000001"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct function_spec *spec = valid_spec();
        strcpy(spec->user, good[i]);
        expect_fine(spec);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct function_spec *spec = valid_spec();
        strcpy(spec->user, bad[i]);
        expect_refused(spec, "user");
    }
}

static void paths_are_absolute_and_plain(void **state)
{
    static const char *const bad[] = {"srv", "/a/../b", "/..", "/a/.", "./a", "/a\nb", "/a/.."};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct function_spec *spec = valid_spec();
        strcpy(spec->cwd, bad[i]);
        expect_refused(spec, "cwd");
        spec = valid_spec();
        spec->bind_count = 1;
        strcpy(spec->binds[0].source, bad[i]);
        strcpy(spec->binds[0].target, "/x");
        expect_refused(spec, "bind source");
        strcpy(spec->binds[0].source, "/x");
        strcpy(spec->binds[0].target, bad[i]);
        expect_refused(spec, "bind target");
    }
    struct function_spec *spec = valid_spec();
    strcpy(spec->cwd, "/a..b/...");
    expect_fine(spec);
}

static void binds_are_few_and_distinct(void **state)
{
    struct function_spec *spec = valid_spec();
    spec->bind_count = FUNCTION_BINDS_MAX + 1;
    expect_refused(spec, "binds");
    spec->bind_count = UINT32_MAX;
    expect_refused(spec, "binds");
    spec->bind_count = 2;
    for (uint32_t i = 0; i < 2; i++) {
        strcpy(spec->binds[i].source, "/srv");
        strcpy(spec->binds[i].target, "/data");
    }
    expect_refused(spec, "twice");
    strcpy(spec->binds[1].target, "/data2");
    expect_fine(spec);
    spec->binds[1].read_only = 2;
    expect_refused(spec, "read_only");
    spec->binds[1].read_only = 1;
    spec->binds[1].reserved = 1;
    expect_refused(spec, "reserved");
    spec->binds[1].reserved = 0;
    strcpy(spec->binds[1].target, "//");
    expect_refused(spec, "root");
}

static void limits_have_ranges(void **state)
{
#define REFUSED_AT(field, value, word)                                                             \
    do {                                                                                           \
        struct function_spec *spec_ = valid_spec();                                                \
        spec_->limits.field = (value);                                                             \
        expect_refused(spec_, word);                                                               \
    } while (0)
    REFUSED_AT(mem_bytes, (1 << 20) - 1, "mem");
    REFUSED_AT(mem_bytes, UINT64_MAX, "mem");
    REFUSED_AT(tmp_bytes, 4095, "tmp");
    REFUSED_AT(timeout_ns, 999999, "timeout");
    REFUSED_AT(timeout_ns, UINT64_MAX, "timeout");
    REFUSED_AT(max_body_bytes, UINT64_MAX, "max_body");
    REFUSED_AT(cpu_millis, 1024001, "cpus");
    REFUSED_AT(pids_max, 65537, "pids");
    REFUSED_AT(concurrency_max, 4097, "concurrency");
    REFUSED_AT(queue_max, 65537, "queue");
    REFUSED_AT(files_max, 3, "files");
    struct function_spec *spec = valid_spec();
    spec->limits = (struct function_limits){0}; /* zeros stand for the defaults */
    expect_fine(spec);
}

static void blocks_hold_pairs(void **state)
{
    struct function_spec *spec = valid_spec();
    spec->args.count = 1;
    expect_refused(spec, "args");
    spec = valid_spec();
    spec->env.bytes = sizeof(spec->env.data) + 1;
    expect_refused(spec, "env");
    spec = valid_spec();
    spec->labels.bytes = 1;
    spec->labels.data[0] = 'x';
    expect_refused(spec, "labels");
    spec = valid_spec();
    spec->annotations.bytes = UINT32_MAX;
    expect_refused(spec, "annotations");
    static const char *const bad[] = {"", "NOVALUE", "=x", "A B=1", "A\n=1", "\xff=1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        spec = valid_spec();
        STRBLOCK_ADD(&spec->env, "OK=1");
        STRBLOCK_ADD(&spec->env, bad[i]);
        expect_refused(spec, "env");
        spec = valid_spec();
        STRBLOCK_ADD(&spec->labels, bad[i]);
        expect_refused(spec, "labels");
        spec = valid_spec();
        STRBLOCK_ADD(&spec->annotations, bad[i]);
        expect_refused(spec, "annotations");
    }
    spec = valid_spec();
    STRBLOCK_ADD(&spec->env, "A=");
    STRBLOCK_ADD(&spec->env, "B==\n");
    STRBLOCK_ADD(&spec->args, "prog");
    STRBLOCK_ADD(&spec->args, "");
    expect_fine(spec);
    spec = valid_spec();
    STRBLOCK_ADD(&spec->args, "");
    expect_refused(spec, "args");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_initial_spec_has_the_defaults),
        cmocka_unit_test(names_follow_the_alphabet),
        cmocka_unit_test(texts_end_within_their_fields),
        cmocka_unit_test(words_are_known),
        cmocka_unit_test(an_image_or_the_hosts_usr),
        cmocka_unit_test(users_are_numbers_of_the_range),
        cmocka_unit_test(paths_are_absolute_and_plain),
        cmocka_unit_test(binds_are_few_and_distinct),
        cmocka_unit_test(limits_have_ranges),
        cmocka_unit_test(blocks_hold_pairs),
    };
    return cmocka_run_group_tests_name("function", tests, NULL, NULL);
}
