/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: tables, parser, suggestions, descriptions, words for people. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "cli/spec.h"
#include "cli/text.h"
#include "cli/verbs.h"

static struct settings settings;
static struct err err;
static char words[32][512];
static char *argv[33];

/* Splits a line at its spaces and parses it by the verb's options. */
static int parse(const struct verb *verb, const char *line)
{
    int argc = 0;
    while (*line != '\0' && argc < 32) {
        size_t length = strcspn(line, " ");
        memcpy(words[argc], line, length);
        words[argc][length] = '\0';
        argv[argc] = words[argc];
        argc++;
        line += length + (line[length] == ' ');
    }
    argv[argc] = NULL;
    err = (struct err){0};
    return options_parse(verb, argc, argv, &settings, &err);
}

static void expect_refused(const struct verb *verb, const char *line, const char *sentence)
{
    assert_int_equal(parse(verb, line), -EINVAL);
    if (strstr(err.text, sentence) == NULL)
        fail_msg("%s: '%s' does not say '%s'", line, err.text, sentence);
}

static void values_stand_beside_or_after_an_equals_sign(void **state)
{
    assert_int_equal(parse(&verb_run, "--mem 64M --cpus=0.5 -t 250ms -eA=1 -e B=2 true"), 0);
    assert_int_equal(settings.mem, 64u << 20);
    assert_int_equal(settings.cpu_millis, 500);
    assert_int_equal(settings.timeout_ns, 250000000);
    assert_int_equal(settings.env.count, 2);
    assert_string_equal(settings.env.items[0], "A=1");
    assert_string_equal(settings.env.items[1], "B=2");
    assert_true(settings.given[OPT_MEM] && settings.given[OPT_ENV]);
    assert_false(settings.given[OPT_PIDS]);
}

static void options_of_run_end_at_the_program(void **state)
{
    assert_int_equal(parse(&verb_run, "--net none grep --mem -v -- x"), 0);
    assert_int_equal(settings.operand_count, 5);
    assert_string_equal(settings.operands[0], "grep");
    assert_string_equal(settings.operands[1], "--mem");
    assert_string_equal(settings.operands[3], "--");
    assert_null(settings.operands[5]);
    assert_int_equal(settings.mem, 0);
}

static void two_dashes_end_the_options(void **state)
{
    assert_int_equal(parse(&verb_run, "-- --odd-name x"), 0);
    assert_string_equal(settings.operands[0], "--odd-name");
    assert_int_equal(parse(&verb_deploy, "name --exec /bin/jq -- -r .x"), 0);
    assert_int_equal(settings.operand_count, 3);
    assert_int_equal(settings.rest_at, 1);
    assert_string_equal(settings.operands[1], "-r");
    assert_string_equal(settings.exec, "/bin/jq");
}

static void options_may_follow_operands_elsewhere(void **state)
{
    assert_int_equal(parse(&verb_remove, "a --tenant t b"), 0);
    assert_int_equal(settings.operand_count, 2);
    assert_string_equal(settings.operands[1], "b");
    assert_string_equal(settings.tenant, "t");
}

static void short_flags_may_stand_together(void **state)
{
    assert_int_equal(parse(&verb_logs, "-fh name"), 0);
    assert_true(settings.follow && settings.help);
    expect_refused(&verb_logs, "-fz name", "unknown option -z");
}

