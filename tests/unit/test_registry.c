/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: what is stored comes back whole, also after a kill between any two calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/registry.h"

struct place {
    char dir[64];
    char path[96];
    struct registry *registry;
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    struct err err;
    if (place == NULL)
        return -1;
    strcpy(place->dir, "/tmp/skerry-registry-XXXXXX");
    if (mkdtemp(place->dir) == NULL)
        return -1;
    snprintf(place->path, sizeof(place->path), "%s/registry.db", place->dir);
    *state = place;
    return registry_open(place->path, &place->registry, &err);
}

static int teardown(void **state)
{
    struct place *place = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    registry_close(place->registry);
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s%s", place->path, ends[i]);
        unlink(name);
    }
    rmdir(place->dir);
    free(place);
    return 0;
}

static void reopen(struct place *place)
{
    struct err err = {0};
    registry_close(place->registry);
    place->registry = NULL;
    if (registry_open(place->path, &place->registry, &err) < 0)
        fail_msg("%s", err.text);
}

static void make(struct function_spec *spec, const char *tenant, const char *name)
{
    function_init(spec);
    memset(spec->tenant, 0, sizeof(spec->tenant)); /* compared byte by byte below */
    snprintf(spec->tenant, sizeof(spec->tenant), "%s", tenant);
    snprintf(spec->name, sizeof(spec->name), "%s", name);
    snprintf(spec->image, sizeof(spec->image), "thing:1");
}

static void make_full(struct function_spec *spec)
{
    make(spec, "acme", "full");
    spec->flags = FUNCTION_CGI | FUNCTION_OWN_IPC;
    strcpy(spec->cwd, "/work");
    strcpy(spec->user, "12:34");
    spec->net = FUNCTION_NET_NONE;
    spec->proc = FUNCTION_PROC_FULL;
    spec->limits = (struct function_limits){.mem_bytes = 5u << 20,
                                            .tmp_bytes = 8192,
                                            .timeout_ns = 1234567,
                                            .max_body_bytes = 99,
                                            .cpu_millis = 250,
                                            .pids_max = 7,
                                            .concurrency_max = 8,
                                            .queue_max = 9,
                                            .files_max = 10};
    spec->bind_count = 2;
    strcpy(spec->binds[0].source, "/srv/data");
    strcpy(spec->binds[0].target, "/data");
    spec->binds[0].read_only = 1;
    strcpy(spec->binds[1].source, "/srv/out");
    strcpy(spec->binds[1].target, "/out");
    assert_int_equal(STRBLOCK_ADD(&spec->args, "/bin/echo"), 0);
    assert_int_equal(STRBLOCK_ADD(&spec->args, ""), 0);
    assert_int_equal(STRBLOCK_ADD(&spec->args, "two words\nand lines"), 0);
    assert_int_equal(STRBLOCK_ADD(&spec->env, "A=1"), 0);
    assert_int_equal(STRBLOCK_ADD(&spec->env, "B="), 0);
    assert_int_equal(STRBLOCK_ADD(&spec->labels, "team=x"), 0);
    assert_int_equal(STRBLOCK_ADD(&spec->annotations, "note=\xc3\xa9"), 0);
    spec->created_unix_s = 1700000000;
}

static void test_every_field_comes_back(void **state)
{
    struct place *place = *state;
    struct function_spec spec, back;
    struct err err;
    make_full(&spec);
    assert_int_equal(function_check(&spec, &err), 0);
    assert_int_equal(registry_put(place->registry, &spec, &err), 0);
    assert_int_equal(spec.revision, 1);
    reopen(place);
    assert_int_equal(registry_get(place->registry, "acme", "full", &back, &err), 0);
    assert_memory_equal(&spec, &back, sizeof(spec));
}

