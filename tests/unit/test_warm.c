/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of skerry-warm: the check of a snapshot, the watch. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "warm/layout.h"
#include "warm/snapshot.h"
#include "warm/watch.h"

/* --- a small snapshot that is right --- */

#define STACK_AT UINT64_C(0x7ffff0000000)
#define DATA_AT  UINT64_C(0x555555560000)
#define BYTES    (16 * PAGE)

static struct small {
    struct head head;
    struct mapping mappings[3];
    struct range copies[2];
    struct range touched[1];
    struct open_file opens[2];
    struct stored_file files[1];
    struct action actions[1];
    char strings[16];
    char rest[2 * PAGE];
} small;

static int setup(void **state)
{
    (void)state;
    memset(&small, 0, sizeof(small));
    small.head = (struct head){.magic = SNAPSHOT_MAGIC,
                               .version = SNAPSHOT_VERSION,
                               .mapping_count = 3,
                               .copy_count = 2,
                               .touched_count = 1,
                               .open_count = 2,
                               .file_count = 1,
                               .action_count = 1,
                               .strings_bytes = sizeof(small.strings)};
    small.head.head_bytes = snapshot_head_bytes(&small.head);
    small.head.copies_at = small.head.head_bytes + PAGE;
    uint32_t both = PROT_READ | PROT_WRITE;
    small.mappings[0] = (struct mapping){.start = DATA_AT,
                                         .end = DATA_AT + 2 * PAGE,
                                         .kind = MAPPING_FILE,
                                         .prot = PROT_READ | PROT_EXEC};
    small.mappings[1] = (struct mapping){.start = DATA_AT + 2 * PAGE,
                                         .end = DATA_AT + 3 * PAGE,
                                         .kind = MAPPING_PAGES,
                                         .offset = small.head.head_bytes,
                                         .prot = both};
    small.mappings[2] = (struct mapping){
        .start = STACK_AT, .end = STACK_AT + 8 * PAGE, .kind = MAPPING_STACK, .prot = both};
    small.copies[0] = (struct range){STACK_AT + PAGE, PAGE};
    small.copies[1] = (struct range){STACK_AT + 4 * PAGE, 4 * PAGE};
    small.touched[0] = (struct range){DATA_AT, PAGE};
    small.opens[0] = (struct open_file){.fd = 3, .same_as = -1};
    small.opens[1] = (struct open_file){.fd = 5, .same_as = 3};
    small.actions[0].number = SIGINT;
    strcpy(small.strings, "/file");
    struct task *task = &small.head.task;
    task->frame = STACK_AT + PAGE;
    task->mm.auxv = STACK_AT + 6 * PAGE;
    task->mm.auxv_bytes = 320;
    task->env_places[0] = STACK_AT + 4 * PAGE;
    task->env_place_count = 1;
    task->env_text = STACK_AT + 7 * PAGE;
    task->env_text_bytes = PAGE;
    task->vdso = 0x7fff00000000;
    task->specials[0] = (struct range){task->vdso, 2 * PAGE};
    task->special_count = 1;
    return 0;
}

static const char *check(void)
{
    return snapshot_check(&small, sizeof(small), BYTES);
}

static void a_right_one_passes(void **state)
{
    (void)state;
    assert_null(check());
}

#define WRONG(change)                                                                              \
    do {                                                                                           \
        setup(NULL);                                                                               \
        change;                                                                                    \
        assert_non_null(check());                                                                  \
    } while (0)

static void mappings_stay_where_they_may(void **state)
{
    (void)state;
    WRONG(small.mappings[0].start += 1);
    WRONG(small.mappings[0].start = 0);
    WRONG(small.mappings[0].end = small.mappings[0].start);
    WRONG(small.mappings[0].end = small.mappings[1].end);
    WRONG(small.mappings[2].end = ADDRESS_END + PAGE);
    WRONG(small.mappings[2].end = UINT64_MAX - PAGE + 1);
    WRONG((small.mappings[0].start = WINDOW_LO, small.mappings[0].end = WINDOW_LO + PAGE));
    WRONG((small.mappings[0].start = WINDOW_LO - PAGE, small.mappings[0].end = WINDOW_HI + PAGE));
    WRONG(small.mappings[0].prot = 8);
    WRONG(small.mappings[0].kind = 0);
    WRONG(small.mappings[0].kind = 6);
    WRONG(small.mappings[0].file = 1);
    WRONG(small.mappings[0].offset = UINT64_MAX - PAGE + 1);
    WRONG((small.mappings[0].kind = MAPPING_FILE_SHARED, small.mappings[0].prot = PROT_WRITE));
    WRONG(small.mappings[1].offset = 0);
    WRONG(small.mappings[1].offset = BYTES);
    WRONG(small.mappings[2].offset = PAGE);
    WRONG(small.mappings[2].advice = 1u << 31);
    WRONG(small.head.task.specials[0].start = DATA_AT);
    WRONG(small.head.task.specials[0].start = WINDOW_LO);
    WRONG(small.head.task.specials[0].bytes = UINT64_MAX - PAGE + 1);
}

