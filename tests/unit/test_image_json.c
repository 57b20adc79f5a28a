/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of an image and the user that they name: what is chosen, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flush_page.h"
#include "image/manifest.h"
#include "image/path.h"
#include "image/ref.h"
#include "image/user.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEX_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define OCI   "application/vnd.oci.image."

#define ENTRY(hex, more)                                                                           \
    "{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"sha256:" hex "\",\"size\":7" more "}"
#define PLATFORM(os, arch) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"
#define NAMED(name)        ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}"
#define INDEX(entries)     "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

static struct err err;

static int choose(const char *json, const char *wanted, struct index_choice *out)
{
    memset(out, 0, sizeof(*out));
    return index_choose(flush_copy(json, strlen(json)), strlen(json), wanted, out, &err);
}

static void the_index_gives_this_platform(void **state)
{
    static const struct {
        const char *json;
        const char *wanted;
        int result;
        const char *hex;
        const char *name;
    } rows[] = {
        {INDEX(ENTRY(HEX_A, "")), NULL, 0, HEX_A, ""},
        {INDEX(ENTRY(HEX_A, PLATFORM("linux", "arm64")) "," ENTRY(
             HEX_B, PLATFORM("linux", "amd64")) "," ENTRY(HEX_C, PLATFORM("windows", "amd64"))),
         NULL, 0, HEX_B, ""},
        {INDEX(ENTRY(HEX_A, PLATFORM("linux", "arm64"))), NULL, -ENOEXEC, NULL, NULL},
        {INDEX(ENTRY(HEX_A, NAMED("one")) "," ENTRY(HEX_B, NAMED("two"))), NULL, -ENOTUNIQ, NULL,
         NULL},
        {INDEX(ENTRY(HEX_A, NAMED("one")) "," ENTRY(HEX_B, NAMED("two"))), "two", 0, HEX_B, "two"},
        {INDEX(ENTRY(HEX_A, NAMED("one")) "," ENTRY(HEX_B, NAMED("two"))), "three", -ENOENT, NULL,
         NULL},
        {INDEX(ENTRY(HEX_A, NAMED("one")) "," ENTRY(HEX_A, NAMED("two"))), NULL, 0, HEX_A, "two"},
        {INDEX(ENTRY(HEX_A, NAMED("../../etc"))), NULL, 0, HEX_A, ""}, /* no name at all */
        {INDEX(ENTRY(HEX_A, ",\"annotations\":{\"vnd.docker.reference.type\":\"x\"}")), NULL,
         -ENOENT, NULL, NULL},
        {INDEX(""), NULL, -ENOENT, NULL, NULL},
        {"{\"manifests\":{}}", NULL, -EINVAL, NULL, NULL},
        {"{\"manifests\":[1,null,[],{}]}", NULL, -EINVAL, NULL, NULL},
        {"[]", NULL, -EINVAL, NULL, NULL},
        {"", NULL, -EINVAL, NULL, NULL},
        {"{\"manifests\":[{\"digest\":\"sha512:" HEX_A "\",\"size\":1}]}", NULL, -EINVAL, NULL,
         NULL},
        {"{\"manifests\":[{\"digest\":\"sha256:../../../etc/passwd\",\"size\":1}]}", NULL, -EINVAL,
         NULL, NULL},
        {"{\"manifests\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":-1}]}", NULL, -EINVAL, NULL,
         NULL},
        {"{\"manifests\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":1e3}]}", NULL, -EINVAL, NULL,
         NULL},
        {"{\"manifests\":[{\"digest\":\"sha256:" HEX_A "\",\"size\":99999999999999999999}]}", NULL,
         -EINVAL, NULL, NULL},
        {"{\"manifests\":[],\"manifests\":[]}", NULL, -EINVAL, NULL, NULL}, /* a key twice */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct index_choice choice;
        int result = choose(rows[i].json, rows[i].wanted, &choice);
        if (result != rows[i].result)
            fail_msg("row %zu: %d instead of %d (%s)", i, result, rows[i].result, err.text);
        if (result == 0) {
            assert_string_equal(choice.descriptor.hex, rows[i].hex);
            assert_string_equal(choice.name, rows[i].name);
            assert_false(choice.nested);
        }
    }
}

static void an_index_may_name_another(void **state)
{
    struct index_choice choice;
    assert_int_equal(choose("{\"manifests\":[{\"mediaType\":\"" OCI
                            "index.v1+json\",\"digest\":\"sha256:" HEX_A "\",\"size\":5}]}",
                            NULL, &choice),
                     0);
    assert_true(choice.nested);
    assert_int_equal(choice.descriptor.size, 5);
}