static void what_is_wrong_is_named(void **state)
{
    expect_refused(&verb_run, "--men 3 true", "did you mean --mem?");
    expect_refused(&verb_run, "--zzzzzzzz true", "unknown option --zzzzzzzz");
    expect_refused(&verb_run, "--timeout", "--timeout needs a value: TIME");
    expect_refused(&verb_run, "-m", "-m needs a value: SIZE");
    expect_refused(&verb_run, "--strict=yes true", "--strict takes no value");
    expect_refused(&verb_run, "--mem 12Q true", "--mem 12Q: not understood; a size like");
    expect_refused(&verb_run, "--mem 0 true", "--mem 0: out of range");
    expect_refused(&verb_run, "--pids -1 true", "--pids -1: not understood");
    expect_refused(&verb_run, "--pids 4294967296 true", "out of range");
    expect_refused(&verb_run, "--timeout 10x true", "a time like 10s");
    expect_refused(&verb_run, "--cpus many true", "a number of CPUs");
    expect_refused(&verb_run, "--net host true", "--net host: not understood; allowed: none own");
    expect_refused(&verb_run, "--net non true", "allowed: none own");
    expect_refused(&verb_run, "--mem 1M --mem 2M true", "--mem was given twice");
    expect_refused(&verb_run, "--cwd /a --cwd /b true", "--cwd was given twice");
    expect_refused(&verb_run, "--image= true", "its value is empty");
    expect_refused(&verb_invoke, "", "something is missing: NAME");
    expect_refused(&verb_invoke, "a b", "'b' is too much; wanted: NAME");
    expect_refused(&verb_list, "x", "'x' is too much");
    /* an option of another verb is none here */
    expect_refused(&verb_list, "--mem 1M", "unknown option --mem");
}

static void help_needs_no_operands(void **state)
{
    assert_int_equal(parse(&verb_invoke, "--help"), 0);
    assert_true(settings.help);
}

static const struct verb *find(const char *first, const char *second, int *out_words)
{
    char a[32] = "", b[32] = "";
    snprintf(a, sizeof(a), "%s", first);
    snprintf(b, sizeof(b), "%s", second != NULL ? second : "");
    char *const list[] = {a, b};
    err = (struct err){0};
    return verb_find(second != NULL ? 2 : 1, list, out_words, &err);
}

static void verbs_are_found_by_one_or_two_words(void **state)
{
    int count = 0;
    assert_ptr_equal(find("run", "true", &count), &verb_run);
    assert_int_equal(count, 1);
    assert_ptr_equal(find("image", "list", &count), &verb_image_list);
    assert_int_equal(count, 2);
    assert_null(find("image", NULL, &count));
    assert_string_equal(err.text, "'image' needs one of: import, list, remove");
    assert_null(find("image", "improt", &count));
    assert_non_null(strstr(err.text, "did you mean 'image import'?"));
    assert_null(find("delpoy", NULL, &count));
    assert_string_equal(err.text, "unknown verb 'delpoy' (did you mean 'deploy'?)");
    assert_null(find("frobnicate", NULL, &count));
    assert_string_equal(err.text, "unknown verb 'frobnicate'");
    assert_null(find("__complet", NULL, &count)); /* hidden ones are not suggested */
    assert_null(strstr(err.text, "mean"));
}

static void distance_counts_edits(void **state)
{
    assert_int_equal(suggest_distance("mem", "mem"), 0);
    assert_int_equal(suggest_distance("men", "mem"), 1);
    assert_int_equal(suggest_distance("mme", "mem"), 1); /* neighbours swapped */
    assert_int_equal(suggest_distance("time", "timeout"), 3);
    assert_int_equal(suggest_distance("", "abc"), 3);
    unsigned int best = 99;
    assert_true(suggest_better("timout", "timeout", &best));
    assert_int_equal(best, 1);
    assert_false(suggest_better("timout", "tmp", &best));
    best = 99;
    assert_false(suggest_better("x", "y", &best)); /* nothing in common */
}