static void test_the_largest_spec_fits(void **state)
{
    struct place *place = *state;
    struct function_spec spec, back;
    struct err err;
    char text[2048];
    make_full(&spec);
    memset(text, 'x', sizeof(text));
    text[1] = '=';
    text[sizeof(text) - 1] = '\0';
    while (STRBLOCK_ADD(&spec.env, text) == 0)
        ;
    while (STRBLOCK_ADD(&spec.args, text) == 0)
        ;
    spec.bind_count = FUNCTION_BINDS_MAX;
    for (unsigned int i = 0; i < FUNCTION_BINDS_MAX; i++) {
        memset(spec.binds[i].source, '/', FUNCTION_PATH_MAX - 1);
        memset(spec.binds[i].target, '/', FUNCTION_PATH_MAX - 1);
        spec.binds[i].target[7] = (char)('a' + i);
    }
    assert_int_equal(function_check(&spec, &err), 0);
    assert_int_equal(registry_put(place->registry, &spec, &err), 0);
    assert_int_equal(registry_get(place->registry, "acme", "full", &back, &err), 0);
    assert_memory_equal(&spec, &back, sizeof(spec));
}

static void test_revision_grows_over_removal(void **state)
{
    struct place *place = *state;
    struct function_spec spec;
    struct err err;
    make(&spec, "default", "f");
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(registry_put(place->registry, &spec, &err), 0);
        assert_int_equal(spec.revision, i);
    }
    assert_int_equal(registry_remove(place->registry, "default", "f", &err), 0);
    assert_int_equal(registry_remove(place->registry, "default", "f", &err), -ENOENT);
    assert_int_equal(registry_put(place->registry, &spec, &err), 0);
    assert_int_equal(spec.revision, 4);
    make(&spec, "other", "f");
    assert_int_equal(registry_put(place->registry, &spec, &err), 0);
    assert_int_equal(spec.revision, 1);
}