#define CONFIG_OF(hex)                                                                             \
    "\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"sha256:" hex "\",\"size\":"  \
    "3}"
#define LAYER_OF(type, hex) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" hex "\",\"size\":9}"

static void manifests_are_read_or_refused(void **state)
{
    static struct manifest manifest;
    static const struct {
        const char *json;
        int result;
        uint32_t layers;
    } rows[] = {
        {"{\"schemaVersion\":2," CONFIG_OF(HEX_A) ",\"layers\":[]}", 0, 0},
        {"{\"schemaVersion\":2," CONFIG_OF(HEX_A) ",\"layers\":[" LAYER_OF(
             OCI "layer.v1.tar+gzip", HEX_B) "," LAYER_OF(OCI "layer.v1.tar+zstd", HEX_C) "]}",
         0, 2},
        {"{\"schemaVersion\":2," CONFIG_OF(HEX_A) ",\"layers\":[" LAYER_OF(
             OCI "layer.v1.tar+gzip+encrypted", HEX_B) "]}",
         -EINVAL, 0},
        {"{\"schemaVersion\":2," CONFIG_OF(HEX_A) ",\"layers\":[" LAYER_OF(
             "application/vnd.cncf.helm.chart.content.v1.tar+gzip", HEX_B) "]}",
         -EINVAL, 0},
        {"{\"schemaVersion\":1," CONFIG_OF(HEX_A) ",\"layers\":[]}", -EINVAL, 0},
        {"{\"schemaVersion\":2,\"layers\":[]}", -EINVAL, 0},
        {"{\"schemaVersion\":2," CONFIG_OF(HEX_A) "}", -EINVAL, 0},
        {"{\"schemaVersion\":2," CONFIG_OF(HEX_A) ",\"layers\":[1]}", -EINVAL, 0},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.wasm.config.v1+json\","
         "\"digest\":\"sha256:" HEX_A "\",\"size\":3},\"layers\":[]}",
         -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size = strlen(rows[i].json);
        int result = manifest_parse(flush_copy(rows[i].json, size), size, &manifest, &err);
        if (result != rows[i].result)
            fail_msg("row %zu: %d instead of %d (%s)", i, result, rows[i].result, err.text);
        if (result == 0) {
            assert_int_equal(manifest.layer_count, rows[i].layers);
            assert_string_equal(manifest.config.hex, HEX_A);
        }
    }
}

static void a_manifest_has_no_more_layers_than_there_is_room(void **state)
{
    static char json[64 * 1024];
    static struct manifest manifest;
    for (int count = MANIFEST_LAYERS_MAX; count <= MANIFEST_LAYERS_MAX + 1; count++) {
        int at =
            snprintf(json, sizeof(json), "{\"schemaVersion\":2," CONFIG_OF(HEX_A) ",\"layers\":[");
        for (int i = 0; i < count; i++)
            at += snprintf(json + at, sizeof(json) - (size_t)at,
                           "%s{\"digest\":\"sha256:" HEX_B "\",\"size\":9}", i > 0 ? "," : "");
        snprintf(json + at, sizeof(json) - (size_t)at, "]}");
        assert_int_equal(manifest_parse(json, strlen(json), &manifest, &err),
                         count > MANIFEST_LAYERS_MAX ? -EFBIG : 0);
    }
}

static struct image_config config;

static int read_config(const char *json)
{
    return config_parse(flush_copy(json, strlen(json)), strlen(json), &config, &err);
}

#define CONFIG(process, diff_ids)                                                                  \
    "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":" process                             \
    ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":" diff_ids "}}"

static void a_configuration_says_what_to_run(void **state)
{
    assert_int_equal(
        read_config(CONFIG("{\"Entrypoint\":[\"/bin/a\",\"b c\"],\"Cmd\":[\"\",\"d\"],\"Env\":["
                           "\"PATH=/bin\",\"nothing\",\"=x\",\"E=\"],\"WorkingDir\":\"work/./"
                           "dir\",\"User\":\"app:www\"}",
                           "[\"sha256:" HEX_A "\"]")),
        0);
    assert_int_equal(config.meta.args.count, 4);
    assert_memory_equal(config.meta.args.data, "/bin/a\0b c\0\0d", 14);
    assert_int_equal(config.meta.env.count, 2);
    assert_memory_equal(config.meta.env.data, "PATH=/bin\0E=", 13);
    assert_string_equal(config.meta.cwd, "/work/dir");
    assert_string_equal(config.user, "app:www");
    assert_int_equal(config.diff_id_count, 1);
    assert_string_equal(config.diff_ids[0], HEX_A);
    assert_int_equal(read_config(CONFIG("null", "[]")), 0);
    assert_int_equal(config.meta.args.count, 0);
    assert_int_equal(read_config(CONFIG("{\"Entrypoint\":null,\"Cmd\":[\"x\"]}", "[]")), 0);
    assert_memory_equal(config.meta.args.data, "x", 2);
}