/* A table that contradicts itself would do so in the parser, the help and the manual alike. */
static void the_tables_are_sound(void **state)
{
    for (const struct verb *const *at = verbs; *at != NULL; at++) {
        const struct verb *verb = *at;
        assert_non_null(verb->run);
        assert_non_null(verb->operands);
        assert_true(strlen(verb->summary) > 0 && strlen(verb->summary) < 60);
        assert_int_not_equal(verb->summary[strlen(verb->summary) - 1], '.');
        assert_true(verb->usage_exit != 0);
        for (const unsigned char *a = verb->options; *a != OPT_COUNT; a++) {
            assert_true(*a < OPT_COUNT);
            for (const unsigned char *b = a + 1; *b != OPT_COUNT; b++) {
                if (*a == *b || (option_get(*a)->letter != 0 &&
                                 option_get(*a)->letter == option_get(*b)->letter))
                    fail_msg("%s: --%s and --%s collide", verb->name, option_get(*a)->name,
                             option_get(*b)->name);
            }
        }
    }
    for (enum option_id id = 0; id < OPT_COUNT; id++) {
        const struct option *option = option_get(id);
        assert_non_null(option->name);
        assert_int_equal(option->help[strlen(option->help) - 1], '.');
        assert_int_equal(option->value == NULL, option->kind == KIND_FLAG);
        assert_int_equal(option->words != NULL, option->kind == KIND_WORD);
    }
}

static void a_description_has_what_the_options_say(void **state)
{
    static struct function_spec spec;
    assert_int_equal(
        parse(&verb_deploy,
              "n --image i:1 --mem 32M --pids 7 --net none --ipc own --renew all --proc full --cgi "
              "--stream --tenant t --user 5:6"),
        0);
    assert_int_equal(spec_of_settings(&settings, &spec, &err), 0);
    assert_int_equal(spec.limits.mem_bytes, 32u << 20);
    assert_int_equal(spec.limits.tmp_bytes, 16u << 20); /* half of the memory */
    assert_int_equal(spec.limits.pids_max, 7);
    assert_int_equal(spec.limits.queue_max, 256);
    assert_int_equal(spec.net, FUNCTION_NET_NONE);
    assert_int_equal(spec.proc, FUNCTION_PROC_FULL);
    assert_int_equal(spec.flags,
                     FUNCTION_CGI | FUNCTION_STREAM | FUNCTION_OWN_IPC | FUNCTION_RENEW_ALL);
    assert_string_equal(spec.tenant, "t");
    assert_string_equal(spec.user, "5:6");
    assert_string_equal(spec.image, "i:1");
}

static void pairs_need_a_name_and_come_once(void **state)
{
    static struct function_spec spec;
    assert_int_equal(parse(&verb_deploy, "n -e A=1 -e B= -l x=y --annotation z=1=2"), 0);
    assert_int_equal(spec_of_settings(&settings, &spec, &err), 0);
    assert_int_equal(spec.env.count, 2);
    assert_string_equal(spec.labels.data, "x=y");
    assert_string_equal(spec.annotations.data, "z=1=2");
    parse(&verb_deploy, "n -e A");
    assert_int_equal(spec_of_settings(&settings, &spec, &err), -EINVAL);
    assert_string_equal(err.text, "--env A: NAME=VALUE is wanted");
    parse(&verb_deploy, "n -l =x");
    assert_int_equal(spec_of_settings(&settings, &spec, &err), -EINVAL);
    parse(&verb_deploy, "n -e A=1 -e A=2");
    assert_int_equal(spec_of_settings(&settings, &spec, &err), -EINVAL);
    assert_string_equal(err.text, "--env gives A twice");
}

static int bind(const char *text, struct function_bind *out)
{
    struct text_list list = {.count = 1, .items = {text}};
    struct function_bind binds[FUNCTION_BINDS_MAX];
    uint32_t count = 0;
    err = (struct err){0};
    int result = binds_parse(&list, binds, &count, &err);
    if (result == 0) {
        assert_int_equal(count, 1);
        *out = binds[0];
    }
    return result;
}