static void content_goes_into_its_own_memory(void **state)
{
    (void)state;
    WRONG(small.copies[0].start = DATA_AT);
    WRONG(small.copies[0].start = WINDOW_LO);
    WRONG(small.copies[0].bytes = 0);
    WRONG(small.copies[0].bytes = 4 * PAGE);
    WRONG(small.copies[1].bytes = 5 * PAGE);
    WRONG(small.copies[1].bytes = UINT64_MAX - PAGE + 1);
    WRONG(small.head.copies_at = BYTES);
    WRONG(small.head.copies_at = 0);
    WRONG(small.touched[0].start = STACK_AT - PAGE);
    WRONG(small.touched[0].bytes = 3 * PAGE);
}

static void files_and_signals_are_possible(void **state)
{
    (void)state;
    WRONG(small.strings[15] = 'x');
    WRONG(small.head.strings_bytes = 0);
    WRONG(small.files[0].path = 16);
    WRONG(small.opens[0].fd = 2);
    WRONG(small.opens[0].fd = -1);
    WRONG(small.opens[0].fd = FD_MAX);
    WRONG(small.opens[0].file = 1);
    WRONG(small.opens[1].fd = 3);
    WRONG(small.opens[1].same_as = 4);
    WRONG(small.opens[0].flags = 0100 /* O_CREAT */);
    WRONG(small.opens[0].position = -1);
    WRONG(small.actions[0].number = 0);
    WRONG(small.actions[0].number = 65);
    WRONG(small.actions[0].number = SIGKILL);
}

static void the_task_lies_in_its_memory(void **state)
{
    (void)state;
    struct task *task = &small.head.task;
    WRONG(task->frame = 0);
    WRONG(task->frame = DATA_AT);
    WRONG(task->frame = WINDOW_LO);
    WRONG(task->frame = STACK_AT + 8 * PAGE - 8);
    WRONG(task->tid_word = DATA_AT);
    WRONG(task->tid_word = WINDOW_LO);
    WRONG(task->mm.auxv = 0);
    WRONG(task->mm.auxv_bytes = 8192);
    WRONG(task->env_places[0] = WINDOW_LO);
    WRONG(task->env_places[0] = STACK_AT + 7 * PAGE);
    WRONG(task->env_place_count = 0);
    WRONG(task->env_place_count = ENV_PLACES_MAX + 1);
    WRONG(task->env_text = WINDOW_LO);
    WRONG(task->env_text_bytes = 2 * PAGE);
    WRONG(task->special_count = SPECIALS_MAX + 1);
    WRONG(task->cwd = 16);
    WRONG(memset(task->name, 'x', sizeof(task->name)));
}

static void heads_are_whole(void **state)
{
    (void)state;
    WRONG(small.head.magic++);
    WRONG(small.head.version++);
    WRONG(small.head.mapping_count = UINT32_MAX);
    WRONG(small.head.head_bytes += PAGE);
    setup(NULL);
    assert_non_null(snapshot_check(&small, sizeof(small.head) - 1, BYTES));
    assert_non_null(snapshot_check(&small, small.head.head_bytes - PAGE, BYTES));
    assert_non_null(snapshot_check(&small, sizeof(small), BYTES + 1));
}

/* --- the watch --- */

static const struct watch watched = {
    .own_lo = WINDOW_LO, .own_hi = WINDOW_HEAD, .fds_lo = 995, .fds_hi = 1000};

