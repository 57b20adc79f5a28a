/* SPDX-License-Identifier: Apache-2.0 */
/* Basic authentication: exactly one user with exactly one password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "control/api_auth.h"

static void test_base64(void **state)
{
    static const struct { /* RFC 4648 section 10 */
        const char *text, *plain;
    } good[] = {{"", ""},
                {"Zg==", "f"},
                {"Zm8=", "fo"},
                {"Zm9v", "foo"},
                {"Zm9vYg==", "foob"},
                {"Zm9vYmE=", "fooba"},
                {"Zm9vYmFy", "foobar"},
                {"+/+/", "\xfb\xff\xbf"}};
    static const char *const bad[] = {"Z",      "Zg",   "Zg=",   "Zg= =", "Z===",     "====",
                                      "Zm9v\n", "Zm-v", "Zm9=v", "=Zm9",  "Zg==Zg==", "Zm 9"};
    unsigned char out[16];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ssize_t size = base64_decode(good[i].text, strlen(good[i].text), out, sizeof(out));
        assert_int_equal(size, strlen(good[i].plain));
        assert_memory_equal(out, good[i].plain, (size_t)size);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (base64_decode(bad[i], strlen(bad[i]), out, sizeof(out)) >= 0)
            fail_msg("'%s' was taken", bad[i]);
    }
    assert_int_equal(base64_decode("Zm9vYmFy", 8, out, 5), -1);
    assert_int_equal(base64_decode("Zm9vYmFy", 8, out, 6), 6);
}

static int valid(const char *value)
{
    return auth_basic_valid(value, strlen(value), "secret");
}

static void test_one_user_one_password(void **state)
{
    assert_true(valid("Basic YWRtaW46c2VjcmV0"));
    assert_true(valid("basic  YWRtaW46c2VjcmV0"));
    assert_false(valid("Basic YWRtaW46c2VjcmU="));         /* admin:secre */
    assert_false(valid("Basic YWRtaW46c2VjcmV0cw=="));     /* admin:secrets */
    assert_false(valid("Basic YWRtaW46"));                 /* admin: */
    assert_false(valid("Basic YWRtaW4="));                 /* admin */
    assert_false(valid("Basic cm9vdDpzZWNyZXQ="));         /* root:secret */
    assert_false(valid("Basic QWRtaW46c2VjcmV0"));         /* Admin:secret */
    assert_false(valid("Basic c2VjcmV0"));                 /* secret */
    assert_false(valid("Basic YWRtaW46c2VjcmV0c2VjcmV0")); /* admin:secretsecret */
    assert_false(valid("Bearer YWRtaW46c2VjcmV0"));
    assert_false(valid("Basic"));
    assert_false(valid("Basic "));
    assert_false(valid(""));
    assert_false(valid("Basic admin:secret"));
}

static void test_no_password_lets_nobody_in(void **state)
{
    assert_false(auth_basic_valid("Basic YWRtaW46", 14, "")); /* admin: */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_one_user_one_password),
        cmocka_unit_test(test_no_password_lets_nobody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