static void binds_are_read_whole(void **state)
{
    struct function_bind out;
    assert_int_equal(bind("/usr:/data", &out), 0);
    assert_string_equal(out.source, "/usr");
    assert_string_equal(out.target, "/data");
    assert_int_equal(out.read_only, 0);
    assert_int_equal(bind("/usr/:/data:ro", &out), 0);
    assert_string_equal(out.source, "/usr"); /* resolved */
    assert_int_equal(out.read_only, 1);
    assert_int_equal(bind("/usr:/data:rw", &out), 0);
    assert_int_equal(out.read_only, 0);
    static const char *const wrong[] = {"/usr",          ":/data", "/usr:data",
                                        "/usr:/data:rx", "/usr:",  "/usr:/data:ro:ro"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(bind(wrong[i], &out), -EINVAL);
    assert_int_equal(bind("/no/such/place:/data", &out), -ENOENT);
}

static void programs_of_usr_stay_where_they_are(void **state)
{
    static struct function_spec spec;
    char real[PATH_MAX];
    function_init(&spec);
    assert_int_equal(program_on_usr("python3", &spec, &err), 0);
    assert_int_equal(program_on_usr("/usr/bin/env", &spec, &err), 0);
    assert_int_equal(program_on_usr("/bin/sh", &spec, &err), 0);
    assert_int_equal(spec.args.count, 3);
    assert_int_equal(spec.bind_count, 0);
    assert_int_equal(program_find("env", real, &err), 0);
    assert_string_equal(real + strlen(real) - 4, "/env");
    assert_int_equal(program_find("no-such-program-here", real, &err), -ENOENT);
    assert_int_equal(program_find("/usr", real, &err), -EACCES);
    assert_int_equal(program_on_usr("./no-such-program-here", &spec, &err), -ENOENT);
}

static void a_program_of_the_user_is_shown_alone(void **state)
{
    static struct function_spec spec;
    char path[] = "/tmp/test-cli-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    function_init(&spec);
    assert_int_equal(program_on_usr(path, &spec, &err), -EACCES);
    assert_non_null(strstr(err.text, "chmod +x"));
    assert_int_equal(fchmod(fd, 0755), 0);
    assert_int_equal(program_on_usr(path, &spec, &err), 0);
    assert_int_equal(spec.bind_count, 1);
    assert_string_equal(spec.binds[0].source, path);
    assert_int_equal(spec.binds[0].read_only, 1);
    assert_memory_equal(spec.binds[0].target, "/app/test-cli-", 14);
    assert_string_equal(spec.args.data, spec.binds[0].target);
    close(fd);
    unlink(path);
}

static struct run_result judged(uint16_t kind, int wait_status, int exec_errno, uint32_t flags)
{
    static struct jail_plan plan;
    struct run_result result = {.report = {.kind = kind,
                                           .call_id = 1,
                                           .wait_status = wait_status,
                                           .exec_errno = exec_errno,
                                           .flags = flags},
                                .report_valid = true};
    jail_plan_init(&plan);
    STRBLOCK_ADD(&plan.args, "prog");
    run_judge(&result, &plan);
    return result;
}

static void an_end_is_told_as_a_shell_would(void **state)
{
    struct run_result result = judged(REPORT_EXIT, W_EXITCODE(37, 0), 0, 0);
    assert_int_equal(result.outcome, RUN_EXITED);
    assert_int_equal(result.exit_code, 37);
    assert_string_equal(result.why.text, "");
    result = judged(REPORT_EXIT, W_EXITCODE(0, SIGSEGV), 0, 0);
    assert_int_equal(result.outcome, RUN_SIGNALLED);
    assert_int_equal(result.exit_code, 128 + SIGSEGV);
    assert_non_null(strstr(result.why.text, "prog was ended by signal 11"));
    result = judged(REPORT_EXIT, W_EXITCODE(0, SIGPIPE), 0, 0); /* the end of many a pipeline */
    assert_string_equal(result.why.text, "");
    result = judged(REPORT_EXIT, W_EXITCODE(0, SIGKILL), 0, REPORT_OOM);
    assert_int_equal(result.outcome, RUN_OOM);
    assert_int_equal(result.exit_code, 137);
    assert_non_null(strstr(result.why.text, "limit of 128M"));
    result = judged(REPORT_EXIT, W_EXITCODE(0, 0), 0, REPORT_OOM); /* it coped */
    assert_int_equal(result.outcome, RUN_EXITED);
    result = judged(REPORT_EXEC_FAILED, 0, ENOENT, 0);
    assert_int_equal(result.exit_code, RUN_NOT_FOUND);
    result = judged(REPORT_EXEC_FAILED, 0, ENOEXEC, 0);
    assert_int_equal(result.exit_code, RUN_NOT_EXECUTABLE);
    result = judged(REPORT_LOST, 0, 0, 0);
    assert_int_equal(result.exit_code, RUN_SETUP);
    assert_int_equal(result.outcome, RUN_FAILED);
}

static void targets_are_escaped(void **state)
{
    char buf[32] = "/f";
    assert_true(client_escape(buf, sizeof(buf), "/a b%", "/"));
    assert_string_equal(buf, "/f/a%20b%25");
    char small[6] = "";
    assert_true(client_escape(small, sizeof(small), "abcde", ""));
    assert_false(client_escape(small, sizeof(small), "f", ""));
    char tight[4] = "a";
    assert_false(client_escape(tight, sizeof(tight), " ", ""));
    assert_string_equal(tight, "a");
}

static void headers_are_tokens_without_controls(void **state)
{
    assert_true(client_header_valid("X-A: b"));
    assert_true(client_header_valid("X-A:"));
    assert_true(client_header_valid("X-A:\tb"));
    assert_false(client_header_valid("X A: b"));
    assert_false(client_header_valid(": b"));
    assert_false(client_header_valid("X-A"));
    assert_false(client_header_valid("X-A: b\r\nY: c"));
    assert_false(client_header_valid("X-A: b\x7f"));
}

static void refusals_become_sentences(void **state)
{
    assert_int_equal(client_refused(404, "{\"error\": \"no such\"}", 20, &err), -ENOENT);
    assert_string_equal(err.text, "no such");
    assert_int_equal(client_refused(500, "plain\x1b[2J\n", 10, &err), -EINVAL);
    assert_string_equal(err.text, "plain [2J");
    client_refused(502, "", 0, &err);
    assert_non_null(strstr(err.text, "502"));
}

static void expect_wrapped(const char *text, int column, int indent, const char *wanted)
{
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    text_wrap(stream, text, column, indent, 20);
    fclose(stream);
    assert_string_equal(out, wanted);
    free(out);
}

static void text_is_wrapped(void **state)
{
    expect_wrapped("one two three four five", 0, 0, "one two three four\nfive\n");
    expect_wrapped("one two three four", 4, 8, "    one two\n        three four\n");
    expect_wrapped("a\n\nb\n", 0, 0, "a\n\nb\n");
    expect_wrapped("say:\n  x  y\ndone", 0, 2, "  say:\n      x  y\n  done\n");
    expect_wrapped("averyveryverylongwordindeed x", 0, 0, "averyveryverylongwordindeed\nx\n");
}

static void figures_are_short(void **state)
{
    char buf[32];
    assert_string_equal(text_size(0, buf, sizeof(buf)), "0B");
    assert_string_equal(text_size(1023, buf, sizeof(buf)), "1023B");
    assert_string_equal(text_size(128u << 20, buf, sizeof(buf)), "128M");
    assert_string_equal(text_size(1536u << 20, buf, sizeof(buf)), "1.5G");
    assert_string_equal(text_duration(10000000000, buf, sizeof(buf)), "10s");
    assert_string_equal(text_duration(500000000, buf, sizeof(buf)), "500ms");
    assert_string_equal(text_duration(85400, buf, sizeof(buf)), "85.4us");
    assert_string_equal(text_age(59, buf, sizeof(buf)), "59 s");
    assert_string_equal(text_age(7200, buf, sizeof(buf)), "2 h");
    assert_string_equal(text_age(86400 * 3, buf, sizeof(buf)), "3 d");
}

static void tables_align(void **state)
{
    struct table table;
    size_t cursor = 0, size = 0;
    char *out = NULL;
    table_init(&table, 2);
    table_cell(&table, &cursor, "a");
    table_cell(&table, &cursor, "b");
    table_cell(&table, &cursor, "l\u00e4nger");
    table_cell(&table, &cursor, "c");
    FILE *stream = open_memstream(&out, &size);
    table_print(&table, stream);
    fclose(stream);
    assert_string_equal(out, "a       b\nl\u00e4nger  c\n");
    free(out);
    table_free(&table);
}

/* Runs 40 steps of 100 with stderr in out; the clock is moved so that the first second is over. */
static void progress_into(int out, bool terminal, char *text, size_t room)
{
    struct progress progress;
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(out, STDERR_FILENO), STDERR_FILENO);
    progress_begin(&progress);
    progress_show(&progress, "layer", 1, 100); /* within the first second: nothing */
    progress.terminal = terminal;
    progress.begun_ns -= 2 * NS_PER_SEC;
    for (unsigned int i = 1; i <= 40; i++) {
        progress.shown_ns -= progress.shown_ns != 0 ? NS_PER_SEC : 0;
        progress_show(&progress, "layer", i, 100);
    }
    progress_end(&progress);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t size = pread(out, text, room - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    close(out);
}

static void long_work_shows_how_far_it_is(void **state)
{
    char text[16384];
    progress_into(memfd_create("lines", 0), false, text, sizeof(text));
    assert_string_equal(text, "skerry: layer: 10%\nskerry: layer: 20%\nskerry: layer: 30%\n"
                              "skerry: layer: 40%\n");
    progress_into(memfd_create("bar", 0), true, text, sizeof(text));
    assert_non_null(strstr(text, "\r\033[K[############..................]  40% of 100B  layer"));
    assert_string_equal(text + strlen(text) - 4, "\r\033[K"); /* wiped at the end */
}

static void the_state_directory_follows_the_user(void **state)
{
    char path[STATE_PATH_MAX];
    struct settings none = {0}, named = {.state = "/x/y"}, longer = {.state = words[0]};
    unsetenv("SKERRY_STATE");
    assert_int_equal(state_dir(&named, path, &err), 0);
    assert_string_equal(path, "/x/y");
    setenv("SKERRY_STATE", "/from/env", 1);
    assert_int_equal(state_dir(&none, path, &err), 0);
    assert_string_equal(path, "/from/env");
    assert_int_equal(state_dir(&named, path, &err), 0); /* the option wins */
    assert_string_equal(path, "/x/y");
    memset(words[0], 'a', 200);
    words[0][0] = '/';
    words[0][200] = '\0';
    assert_int_equal(state_dir(&longer, path, &err), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_beside_or_after_an_equals_sign),
        cmocka_unit_test(options_of_run_end_at_the_program),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(options_may_follow_operands_elsewhere),
        cmocka_unit_test(short_flags_may_stand_together),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(help_needs_no_operands),
        cmocka_unit_test(verbs_are_found_by_one_or_two_words),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(the_tables_are_sound),
        cmocka_unit_test(a_description_has_what_the_options_say),
        cmocka_unit_test(pairs_need_a_name_and_come_once),
        cmocka_unit_test(binds_are_read_whole),
        cmocka_unit_test(programs_of_usr_stay_where_they_are),
        cmocka_unit_test(a_program_of_the_user_is_shown_alone),
        cmocka_unit_test(an_end_is_told_as_a_shell_would),
        cmocka_unit_test(targets_are_escaped),
        cmocka_unit_test(headers_are_tokens_without_controls),
        cmocka_unit_test(refusals_become_sentences),
        cmocka_unit_test(text_is_wrapped),
        cmocka_unit_test(figures_are_short),
        cmocka_unit_test(tables_align),
        cmocka_unit_test(long_work_shows_how_far_it_is),
        cmocka_unit_test(the_state_directory_follows_the_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