static void test_unknown_is_said(void **state)
{
    struct place *place = *state;
    struct function_spec spec;
    struct err err;
    assert_int_equal(registry_get(place->registry, "default", "no", &spec, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no function no"));
}

struct seen {
    char names[256];
    unsigned int damaged;
};

static int see(void *arg, const struct function_spec *spec, const struct err *damaged)
{
    struct seen *seen = arg;
    size_t used = strlen(seen->names);
    snprintf(seen->names + used, sizeof(seen->names) - used, "%s/%s ", spec->tenant, spec->name);
    seen->damaged += damaged != NULL;
    return 0;
}

static void test_each_is_in_order(void **state)
{
    struct place *place = *state;
    static const char *const names[][2] = {{"b", "x"}, {"a", "z"}, {"a", "y"}};
    struct function_spec spec;
    struct seen seen = {0};
    struct err err;
    for (size_t i = 0; i < 3; i++) {
        make(&spec, names[i][0], names[i][1]);
        assert_int_equal(registry_put(place->registry, &spec, &err), 0);
    }
    assert_int_equal(registry_each(place->registry, see, &seen, &err), 0);
    assert_string_equal(seen.names, "a/y a/z b/x ");
    assert_int_equal(seen.damaged, 0);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_damaged_rows_are_told_apart(void **state)
{
    struct place *place = *state;
    static const char *const damages[] = {
        "UPDATE functions SET tier = 'wasm' WHERE name = 'bad'",
        "UPDATE functions SET tenant = '../x' WHERE name = 'bad'",
        "UPDATE functions SET args = x'414243' WHERE name = 'bad'",
        "UPDATE functions SET args = zeroblob(9000) WHERE name = 'bad'",
        "UPDATE functions SET binds = x'726f00' WHERE name = 'bad'",
        "UPDATE functions SET spec_version = 9 WHERE name = 'bad'",
        "UPDATE functions SET mem_bytes = -1 WHERE name = 'bad'",
        "UPDATE functions SET image = printf('%.*c', 300, 'x') WHERE name = 'bad'",
    };
    struct function_spec spec;
    struct err err;
    make(&spec, "default", "good");
    assert_int_equal(registry_put(place->registry, &spec, &err), 0);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct seen seen = {0};
        make(&spec, "default", "bad");
        assert_int_equal(registry_put(place->registry, &spec, &err), 0);
        sql(place->path, damages[i]);
        assert_int_equal(registry_each(place->registry, see, &seen, &err), 0);
        if (seen.damaged != 1)
            fail_msg("%s: %u damaged rows", damages[i], seen.damaged);
        sql(place->path, "DELETE FROM functions WHERE name = 'bad'");
    }
}

static void test_tenants_keep_their_range(void **state)
{
    struct place *place = *state;
    uint32_t index;
    struct err err;
    static const char *const tenants[] = {"default", "acme", "default", "zed", "acme"};
    static const uint32_t expected[] = {0, 1, 0, 2, 1};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(registry_tenant(place->registry, tenants[i], &index, &err), 0);
        assert_int_equal(index, expected[i]);
        reopen(place);
    }
}

static void test_newer_schema_is_refused(void **state)
{
    struct place *place = *state;
    struct registry *other = NULL;
    struct err err;
    sql(place->path, "PRAGMA user_version = 99");
    assert_int_equal(registry_open(place->path, &other, &err), -EPROTO);
    assert_null(other);
    assert_non_null(strstr(err.text, "schema version 99"));
}

static void test_a_file_that_is_no_database(void **state)
{
    struct place *place = *state;
    struct registry *other = NULL;
    struct err err;
    char path[128];
    snprintf(path, sizeof(path), "%s/text", place->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", file);
    fclose(file);
    assert_true(registry_open(path, &other, &err) < 0);
    assert_non_null(strstr(err.text, path));
    unlink(path);
}

static void test_only_the_owner_reads_it(void **state)
{
    struct place *place = *state;
    struct function_spec spec;
    struct stat about;
    struct err err;
    char wal[128];
    make(&spec, "default", "f");
    assert_int_equal(registry_put(place->registry, &spec, &err), 0);
    assert_int_equal(stat(place->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    snprintf(wal, sizeof(wal), "%s-wal", place->path);
    assert_int_equal(stat(wal, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

/* Stores f0, f1, ... and says each number after the call has returned, until it is killed. */
static void store_until_killed(const char *path, int out)
{
    struct registry *registry;
    struct function_spec spec;
    struct err err;
    if (registry_open(path, &registry, &err) < 0)
        _exit(1);
    for (unsigned int i = 0;; i++) {
        char name[FUNCTION_NAME_MAX];
        snprintf(name, sizeof(name), "f%u", i);
        make(&spec, "default", name);
        if (registry_put(registry, &spec, &err) < 0 || write(out, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
}

static void test_kill_loses_nothing_acknowledged(void **state)
{
    struct place *place = *state;
    unsigned int last = 0;
    struct function_spec spec;
    struct err err;
    int ends[2];
    registry_close(place->registry);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        store_until_killed(place->path, ends[1]);
    close(ends[1]);
    for (int i = 0; i < 20; i++)
        assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last));
    kill(child, SIGKILL);
    while (read(ends[0], &last, sizeof(last)) == sizeof(last))
        ;
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(registry_open(place->path, &place->registry, &err), 0);
    for (unsigned int i = 0; i <= last; i++) {
        char name[FUNCTION_NAME_MAX];
        snprintf(name, sizeof(name), "f%u", i);
        if (registry_get(place->registry, "default", name, &spec, &err) < 0)
            fail_msg("%s of %u was acknowledged and is lost", name, last + 1);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_every_field_comes_back),
        TEST(test_the_largest_spec_fits),
        TEST(test_revision_grows_over_removal),
        TEST(test_unknown_is_said),
        TEST(test_each_is_in_order),
        TEST(test_damaged_rows_are_told_apart),
        TEST(test_tenants_keep_their_range),
        TEST(test_newer_schema_is_refused),
        TEST(test_a_file_that_is_no_database),
        TEST(test_only_the_owner_reads_it),
        TEST(test_kill_loses_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
