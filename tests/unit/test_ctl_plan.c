/* SPDX-License-Identifier: Apache-2.0 */
/* From function and image to the plan of a jail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "control/function_plan.h"
#include "control/tier.h"

static struct function_spec spec;
static struct image_meta meta;
static struct jail_plan plan;
static struct function_place place;

static int setup(void **state)
{
    function_init(&spec);
    strcpy(spec.name, "thumb");
    strcpy(spec.tenant, "acme");
    strcpy(spec.image, "thumb:1");
    memset(&meta, 0, sizeof(meta));
    STRBLOCK_ADD(&meta.args, "/bin/thumb");
    STRBLOCK_ADD(&meta.args, "-v");
    STRBLOCK_ADD(&meta.env, "PATH=/bin");
    STRBLOCK_ADD(&meta.env, "MODE=image");
    place = (struct function_place){.meta = &meta, .rootfs = "/s/rootfs/ab", .uid_base = 1065536};
    return 0;
}

static void planned(void)
{
    struct err err = {0};
    if (plan_of_function(&spec, &place, &plan, &err) < 0)
        fail_msg("%s", err.text);
    if (jail_plan_check(&plan, &err) < 0)
        fail_msg("the jail refuses the plan: %s", err.text);
}

static void refused(const char *expected)
{
    struct err err = {0};
    assert_int_equal(plan_of_function(&spec, &place, &plan, &err), -EINVAL);
    if (strstr(err.text, expected) == NULL)
        fail_msg("'%s' has no '%s'", err.text, expected);
}

/* The block's strings, each followed by a '|'. */
static const char *joined(uint32_t bytes, const char *data)
{
    static char text[32768];
    for (uint32_t i = 0; i < bytes; i++)
        text[i] = data[i] == '\0' ? '|' : data[i];
    text[bytes] = '\0';
    return text;
}

static void test_the_image_decides_what_the_function_leaves_open(void **state)
{
    meta.user_set = 1;
    meta.uid = 33;
    meta.gid = 44;
    strcpy(meta.cwd, "/srv");
    planned();
    assert_string_equal(plan.name, "acme.thumb");
    assert_string_equal(plan.hostname, "thumb");
    assert_string_equal(plan.rootfs, "/s/rootfs/ab");
    assert_string_equal(joined(plan.args.bytes, plan.args.data), "/bin/thumb|-v|");
    assert_string_equal(joined(plan.env.bytes, plan.env.data), "PATH=/bin|MODE=image|HOME=/tmp|");
    assert_string_equal(plan.cwd, "/srv");
    assert_int_equal(plan.uid, 33);
    assert_int_equal(plan.gid, 44);
    assert_int_equal(plan.uid_base, 1065536);
    assert_int_equal(plan.uid_count, 65536);
    assert_int_equal(plan.host_usr, 0);
    assert_int_equal(plan.rootless, 0);
}

static void test_the_function_wins_over_the_image(void **state)
{
    meta.user_set = 1;
    strcpy(meta.cwd, "/srv");
    strcpy(spec.cwd, "/work");
    strcpy(spec.user, "7:8");
    STRBLOCK_ADD(&spec.args, "/bin/other");
    STRBLOCK_ADD(&spec.env, "MODE=function");
    STRBLOCK_ADD(&spec.env, "MODE2=x");
    STRBLOCK_ADD(&spec.env, "HOME=/work");
    spec.flags = FUNCTION_OWN_IPC | FUNCTION_CGI;
    spec.net = FUNCTION_NET_NONE;
    spec.proc = FUNCTION_PROC_FULL;
    spec.limits.pids_max = 3;
    planned();
    assert_string_equal(joined(plan.args.bytes, plan.args.data), "/bin/other|");
    assert_string_equal(joined(plan.env.bytes, plan.env.data),
                        "PATH=/bin|MODE=function|MODE2=x|HOME=/work|");
    assert_string_equal(plan.cwd, "/work");
    assert_int_equal(plan.uid, 7);
    assert_int_equal(plan.gid, 8);
    assert_int_equal(plan.flags, FUNCTION_OWN_IPC);
    assert_int_equal(plan.net, FUNCTION_NET_NONE);
    assert_int_equal(plan.proc, FUNCTION_PROC_FULL);
    assert_int_equal(plan.limits.pids_max, 3);
}

static void test_defaults_where_nobody_says(void **state)
{
    planned();
    assert_int_equal(plan.uid, 1000);
    assert_int_equal(plan.gid, 1000);
    assert_string_equal(plan.cwd, "/");
    strcpy(spec.user, "5");
    planned();
    assert_int_equal(plan.uid, 5);
    assert_int_equal(plan.gid, 5);
}

