/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's YAML file and the addresses that it listens on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "control/config.h"

static int parse(struct config *config, const char *text, struct err *err)
{
    config_init(config);
    return config_parse(config, "t.yaml", text, strlen(text), err);
}

static void refused(const char *text, const char *expected)
{
    struct config config;
    struct err err = {0};
    assert_true(parse(&config, text, &err) < 0);
    if (strstr(err.text, expected) == NULL)
        fail_msg("'%s' gave '%s', expected '%s' in it", text, err.text, expected);
}

static void test_all_keys(void **state)
{
    struct config config;
    struct err err = {0};
    const char *text = "# a comment\n"
                       "listen: [127.0.0.1:8080, '[::1]:9090']\n"
                       "state: /srv/skerry\n"
                       "log: /var/log/skerryd.log\n"
                       "uid_base: 2000000\n"
                       "warm_slots: 3\n"
                       "idle_slots: 0\n"
                       "idle_after: 2m\n"
                       "sandboxes_max: 77\n"
                       "pool_memory: 256M\n"
                       "builds_max: 4\n"
                       "drain_timeout: 5s\n"
                       "log_size: 1M\n";
    assert_int_equal(parse(&config, text, &err), 0);
    assert_int_equal(config.listen_count, 2);
    assert_string_equal(config.listen[0], "127.0.0.1:8080");
    assert_string_equal(config.listen[1], "[::1]:9090");
    assert_string_equal(config.state, "/srv/skerry");
    assert_string_equal(config.log, "/var/log/skerryd.log");
    assert_int_equal(config.uid_base, 2000000);
    assert_int_equal(config.warm_slots, 3);
    assert_int_equal(config.idle_slots, 0);
    assert_int_equal(config.idle_after_ns, 120 * NS_PER_SEC);
    assert_int_equal(config.sandboxes_max, 77);
    assert_int_equal(config.pool_memory_bytes, 256u << 20);
    assert_int_equal(config.builds_max, 4);
    assert_int_equal(config.drain_timeout_ns, 5 * NS_PER_SEC);
    assert_int_equal(config.log_bytes_max, 1u << 20);
}

static void test_empty_file_keeps_defaults(void **state)
{
    struct config config;
    struct err err = {0};
    assert_int_equal(parse(&config, "", &err), 0);
    assert_int_equal(config.sandboxes_max, 1024);
    assert_int_equal(config.warm_slots, 2);
    assert_int_equal(config.listen_count, 0);
    assert_int_equal(parse(&config, "# nothing\n", &err), 0);
}

static void test_one_address_without_a_list(void **state)
{
    struct config config;
    struct err err = {0};
    assert_int_equal(parse(&config, "listen: 127.0.0.1:0\n", &err), 0);
    assert_int_equal(config.listen_count, 1);
}

static void test_relative_paths_become_absolute(void **state)
{
    struct config config;
    struct err err = {0};
    assert_int_equal(parse(&config, "state: here\n", &err), 0);
    assert_int_equal(config.state[0], '/');
    assert_string_equal(strrchr(config.state, '/'), "/here");
}

static void test_refusals_name_the_line(void **state)
{
    refused("listen: 127.0.0.1:1\nwarm: 2\n", "t.yaml:2: unknown key 'warm'");
    refused("warm_slots: 2\n\nwarm_slots: 2\n", "t.yaml:3: 'warm_slots' stands here a second time");
    refused("warm_slots: many\n", "t.yaml:1: warm_slots is 'many', not a whole number");
    refused("warm_slots: -1\n", "not a whole number");
    refused("warm_slots: [1]\n", "t.yaml:1: warm_slots must be a single value");
    refused("sandboxes_max: 0\n", "1 to 65536");
    refused("pool_memory: lots\n", "not a size");
    refused("\nidle_after: soon\n", "t.yaml:2: idle_after is 'soon', not a duration");
    refused("uid_base: 0\n", "uid_base is '0'");
    refused("listen: {a: b}\n", "neither an address nor a list");
    refused("listen: [[a]]\n", "not an address");
    refused("listen: localhost:80\n", "not an address to listen on");
    refused("- a\n", "expected lines of the form");
    refused("a: b: c\n", "t.yaml:1: not YAML");
    refused("state: ''\n", "the state directory is empty");
    refused("1: 2\n", "unknown key '1'");
    refused("? [a]\n: b\n", "unknown key '?'");
}

static void test_too_many_addresses(void **state)
{
    struct config config;
    struct err err = {0};
    config_init(&config);
    for (int i = 0; i < CONFIG_LISTEN_MAX; i++)
        assert_int_equal(config_add_listen(&config, "127.0.0.1:80", &err), 0);
    assert_true(config_add_listen(&config, "127.0.0.1:80", &err) < 0);
    assert_int_equal(config.listen_count, CONFIG_LISTEN_MAX);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *text, *shown;
    } good[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"[::1]:65535", "[::1]:65535"},
        {":80", "[::]:80"},
    };
    static const char *const bad[] = {"",
                                      "8080",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "1.2.3:80",
                                      "127.0.0.1:65536",
                                      "::1:80",
                                      "[::1]",
                                      "[::1]:",
                                      "a.b:80",
                                      "127.0.0.1:8x",
                                      "[:80",
                                      "127.0.0.1:-1",
                                      "[127.0.0.1]:80",
                                      "127.0.0.1:000080"};
    struct sockaddr_storage address;
    socklen_t size;
    char shown[CONFIG_ADDRESS_MAX];
    struct err err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(address_parse(good[i].text, &address, &size, &err), 0);
        address_format(&address, shown, sizeof(shown));
        assert_string_equal(shown, good[i].shown);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (address_parse(bad[i], &address, &size, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_empty_file_keeps_defaults),
        cmocka_unit_test(test_one_address_without_a_list),
        cmocka_unit_test(test_relative_paths_become_absolute),
        cmocka_unit_test(test_refusals_name_the_line),
        cmocka_unit_test(test_too_many_addresses),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