static void configurations_that_cannot_be_run_are_refused(void **state)
{
    static const struct {
        const char *json;
        int result;
    } rows[] = {
        {"{\"os\":\"linux\",\"architecture\":\"arm64\",\"rootfs\":{\"diff_ids\":[]}}", -ENOEXEC},
        {"{\"os\":\"windows\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[]}}", -ENOEXEC},
        {"{\"os\":\"linux\",\"architecture\":\"amd64\"}", -EINVAL},
        {CONFIG("{}", "{}"), -EINVAL},
        {CONFIG("{}", "[\"sha256:zz\"]"), -EINVAL},
        {CONFIG("{}", "[7]"), -EINVAL},
        {CONFIG("{\"Cmd\":\"text\"}", "[]"), -EINVAL},
        {CONFIG("{\"Cmd\":[1]}", "[]"), -EINVAL},
        {CONFIG("{\"Cmd\":[\"\"]}", "[]"), -EINVAL},
        {CONFIG("{\"Cmd\":[\"a\\u0000b\"]}", "[]"), -EINVAL}, /* would end the argument */
        {CONFIG("{\"WorkingDir\":\"/../../etc\"}", "[]"), -EINVAL},
        {"[]", -EINVAL},
        {"\"x\"", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int result = read_config(rows[i].json);
        if (result != rows[i].result)
            fail_msg("row %zu: %d instead of %d (%s)", i, result, rows[i].result, err.text);
    }
}

static void arguments_that_do_not_fit_are_refused(void **state)
{
    static char json[20000];
    static char argument[9000];
    memset(argument, 'a', sizeof(argument) - 1);
    snprintf(json, sizeof(json), CONFIG("{\"Cmd\":[\"%s\"]}", "[]"), argument);
    assert_int_equal(read_config(json), -E2BIG);
}

static void deep_json_ends(void **state)
{
    static char json[100000];
    memset(json, '[', sizeof(json));
    assert_int_equal(config_parse(json, sizeof(json), &config, &err), -EINVAL);
}

static void docker_archives_are_chosen_from(void **state)
{
    static struct docker_choice choice;
    static const char two[] =
        "[{\"Config\":\"a.json\",\"RepoTags\":[\"one:1\",\"uno:1\"],\"Layers\":[\"a/layer.tar\"]},"
        "{\"Config\":\"b.json\",\"RepoTags\":[\"two:2\"],\"Layers\":[\"x.tar\",\"y.tar\"]}]";
    assert_int_equal(docker_choose(two, strlen(two), "uno:1", &choice, &err), 0);
    assert_string_equal(choice.config, "a.json");
    assert_string_equal(choice.name, "uno:1");
    assert_int_equal(docker_choose(two, strlen(two), "two:2", &choice, &err), 0);
    assert_int_equal(choice.layers.count, 2);
    assert_memory_equal(choice.layers.data, "x.tar\0y.tar", 12);
    assert_int_equal(docker_choose(two, strlen(two), NULL, &choice, &err), -ENOTUNIQ);
    assert_non_null(strstr(err.text, "one:1, two:2"));
    assert_int_equal(docker_choose(two, strlen(two), "none", &choice, &err), -ENOENT);
    static const char bare[] = "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[]}]";
    assert_int_equal(docker_choose(bare, strlen(bare), NULL, &choice, &err), 0);
    assert_string_equal(choice.name, "");
    static const char *const refused[] = {
        "{}",     "[]", "[{}]", "[{\"Config\":\"x\"}]", "[{\"Config\":\"x\",\"Layers\":[1]}]",
        "nothing"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_true(docker_choose(refused[i], strlen(refused[i]), NULL, &choice, &err) < 0);
}

static void users_are_looked_up(void **state)
{
    static const char passwd[] = "root:x:0:0::/:/bin/sh\n# no user\nbad:x:notanumber:3:::\n"
                                 "app:x:100:101:App:/:/x\napp:x:7:7:::\nbig:x:70000:1:::\n"
                                 "last:x:9:10:::"; /* no newline at the end */
    static const char group[] = "root:x:0:\nwww:x:33:app\nempty\n:x:5:\nlast:x:44:";
    static const struct {
        const char *user;
        int result;
        uint32_t uid, gid;
    } rows[] = {
        {"0", 0, 0, 0},           {"100", 0, 100, 101}, {"5", 0, 5, 0},
        {"5:6", 0, 5, 6},         {"app", 0, 100, 101}, {"app:www", 0, 100, 33},
        {"app:9", 0, 100, 9},     {"last", 0, 9, 10},   {"last:last", 0, 9, 44},
        {"65535", 0, 65535, 0},   {"65536", -EINVAL},   {"99999999999999999999", -EINVAL},
        {"nobody", -EINVAL},      {"bad", -EINVAL},     {"big", -EINVAL},
        {"app:nogroup", -EINVAL}, {":5", -EINVAL},      {"app:70000", -EINVAL},
        {"5:", 0, 5, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t uid = 1, gid = 1;
        int result = user_resolve(rows[i].user, passwd, group, &uid, &gid, &err);
        if (result != rows[i].result)
            fail_msg("user %s: %d (%s)", rows[i].user, result, err.text);
        if (result == 0) {
            assert_int_equal(uid, rows[i].uid);
            assert_int_equal(gid, rows[i].gid);
        }
    }
}

static void names_become_files_and_back(void **state)
{
    static const char *const good[] = {"a", "name:tag", "registry.example:5000/a/b_c-d:1.0", "a@b",
                                       "9.9"};
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "/etc",
                                      "-x",
                                      "a b",
                                      "a\nb",
                                      "a+b",
                                      "a=b",
                                      "caf\xc3\xa9",
                                      ("sha256:" HEX_A),
                                      "a%2f"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char file[IMAGE_REF_MAX], ref[IMAGE_REF_MAX];
        assert_int_equal(ref_check(good[i], &err), 0);
        ref_to_file(good[i], file);
        assert_null(strchr(file, '/'));
        assert_true(ref_from_file(file, ref));
        assert_string_equal(ref, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ref_check(bad[i], &err), -EINVAL);
    char file[IMAGE_REF_MAX + 8];
    memset(file, 'a', sizeof(file) - 1);
    file[sizeof(file) - 1] = '\0';
    assert_int_equal(ref_check(file, &err), -EINVAL);
    assert_false(ref_from_file(file, file));
    assert_false(ref_from_file(".hidden", file));
}

static void names_are_derived(void **state)
{
    static const struct {
        const char *path, *said, *ref;
    } rows[] = {
        {"/x/app.tar", NULL, "app"},
        {"/x/app.tar.gz", "", "app"},
        {"app.oci.tar.zst", "v1", "app:v1"},
        {"/x/layout/", "v1", "layout:v1"},
        {"/x/a.tar", "docker.io/library/app:1", "app:1"},
        {"/x/a.tar", "localhost/app:1", "app:1"},
        {"/x/a.tar", "ghcr.io/me/app:1", "ghcr.io/me/app:1"},
        {"/x/.tar", NULL, NULL},
        {"/", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char ref[IMAGE_REF_MAX] = "";
        int result = ref_derive(rows[i].path, rows[i].said, ref, &err);
        assert_int_equal(result, rows[i].ref == NULL ? -EINVAL : 0);
        if (rows[i].ref != NULL)
            assert_string_equal(ref, rows[i].ref);
    }
}

static void paths_are_cleaned(void **state)
{
    static const struct {
        const char *path;
        int result;
        const char *clean;
    } rows[] = {
        {"/a//b/./c/", 0, "a/b/c"},
        {"", 0, ""},
        {"/", 0, ""},
        {"a/..", 0, ""},
        {"a/../b", 0, "b"},
        {"..", -EXDEV, NULL},
        {"a/../..", -EXDEV, NULL},
        {"...", 0, "..."},
        {"a/..b", 0, "a/..b"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char clean[IMAGE_PATH_MAX];
        assert_int_equal(path_clean(rows[i].path, clean), rows[i].result);
        if (rows[i].clean != NULL)
            assert_string_equal(clean, rows[i].clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_gives_this_platform),
        cmocka_unit_test(an_index_may_name_another),
        cmocka_unit_test(manifests_are_read_or_refused),
        cmocka_unit_test(a_manifest_has_no_more_layers_than_there_is_room),
        cmocka_unit_test(a_configuration_says_what_to_run),
        cmocka_unit_test(configurations_that_cannot_be_run_are_refused),
        cmocka_unit_test(arguments_that_do_not_fit_are_refused),
        cmocka_unit_test(deep_json_ends),
        cmocka_unit_test(docker_archives_are_chosen_from),
        cmocka_unit_test(users_are_looked_up),
        cmocka_unit_test(names_become_files_and_back),
        cmocka_unit_test(names_are_derived),
        cmocka_unit_test(paths_are_cleaned),
    };
    return cmocka_run_group_tests_name("image_json", tests, NULL, NULL);
}