/* What the kernel does with the few instructions that the filter uses. */
static uint32_t run_filter(const struct seccomp_data *data)
{
    struct sock_filter code[WATCH_LENGTH_MAX];
    uint32_t length = watch_filter(&watched, code), accumulator = 0;
    for (uint32_t at = 0; at < length; at++) {
        const struct sock_filter *op = &code[at];
        int jump = 0;
        switch (op->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(op->k % 4 == 0 && op->k < sizeof(*data));
            memcpy(&accumulator, (const char *)data + op->k, 4);
            continue;
        case BPF_RET | BPF_K:
            return op->k;
        case BPF_JMP | BPF_JEQ | BPF_K:
            jump = accumulator == op->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            jump = accumulator >= op->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            jump = (accumulator & op->k) != 0;
            break;
        default:
            fail();
        }
        at += jump ? op->jt : op->jf;
    }
    fail();
    return 0;
}

static uint32_t answer_to(int number, uint64_t a, uint64_t b)
{
    struct seccomp_data data = {.nr = number,
                                .arch = AUDIT_ARCH_X86_64,
                                .instruction_pointer = 0x7f0000001234,
                                .args = {a, b}};
    return run_filter(&data);
}

static void reads_of_stdin_are_trapped(void **state)
{
    (void)state;
    assert_int_equal(answer_to(SYS_read, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_readv, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_pread64, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_preadv2, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_read, UINT64_C(1) << 32, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_sendfile, 1, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_splice, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_read, 3, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_sendfile, 0, 3), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_write, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_mmap, 0, 0), SECCOMP_RET_ALLOW);
}

static void what_leaves_no_trace_is_trapped(void **state)
{
    (void)state;
    assert_int_equal(answer_to(SYS_fork, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_clone, SIGCHLD, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_clone, CLONE_VM | CLONE_THREAD, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_prctl, PR_SET_NAME, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_prctl, PR_SET_SECCOMP, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_arch_prctl, 0x1002, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_arch_prctl, 0x5001, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_membarrier, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_membarrier, 16, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_rt_sigaction, SIGSYS, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(SYS_rt_sigaction, SIGINT, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_clone3, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(answer_to(SYS_rseq, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(answer_to(SYS_exit_group, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer_to(0x40000000, 3, 0), SECCOMP_RET_ERRNO | ENOSYS);
}

static void its_own_descriptors_stay(void **state)
{
    (void)state;
    for (uint64_t fd = 995; fd < 1000; fd++) {
        assert_int_equal(answer_to(SYS_close, fd, 0), SECCOMP_RET_ERRNO | EBADF);
        assert_int_equal(answer_to(SYS_dup2, 1, fd), SECCOMP_RET_ERRNO | EBADF);
    }
    assert_int_equal(answer_to(SYS_close, 994, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_close, 1000, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer_to(SYS_close_range, 3, UINT32_MAX), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(answer_to(SYS_close_range, 3, 10), SECCOMP_RET_ALLOW);
}

static void its_own_calls_pass(void **state)
{
    (void)state;
    struct seccomp_data data = {.nr = SYS_read, .arch = AUDIT_ARCH_X86_64};
    const struct {
        uint64_t from;
        uint32_t answer;
    } cases[] = {
        {WINDOW_LO, SECCOMP_RET_ALLOW},         {WINDOW_HEAD - 1, SECCOMP_RET_ALLOW},
        {WINDOW_LO - 1, SECCOMP_RET_TRAP},      {WINDOW_HEAD, SECCOMP_RET_TRAP},
        {WINDOW_LO & 0xffff, SECCOMP_RET_TRAP},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        data.instruction_pointer = cases[i].from;
        assert_int_equal(run_filter(&data), cases[i].answer);
    }
    data.arch = AUDIT_ARCH_I386;
    assert_int_equal(run_filter(&data), SECCOMP_RET_KILL_PROCESS);
}

static void each_trapped_call_has_a_meaning(void **state)
{
    (void)state;
    const char *reason = NULL;
    for (int number = 0; number < 470; number++) {
        if (answer_to(number, 0, 0) != SECCOMP_RET_TRAP)
            continue;
        if (watch_class_of((uint32_t)number, &reason) == WATCH_REFUSED)
            assert_null(strstr(reason, "for no reason"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_right_one_passes, setup),
        cmocka_unit_test(mappings_stay_where_they_may),
        cmocka_unit_test(content_goes_into_its_own_memory),
        cmocka_unit_test(files_and_signals_are_possible),
        cmocka_unit_test(the_task_lies_in_its_memory),
        cmocka_unit_test(heads_are_whole),
        cmocka_unit_test(reads_of_stdin_are_trapped),
        cmocka_unit_test(what_leaves_no_trace_is_trapped),
        cmocka_unit_test(its_own_descriptors_stay),
        cmocka_unit_test(its_own_calls_pass),
        cmocka_unit_test(each_trapped_call_has_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
