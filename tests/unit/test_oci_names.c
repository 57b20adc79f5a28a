/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of names that the OCI runtime reads with, and its writer of JSON. */
#include <errno.h>
#include <linux/mount.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oci/json.h"
#include "oci/json_write.h"
#include "oci/mount_options.h"
#include "oci/names.h"

static void every_option_of_the_table_is_found(void **state)
{
    struct oci_mount mount = {0};
    size_t count = 0;
    const char *before = "";
    for (const char *name; (name = oci_mount_option_name(count)) != NULL; count++) {
        assert_true(oci_mount_option(&mount, name));
        assert_true(strcmp(before, name) < 0); /* the search needs the order */
        before = name;
    }
    assert_true(count >= 60);
    assert_false(oci_mount_option(&mount, "size=1"));
    assert_int_equal(oci_propagation("rslave"), MS_SLAVE | MS_REC);
    assert_int_equal(oci_propagation("ro"), 0);
}

static void names_have_numbers(void **state)
{
    assert_int_equal(oci_signal_number("KILL"), 9);
    assert_int_equal(oci_signal_number("SIGTERM"), 15);
    assert_int_equal(oci_signal_number("sigusr1"), 10);
    assert_int_equal(oci_signal_number("64"), 64);
    assert_int_equal(oci_signal_number("SIGRTMIN+3"), 37);
    assert_int_equal(oci_signal_number("RTMAX-1"), 63);
    static const char *const wrong[] = {"", "0", "65", "-9", "9x", "SIGFOO", "RTMIN+31", "RTMAX-x"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(oci_signal_number(wrong[i]), -EINVAL);
    assert_int_equal(oci_capability_number("cap_sys_admin"), 21);
    assert_int_equal(oci_capability_number("CHOWN"), 0);
    assert_int_equal(oci_capability_number("CAP_X"), -ENOENT);
}

static void what_is_written_can_be_read(void **state)
{
    struct json_writer out = {.indent = 2};
    struct json_arena arena = {0};
    const struct json *json;
    struct err err;
    int64_t number;
    json_write_object(&out, NULL);
    json_write_text(&out, "bad\xff", "a\x01\"\\\xc3\xa9\xe2\x82");
    json_write_int(&out, "n", INT64_MIN);
    json_write_list(&out, "l");
    json_write_list_end(&out);
    json_write_bool(&out, "b", true);
    json_write_object_end(&out);
    assert_int_equal(json_writer_finish(&out), 0);
    assert_int_equal(json_parse(&arena, out.data, out.used, &json, &err), 0);
    assert_string_equal(json_get_text(json, "bad\xef\xbf\xbd"),
                        "a\x01\"\\\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
    assert_int_equal(json_int(json_get(json, "n"), &number), 0);
    assert_true(number == INT64_MIN);
    json_arena_free(&arena);
    json_writer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_of_the_table_is_found),
        cmocka_unit_test(names_have_numbers),
        cmocka_unit_test(what_is_written_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