static void test_the_machines_usr(void **state)
{
    spec.flags = FUNCTION_HOST_USR;
    spec.image[0] = '\0';
    STRBLOCK_ADD(&spec.args, "jq");
    place.meta = NULL;
    place.rootfs = NULL;
    planned();
    assert_int_equal(plan.host_usr, 1);
    assert_string_equal(plan.rootfs, "");
    assert_string_equal(
        joined(plan.env.bytes, plan.env.data),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|HOME=/tmp|");
}

static void test_binds_are_taken_over(void **state)
{
    spec.bind_count = 1;
    strcpy(spec.binds[0].source, "/srv/a");
    strcpy(spec.binds[0].target, "/a");
    spec.binds[0].read_only = 1;
    planned();
    assert_int_equal(plan.bind_count, 1);
    assert_memory_equal(plan.binds, spec.binds, sizeof(plan.binds));
}

static void test_the_longest_names_fit(void **state)
{
    memset(spec.name, 'n', FUNCTION_NAME_MAX - 1);
    memset(spec.tenant, 't', FUNCTION_TENANT_MAX - 1);
    planned();
    assert_int_equal(strlen(plan.name), FUNCTION_NAME_MAX + FUNCTION_TENANT_MAX - 1);
    assert_string_equal(plan.hostname, spec.name);
}

static void test_what_cannot_be_planned(void **state)
{
    memset(&meta.args, 0, sizeof(meta.args));
    refused("no program to run: the image thumb:1 names none");
    setup(NULL);
    meta.user_set = 1;
    meta.uid = 65536;
    refused("the image thumb:1 runs as 65536:0");
    setup(NULL);
    strcpy(meta.cwd, "srv");
    refused("'srv' as its working directory");
    setup(NULL);
    char large[8000];
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    memcpy(large, "IMAGE1=", 7);
    STRBLOCK_ADD(&meta.env, large);
    memcpy(large, "IMAGE2=", 7);
    STRBLOCK_ADD(&meta.env, large);
    memcpy(large, "SPEC=xx", 7);
    STRBLOCK_ADD(&spec.env, large);
    refused("together larger than 16384 bytes");
}

static void the_vm_tier_starts_the_monitor_in_the_jail(void **state)
{
    strcpy(spec.tier, "vm");
    strcpy(spec.cwd, "/srv");
    spec.limits.mem_bytes = UINT64_C(64) << 20;
    place.monitor = "/lib/skerry-vmm";
    place.disk = "/s/disks/ab";
    planned();
    assert_string_equal(joined(plan.args.bytes, plan.args.data),
                        "/skerry-vmm|--image|/disk|--mem|67108864|--user|1000:1000|--cwd|/srv|"
                        "--pids|64|--tmp|67108864|--|/bin/thumb|-v|");
    assert_string_equal(tier_program(&plan), "/bin/thumb");
    assert_string_equal(plan.rootfs, "");
    assert_string_equal(plan.cwd, "/");
    assert_int_equal(plan.net, FUNCTION_NET_NONE);
    assert_int_equal(plan.bind_count, 2);
    assert_string_equal(plan.binds[1].source, "/s/disks/ab");
    assert_int_equal(plan.binds[1].read_only, 1);
    assert_true((plan.flags & JAIL_KVM) != 0);
    assert_true(plan.limits.mem_bytes > spec.limits.mem_bytes);
}

static uint32_t warm(const char *tier, uint32_t flags)
{
    strcpy(spec.tier, tier);
    spec.flags =
        (spec.flags & ~(uint32_t)(FUNCTION_WARM | FUNCTION_NOT_WARM | FUNCTION_CGI)) | flags;
    place.monitor = "/lib/skerry-vmm";
    place.disk = "/s/disks/ab";
    planned();
    return plan.warm;
}

static void programs_are_started_ahead_by_tier_and_wish(void **state)
{
    place.ahead = 1;
    assert_int_equal(warm("jail", 0), JAIL_WARM_NO);
    assert_int_equal(warm("jail", FUNCTION_WARM), JAIL_WARM_SNAPSHOT);
    assert_int_equal(warm("jail", FUNCTION_NOT_WARM), JAIL_WARM_NO);
    assert_int_equal(warm("vm", 0), JAIL_WARM_SNAPSHOT);
    assert_int_equal(warm("vm", FUNCTION_CGI), JAIL_WARM_POOL);
    assert_int_equal(warm("vm", FUNCTION_CGI | FUNCTION_WARM), JAIL_WARM_SNAPSHOT);
    assert_int_equal(warm("vm", FUNCTION_NOT_WARM), JAIL_WARM_POOL);
    place.ahead = 0; /* skerry run: one program, whose request is there */
    assert_int_equal(warm("jail", FUNCTION_WARM), JAIL_WARM_NO);
    assert_int_equal(warm("vm", 0), JAIL_WARM_NO);
}

static void the_vm_tier_needs_its_files(void **state)
{
    struct err err = {0};
    strcpy(spec.tier, "vm");
    assert_int_equal(plan_of_function(&spec, &place, &plan, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.text, "/skerry-vmm"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, setup)
    const struct CMUnitTest tests[] = {
        TEST(programs_are_started_ahead_by_tier_and_wish),
        TEST(the_vm_tier_starts_the_monitor_in_the_jail),
        TEST(the_vm_tier_needs_its_files),
        TEST(test_the_image_decides_what_the_function_leaves_open),
        TEST(test_the_function_wins_over_the_image),
        TEST(test_defaults_where_nobody_says),
        TEST(test_the_machines_usr),
        TEST(test_binds_are_taken_over),
        TEST(test_the_longest_names_fit),
        TEST(test_what_cannot_be_planned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
