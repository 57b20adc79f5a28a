/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp profiles: the compiled program does in the kernel what the profile says, and the cache is
 * not fooled. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "oci/seccomp.h"
#include "oci/seccomp_answer.h"
#include "oci/seccomp_compile.h"

static struct sock_filter code[SECCOMP_INSTRUCTIONS_MAX];

static int compile(const char *text, struct err *err)
{
    struct oci_spec spec;
    if (oci_seccomp_parse(text, strlen(text), &spec, err) < 0)
        fail_msg("%s", err->text);
    int result = oci_seccomp_compile(spec.linux_.seccomp, code, SECCOMP_INSTRUCTIONS_MAX, err);
    oci_spec_free(&spec);
    return result;
}

/* How getpriority(which, who) ends below the filter: 0, its errno, or 1000 + the signal that killed
 * it. */
static int probe(int length, long which, long who)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSYS, SIG_DFL); /* cmocka has a handler */
        struct sock_fprog program = {(unsigned short)length, code};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
            _exit(255);
        long result = syscall(SYS_getpriority, which, who);
        _exit(result < 0 ? errno : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define RULE(action, rest)                                                                         \
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getpriority\"],"            \
    "\"action\":\"SCMP_ACT_" action "\"" rest "}]}"
#define ARG(index, op, value)                                                                      \
    "{\"index\":" #index ",\"op\":\"SCMP_CMP_" op "\",\"value\":" #value "}"

static const struct effect {
    const char *profile;
    long who; /* the second argument */
    int ends;
} effects[] = {
    {RULE("ERRNO", ""), 0, EPERM},
    {RULE("ERRNO", ",\"errnoRet\":77"), 0, 77},
    {RULE("ERRNO", ",\"errnoRet\":0"), 0, 0},
    {RULE("KILL_PROCESS", ""), 0, 1000 + SIGSYS},
    {RULE("KILL", ""), 0, 1000 + SIGSYS},
    {RULE("KILL_THREAD", ""), 0, 1000 + SIGSYS},
    {RULE("TRAP", ""), 0, 1000 + SIGSYS},
    {RULE("TRACE", ""), 0, ENOSYS}, /* nobody traces */
    {RULE("LOG", ""), 0, 0},
    {RULE("ALLOW", ""), 0, 0},
    {RULE("ERRNO", ",\"args\":[" ARG(1, "EQ", 0) "]"), 0, EPERM},
    {RULE("ERRNO", ",\"args\":[" ARG(1, "EQ", 1) "]"), 0, 0},
    {RULE("ERRNO", ",\"args\":[" ARG(1, "NE", 1) "]"), 0, EPERM},
    {RULE("ERRNO", ",\"args\":[" ARG(1, "LT", 1) "]"), 0, EPERM},
    {RULE("ERRNO", ",\"args\":[" ARG(1, "LE", 0) "]"), 0, EPERM},
    {RULE("ERRNO", ",\"args\":[" ARG(1, "GE", 1) "]"), 0, 0},
    {RULE("ERRNO", ",\"args\":[" ARG(1, "GT", 0) "]"), 0, 0},
    {RULE("ERRNO",
          ",\"args\":[{\"index\":1,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":0,\"valueTwo\":0}]"),
     0, EPERM},
    {RULE("ERRNO", ",\"args\":[" ARG(0, "EQ", 0) "," ARG(1, "EQ", 1) "]"), 0, 0}, /* all of them */
    {RULE("ERRNO", ",\"args\":[" ARG(1, "EQ", 5) "," ARG(1, "EQ", 0) "]"), 0, EPERM}, /* either */
    {RULE("ERRNO", ",\"args\":[" ARG(1, "EQ", 4294967296) "]"), 0, 0}, /* the upper half counts */
};

__attribute__((unused)) static void each_action_and_operator_works(void **state)
{
    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++) {
        struct err err = {0};
        int length = compile(effects[i].profile, &err);
        if (length <= 0)
            fail_msg("%s: %s", effects[i].profile, err.text);
        int ends = probe(length, 0, effects[i].who);
        if (ends != effects[i].ends)
            fail_msg("%s: %d and not %d", effects[i].profile, ends, effects[i].ends);
    }
}

static void unknown_calls_are_passed_over(void **state)
{
    struct err err;
    assert_true(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":"
                        "[\"no_such_call\",\"getpriority\"],\"action\":\"SCMP_ACT_ERRNO\"}]}",
                        &err) > 0);
}

static void an_architecture_of_another_byte_order_is_refused(void **state)
{
    struct err err = {0};
    assert_true(
        compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_S390X\"]}",
                &err) < 0);
    assert_non_null(strstr(err.text, "linux.seccomp.architectures[0]"));
}

/* --- the cache --- */

static char cache[64];

