/* SPDX-License-Identifier: Apache-2.0 */
/* Functions from and to JSON: what is taken, what is refused and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/spec_json.h"

static int parse(const char *text, struct function_spec *out, struct err *err)
{
    json_t *json = json_parse_strict(text, strlen(text), err);
    if (json == NULL)
        return -1;
    int rc = spec_from_json(json, out, err);
    json_decref(json);
    return rc;
}

static void taken(const char *text, struct function_spec *out)
{
    struct err err = {0};
    if (parse(text, out, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

static void refused(const char *text, const char *expected)
{
    struct function_spec spec;
    struct err err = {0};
    if (parse(text, &spec, &err) >= 0)
        fail_msg("%s was taken", text);
    if (strstr(err.text, expected) == NULL)
        fail_msg("%s gave '%s', expected '%s' in it", text, err.text, expected);
}

static void test_the_least_deployment(void **state)
{
    struct function_spec spec, expected;
    taken("{\"service\":\"f\",\"image\":\"i\"}", &spec);
    function_init(&expected);
    strcpy(expected.name, "f");
    strcpy(expected.image, "i");
    assert_memory_equal(&spec, &expected, sizeof(spec));
}

static void test_what_faas_cli_sends(void **state)
{
    struct function_spec spec;
    taken(
        "{\"service\":\"figlet\",\"image\":\"ghcr.io/openfaas/figlet:latest\",\"namespace\":\"\","
        "\"network\":\"func_functions\",\"envProcess\":\"figlet -w  80\",\"envVars\":{\"a\":\"b\"},"
        "\"constraints\":[],\"secrets\":[],\"labels\":{\"l\":\"1\"},\"annotations\":null,"
        "\"limits\":{\"memory\":\"64Mi\",\"cpu\":\"100m\"},\"requests\":{\"memory\":\"10Mi\"},"
        "\"readOnlyRootFilesystem\":false}",
        &spec);
    assert_string_equal(spec.tenant, "default");
    assert_int_equal(spec.args.count, 3);
    assert_memory_equal(spec.args.data, "figlet\0-w\00080", 13);
    assert_int_equal(spec.limits.mem_bytes, 64u << 20);
    assert_int_equal(spec.limits.cpu_millis, 100);
    assert_memory_equal(spec.env.data, "a=b", 4);
    assert_memory_equal(spec.labels.data, "l=1", 4);
}

static const char full[] =
    "{\"service\":\"full\",\"namespace\":\"acme\",\"image\":\"i:1\",\"envProcess\":\"ignored\","
    "\"envVars\":{\"K\":\"V\",\"E\":\"\"},\"labels\":{\"team\":\"x\"},\"annotations\":{\"n\":"
    "\"\\u00e9\"},"
    "\"limits\":{\"memory\":\"5M\",\"cpu\":\"250m\"},"
    "\"skerry\":{\"args\":[\"/bin/x\",\"\",\"a b\"],\"tier\":\"jail\",\"mem\":\"5M\",\"cpus\":0.25,"
    "\"pids\":7,\"timeout\":\"1500ms\",\"tmp\":\"8K\",\"net\":\"none\",\"ipc\":\"own\",\"renew\":"
    "\"all\","
    "\"proc\":\"full\",\"cgi\":true,\"stream\":true,\"host_usr\":false,\"max_body\":\"1G\","
    "\"concurrency\":8,\"queue\":9,\"files\":10,\"user\":\"12:34\",\"cwd\":\"/w\","
    "\"binds\":[{\"source\":\"/a\",\"target\":\"/b\",\"ro\":true},"
    "{\"source\":\"/c\",\"target\":\"/d\"}]}}";

static void test_every_key(void **state)
{
    struct function_spec spec;
    taken(full, &spec);
    assert_int_equal(spec.flags,
                     FUNCTION_CGI | FUNCTION_STREAM | FUNCTION_OWN_IPC | FUNCTION_RENEW_ALL);
    assert_int_equal(spec.args.count, 3);
    assert_memory_equal(spec.args.data, "/bin/x\0\0a b", 12);
    assert_int_equal(spec.limits.mem_bytes, 5u << 20);
    assert_int_equal(spec.limits.cpu_millis, 250);
    assert_int_equal(spec.limits.pids_max, 7);
    assert_int_equal(spec.limits.timeout_ns, 1500 * NS_PER_MS);
    assert_int_equal(spec.limits.tmp_bytes, 8192);
    assert_int_equal(spec.limits.max_body_bytes, 1u << 30);
    assert_int_equal(spec.limits.concurrency_max, 8);
    assert_int_equal(spec.limits.queue_max, 9);
    assert_int_equal(spec.limits.files_max, 10);
    assert_int_equal(spec.net, FUNCTION_NET_NONE);
    assert_int_equal(spec.proc, FUNCTION_PROC_FULL);
    assert_string_equal(spec.user, "12:34");
    assert_string_equal(spec.cwd, "/w");
    assert_int_equal(spec.bind_count, 2);
    assert_string_equal(spec.binds[0].target, "/b");
    assert_int_equal(spec.binds[0].read_only, 1);
    assert_int_equal(spec.binds[1].read_only, 0);
}

static void round_trip(const char *text)
{
    struct function_spec spec, back;
    struct err err = {0};
    taken(text, &spec);
    json_t *json = spec_to_json(&spec);
    assert_non_null(json);
    char *written = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (parse(written, &back, &err) < 0)
        fail_msg("%s: %s", written, err.text);
    if (memcmp(&spec, &back, sizeof(spec)) != 0)
        fail_msg("%s came back as something else", written);
    free(written);
}

static void test_round_trip(void **state)
{
    round_trip(full);
    round_trip("{\"service\":\"f\",\"image\":\"i\"}");
    round_trip("{\"service\":\"f\",\"skerry\":{\"host_usr\":true,\"args\":[\"jq\",\".\"],"
               "\"timeout\":\"1h\",\"mem\":\"1T\",\"cpus\":\"3\",\"max_body\":1,\"tmp\":4097}}");
    round_trip(
        "{\"service\":\"f\",\"image\":\"i\",\"skerry\":{\"timeout\":\"90m\",\"cpus\":\"1500m\"}}");
    round_trip("{\"service\":\"f\",\"image\":\"i\",\"skerry\":{\"timeout\":\"1234567ns\"}}");
}

static void test_wrong_types_are_named(void **state)
{
#define F "\"service\":\"f\",\"image\":\"i\","
    refused("[]", "the document is a list; an object is expected");
    refused("{}", "service, the name of the function, is missing");
    refused("{\"service\":1}", "service, the name");
    refused("{" F "\"envVars\":[]}", "envVars is a list");
    refused("{" F "\"envVars\":{\"a\":1}}", "envVars: the value of 'a' is a number");
    refused("{" F "\"envVars\":{\"\":\"x\"}}", "envVars: '' cannot be a name");
    refused("{" F "\"labels\":{\"a=b\":\"x\"}}", "labels: 'a=b' cannot be a name");
    refused("{" F "\"limits\":\"64M\"}", "limits is a string");
    refused("{" F "\"limits\":{\"memory\":true}}", "limits: memory is true");
    refused("{" F "\"limits\":{\"mem\":\"1M\"}}", "limits has an unknown key 'mem'");
    refused("{" F "\"readOnlyRootFilesystem\":\"yes\"}", "readOnlyRootFilesystem is a string");
    refused("{" F "\"skerry\":[]}", "skerry is a list");
    refused("{" F "\"skerry\":{\"args\":\"x\"}}", "skerry: args is a string");
    refused("{" F "\"skerry\":{\"args\":[1]}}", "an entry of args is a number");
    refused("{" F "\"skerry\":{\"cgi\":1}}", "skerry: cgi is a number");
    refused("{" F "\"skerry\":{\"pids\":\"7\"}}", "skerry: pids is a string; a whole number");
    refused("{" F "\"skerry\":{\"pids\":1.5}}", "skerry: pids is a number; a whole number");
    refused("{" F "\"skerry\":{\"timeout\":10}}", "skerry: timeout is a number");
    refused("{" F "\"skerry\":{\"binds\":[7]}}", "an entry of binds is a number");
    refused("{" F "\"skerry\":{\"binds\":[{\"source\":\"/a\"}]}}",
            "lacks its source or its target");
    refused("{" F "\"skerry\":{\"binds\":[{\"mode\":\"/a\"}]}}", "unknown key 'mode'");
    refused("{" F "\"skerry\":{\"user\":0}}", "skerry: user is a number");
}

static void test_wrong_values_are_named(void **state)
{
    refused("{" F "\"skerry\":{\"memory\":\"1M\"}}", "skerry has an unknown key 'memory'");
    refused("{" F "\"skerry\":{\"mem\":\"lots\"}}", "skerry: mem is 'lots', not a size");
    refused("{" F "\"skerry\":{\"mem\":-1}}", "skerry: mem is a number");
    refused("{" F "\"skerry\":{\"mem\":\"0\"}}", "skerry: mem is 0; leave it out");
    refused("{" F "\"skerry\":{\"mem\":\"1K\"}}", "mem (bytes) is 1024");
    refused("{" F "\"skerry\":{\"pids\":0}}", "skerry: pids is 0");
    refused("{" F "\"skerry\":{\"pids\":-1}}", "skerry: pids is negative");
    refused("{" F "\"skerry\":{\"pids\":4294967296}}", "skerry: pids is too large");
    refused("{" F "\"skerry\":{\"cpus\":\"x\"}}", "skerry: cpus is 'x'");
    refused("{" F "\"skerry\":{\"cpus\":-1}}", "skerry: cpus is out of range");
    refused("{" F "\"skerry\":{\"timeout\":\"soon\"}}", "skerry: timeout is 'soon'");
    refused("{" F "\"skerry\":{\"net\":\"host\"}}", "net is 'host'; 'own' and 'none' are offered");
    refused("{" F "\"skerry\":{\"tier\":\"wasm\"}}", "tier 'wasm' is not offered");
    refused("{" F "\"skerry\":{\"user\":\"root\"}}", "user 'root'");
    refused("{" F "\"skerry\":{\"cwd\":\"../x\"}}", "cwd '../x'");
    refused("{" F "\"limits\":{\"memory\":\"1M\"},\"skerry\":{\"mem\":\"2M\"}}",
            "mem contradicts the same limit");
    refused("{" F "\"secrets\":[\"s\"]}", "secrets are not offered");
    refused("{" F "\"constraints\":[\"node\"]}", "constraints are not offered");
    refused("{\"service\":\"F\",\"image\":\"i\"}", "name 'F' is not valid");
    refused("{\"service\":\"f\",\"image\":\"i\",\"namespace\":\"../x\"}", "tenant '../x'");
    refused("{\"service\":\"f\"}", "image is empty");
    refused("{\"service\":\"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\","
            "\"image\":\"i\"}",
            "service has 64 bytes; at most 63");
}

static void test_bounds_of_a_document(void **state)
{
    refused("", "not valid JSON at line 1");
    refused("{" F "}", "not valid JSON");
    refused("{\"service\":\"f\",\"service\":\"g\"}", "duplicate object key");
    refused("{\"service\":\"f\",\"image\":\"i\"} x", "not valid JSON");
    refused("{\"service\":\"f\\u0000\",\"image\":\"i\"}", "not valid JSON");
    refused("{\"service\":\"\xff\",\"image\":\"i\"}", "not valid JSON");
    refused("[[[[[[[[[1]]]]]]]]]", "nested deeper than 8");
    refused("[[[[[[[[1]]]]]]]]", "the document is a list");
    refused("\"[[[[[[[[[[[[ \\\" [[[[[\"", "not valid JSON");

    size_t size = SPEC_JSON_MAX + 1;
    char *large = malloc(size);
    struct err err = {0};
    assert_non_null(large);
    memset(large, ' ', size);
    assert_null(json_parse_strict(large, size, &err));
    assert_non_null(strstr(err.text, "larger than 1048576"));
    free(large);
}

/* {"service":"f","image":"i","envVars":{"k0":"xxx..", ...}} with count entries of 1000 bytes. */
static char *many_vars(int count)
{
    char *text = malloc((size_t)count * 1100 + 200);
    assert_non_null(text);
    int used = sprintf(text, "{\"service\":\"f\",\"image\":\"i\",\"envVars\":{");
    for (int i = 0; i < count; i++)
        used += sprintf(text + used, "%s\"k%d\":\"%01000d\"", i > 0 ? "," : "", i, 0);
    sprintf(text + used, "}}");
    return text;
}

static void test_blocks_have_room_and_no_more(void **state)
{
    char *text = many_vars(16);
    round_trip(text);
    free(text);
    text = many_vars(17);
    refused(text, "envVars is larger than 16384 bytes");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_least_deployment),
        cmocka_unit_test(test_what_faas_cli_sends),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_wrong_types_are_named),
        cmocka_unit_test(test_wrong_values_are_named),
        cmocka_unit_test(test_bounds_of_a_document),
        cmocka_unit_test(test_blocks_have_room_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