static int make_cache(void **state)
{
    snprintf(cache, sizeof(cache), "/tmp/oci-cache-XXXXXX");
    return mkdtemp(cache) != NULL ? 0 : -1;
}

static unsigned int each_entry(bool remove, char *out_path, size_t room)
{
    DIR *listing = opendir(cache);
    unsigned int count = 0;
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (out_path != NULL)
            snprintf(out_path, room, "%s/%s", cache, entry->d_name);
        if (remove)
            unlinkat(dirfd(listing), entry->d_name, 0);
    }
    closedir(listing);
    return count;
}

static int remove_cache(void **state)
{
    each_entry(true, NULL, 0);
    return rmdir(cache);
}

static bool compiled_now(const char *text)
{
    struct oci_spec spec;
    struct oci_filter filter;
    struct err err = {0};
    if (oci_seccomp_parse(text, strlen(text), &spec, &err) < 0 ||
        oci_seccomp_get(spec.linux_.seccomp, cache, OCI_SECCOMP_PATH, &filter, &err) < 0)
        fail_msg("%s", err.text);
    memcpy(code, filter.code, filter.length * sizeof(code[0]));
    assert_int_equal(probe(filter.length, 0, 0), 77);
    bool compiled = filter.compiled;
    oci_filter_free(&filter);
    oci_spec_free(&spec);
    return compiled;
}

static const char profile[] = RULE("ERRNO", ",\"errnoRet\":77");
static const char other[] = RULE("ERRNO", ",\"errnoRet\": 77"); /* another text */

static void the_second_start_compiles_nothing(void **state)
{
    assert_true(compiled_now(profile));
    assert_false(compiled_now(profile));
    assert_true(compiled_now(other));
    assert_false(compiled_now(other));
    assert_false(compiled_now(profile));
    assert_int_equal(each_entry(false, NULL, 0), 2);
}

static void spoil(const char *path, off_t at)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xff", 1, at), 1);
    close(fd);
}

static void an_entry_that_others_could_write_is_not_believed(void **state)
{
    char path[400];
    assert_true(compiled_now(profile));
    each_entry(false, path, sizeof(path));
    chmod(path, 0660);
    assert_true(compiled_now(profile));
    assert_false(compiled_now(profile));
    assert_int_equal(chown(path, 12345, 0), 0);
    assert_true(compiled_now(profile));
    assert_false(compiled_now(profile));
    char link_path[416];
    snprintf(link_path, sizeof(link_path), "%s.2", path);
    assert_int_equal(link(path, link_path), 0);
    assert_true(compiled_now(profile));
    chmod(cache, 0777);
    assert_true(compiled_now(profile));
    chmod(cache, 0700);
    assert_false(compiled_now(profile));
}

static void a_spoilt_entry_is_compiled_anew(void **state)
{
    char path[400];
    assert_true(compiled_now(profile));
    each_entry(false, path, sizeof(path));
    static const off_t places[] = {0, 16, 144 + 3, 152, 160, 420};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        spoil(path, places[i]);
        assert_true(compiled_now(profile));
        assert_false(compiled_now(profile));
    }
    assert_int_equal(truncate(path, 100), 0);
    assert_true(compiled_now(profile));
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    spoil(path, facts.st_size - 1); /* the profile's text */
    assert_true(compiled_now(profile));
    assert_false(compiled_now(profile));
}

static void without_a_helper_it_is_an_error(void **state)
{
    struct oci_spec spec;
    struct oci_filter filter = {0};
    struct err err = {0};
    assert_int_equal(oci_seccomp_parse(profile, strlen(profile), &spec, &err), 0);
    assert_true(oci_seccomp_get(spec.linux_.seccomp, NULL, "/nonexistent", &filter, &err) < 0);
    assert_true(oci_seccomp_get(spec.linux_.seccomp, NULL, "/bin/true", &filter, &err) < 0);
    assert_non_null(strstr(err.text, "no program"));
    assert_true(oci_seccomp_get(spec.linux_.seccomp, NULL, "/bin/false", &filter, &err) < 0);
    assert_int_equal(filter.length, 0);
    oci_spec_free(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if !defined(                                                                                      \
    __SANITIZE_THREAD__) /* which delays a signal that its own calls raise below the filter */
        cmocka_unit_test(each_action_and_operator_works),
#endif
        cmocka_unit_test(unknown_calls_are_passed_over),
        cmocka_unit_test(an_architecture_of_another_byte_order_is_refused),
        cmocka_unit_test_setup_teardown(the_second_start_compiles_nothing, make_cache,
                                        remove_cache),
        cmocka_unit_test_setup_teardown(an_entry_that_others_could_write_is_not_believed,
                                        make_cache, remove_cache),
        cmocka_unit_test_setup_teardown(a_spoilt_entry_is_compiled_anew, make_cache, remove_cache),
        cmocka_unit_test(without_a_helper_it_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
