/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the jail: plans, start messages, the two filters. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "jail/filter.h"
#include "jail/plan.h"
#include "jail/start.h"

static struct jail_plan plan;

static int setup(void **state)
{
    jail_plan_init(&plan);
    strcpy(plan.name, "default.hello");
    plan.host_usr = 1;
    return STRBLOCK_ADD(&plan.args, "true");
}

static void a_plain_plan_passes(void **state)
{
    struct err err;
    assert_int_equal(jail_plan_check(&plan, &err), 0);
    plan.binds[0] = (struct function_bind){.source = "/srv/data", .target = "/data"};
    plan.bind_count = 1;
    assert_int_equal(jail_plan_check(&plan, &err), 0);
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct err err = {0};                                                                      \
        setup(NULL);                                                                               \
        change;                                                                                    \
        assert_int_equal(jail_plan_check(&plan, &err), -EINVAL);                                   \
        assert_true(strlen(err.text) > 0);                                                         \
    } while (0)

static void bad_plans_are_refused(void **state)
{
    REFUSED(plan.version = 2);
    REFUSED(strcpy(plan.name, "UPPER"));
    REFUSED(strcpy(plan.name, "../x"));
    REFUSED(strcpy(plan.name, ".."));
    REFUSED(memset(plan.name, 'a', sizeof(plan.name)));
    REFUSED(plan.host_usr = 0);
    REFUSED(strcpy(plan.rootfs, "relative"));
    REFUSED((strcpy(plan.rootfs, "/"), plan.host_usr = 0));
    REFUSED(strcpy(plan.rootfs, "/both"));
    REFUSED(strcpy(plan.cwd, "/a/../b"));
    REFUSED(strcpy(plan.cwd, "tmp"));
    REFUSED(plan.uid_base = 0);
    REFUSED(plan.uid_base = UINT32_MAX - 5);
    REFUSED(plan.uid = 65536);
    REFUSED(plan.limits.pids_max = 0);
    REFUSED(plan.limits.concurrency_max = 2000);
    REFUSED(plan.net = 7);
    REFUSED(plan.args.count = 2);
    REFUSED(plan.args.bytes = 100000);
    REFUSED(plan.args.data[4] = 'x');
    REFUSED(plan.env.bytes = 1);
    REFUSED(STRBLOCK_ADD(&plan.env, "SKERRY_WARM=pool"));
    REFUSED(plan.bind_count = 9);
    REFUSED((plan.bind_count = 1, strcpy(plan.binds[0].source, "/s"),
             strcpy(plan.binds[0].target, "/a/..")));
    REFUSED((plan.bind_count = 1, strcpy(plan.binds[0].source, "/s"),
             strcpy(plan.binds[0].target, "/")));
    REFUSED((plan.bind_count = 1, strcpy(plan.binds[0].source, "s"),
             strcpy(plan.binds[0].target, "/t")));
}

static size_t message_of(char *out, const char *env, uint32_t env_bytes, uint32_t count)
{
    struct start_header header;
    start_header_init(&header, 7, 1, count, env_bytes);
    memcpy(out, &header, sizeof(header));
    memcpy(out + sizeof(header), env, env_bytes);
    return sizeof(header) + env_bytes;
}

static void start_messages_are_checked_whole(void **state)
{
    char message[256];
    size_t size = message_of(message, "A=1\0B=2", 8, 2);
    assert_int_equal(start_check(message, size, 3), 0);
    assert_int_equal(start_check(message, size, 2), -EINVAL);
    assert_int_equal(start_check(message, size, 4), -EINVAL);
    assert_int_equal(start_check(message, size, UINT32_MAX), -EINVAL);
    for (size_t shorter = 0; shorter < size; shorter++)
        assert_int_equal(start_check(message, shorter, 3), -EINVAL);
    assert_int_equal(start_check(message, message_of(message, "A=1\0B=2", 8, 3), 3), -EINVAL);
    assert_int_equal(start_check(message, message_of(message, "A=1\0B=2", 7, 1), 3), -EINVAL);
    size = message_of(message, "", 0, 0);
    assert_int_equal(start_check(message, size, 3), 0);
    memset(message + offsetof(struct start_header, call_id), 0, 8);
    assert_int_equal(start_check(message, size, 3), -EINVAL);
    size = message_of(message, "", 0, 0);
    message[0] ^= 1;
    assert_int_equal(start_check(message, size, 3), -EINVAL);
}

/* What a program of filter instructions answers; the few operations that ours use. */
static uint32_t run_filter(const struct sock_filter *code, uint32_t length,
                           const struct seccomp_data *data)
{
    uint32_t accumulator = 0, index = 0, memory[BPF_MEMWORDS] = {0};
    for (uint32_t at = 0; at < length; at++) {
        const struct sock_filter *op = &code[at];
        switch (op->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&accumulator, (const char *)data + op->k, 4);
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += accumulator == op->k ? op->jt : op->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += accumulator >= op->k ? op->jt : op->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            at += accumulator > op->k ? op->jt : op->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            at += (accumulator & op->k) != 0 ? op->jt : op->jf;
            break;
        case BPF_JMP | BPF_JA:
            at += op->k;
            break;
        case BPF_ALU | BPF_SUB | BPF_K:
            accumulator -= op->k;
            break;
        case BPF_ALU | BPF_OR | BPF_X:
            accumulator |= index;
            break;
        case BPF_ST:
            memory[op->k] = accumulator;
            break;
        case BPF_LDX | BPF_MEM:
            index = memory[op->k];
            break;
        case BPF_RET | BPF_K:
            return op->k;
        default:
            fail_msg("instruction %x", op->code);
        }
    }
    fail_msg("the filter has no end");
    return 0;
}

#define KEY UINT64_C(0x123456789abcdef0)
static uint64_t sixth; /* argument of every call */

static struct seccomp_data call_of(long number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a4)
{
    struct seccomp_data data = {.nr = (int)number, .arch = AUDIT_ARCH_X86_64};
    data.args[0] = a0;
    data.args[1] = a1;
    data.args[2] = a2;
    data.args[4] = a4;
    data.args[5] = sixth;
    return data;
}

static uint32_t closing(long number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a4)
{
    struct sock_filter code[CLOSING_LENGTH_MAX];
    uint32_t length = filter_closing(&plan, KEY, code);
    assert_in_range(length, 1, CLOSING_LENGTH_MAX);
    struct seccomp_data data = call_of(number, a0, a1, a2, a4);
    return run_filter(code, length, &data);
}

static void closing_filter_takes_furnishing_away(void **state)
{
    const uint32_t refused = SECCOMP_RET_ERRNO | EPERM;
    const uint32_t allowed = SECCOMP_RET_ALLOW;
    assert_int_equal(closing(SYS_mount, 0, 0, 0, 0), refused);
    assert_int_equal(closing(SYS_umount2, 0, 0, 0, 0), refused);
    assert_int_equal(closing(SYS_setns, 0, 0, 0, 0), refused);
    assert_int_equal(closing(SYS_unshare, 0, 0, 0, 0), refused);
    assert_int_equal(closing(SYS_read, 0, 0, 0, 0), allowed);
    assert_int_equal(closing(SYS_clone, 0x3d0f00, 0, 0, 0), allowed); /* pthread_create's flags */
    assert_int_equal(closing(SYS_clone, 0x10000000, 0, 0, 0), refused);
    assert_int_equal(closing(SYS_clone, 0x20000011, 0, 0, 0), refused);
    assert_int_equal(closing(SYS_ioctl, 0, TIOCSTI, 0, 0), refused);
    assert_int_equal(closing(SYS_ioctl, 0, (UINT64_C(1) << 32) | TIOCSTI, 0, 0), refused);
    assert_int_equal(closing(SYS_ioctl, 0, TIOCGWINSZ, 0, 0), allowed);
    assert_int_equal(closing(SYS_personality, UINT32_MAX, 0, 0, 0), allowed);
    assert_int_equal(closing(SYS_personality, 0, 0, 0, 0), allowed);
    assert_int_equal(closing(SYS_personality, 0x40000, 0, 0, 0), refused);
}

static void furnishing_needs_the_whole_key(void **state)
{
    static const uint64_t wrong[] = {0,       KEY & UINT32_MAX,        KEY >> 32 << 32,
                                     KEY + 1, KEY ^ UINT64_C(1) << 63, ~KEY};
    static const long calls[] = {SYS_mount, SYS_umount2, SYS_setns, SYS_unshare, SYS_clone};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++) {
            sixth = wrong[j];
            assert_int_equal(closing(calls[i], 0x20000011, 0, 0, 0), SECCOMP_RET_ERRNO | EPERM);
        }
        sixth = KEY;
        assert_int_equal(closing(calls[i], 0x20000011, 0, 0, 0), SECCOMP_RET_ALLOW);
        sixth = 0;
    }
}

static void without_network_sockets_stay_unnamed(void **state)
{
    const uint32_t refused = SECCOMP_RET_ERRNO | EACCES;
    plan.net = FUNCTION_NET_NONE;
    assert_int_equal(closing(SYS_setsockopt, 3, 1, 16, 0), refused); /* SO_PASSCRED */
    assert_int_equal(closing(SYS_setsockopt, 3, 1, 76, 0), refused); /* SO_PASSPIDFD */
    assert_int_equal(closing(SYS_setsockopt, 3, 1, 2, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(closing(SYS_setsockopt, 3, 1, 7, 0),
                     SECCOMP_RET_ERRNO); /* says yes, does nothing */
    assert_int_equal(closing(SYS_sendto, 3, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(closing(SYS_sendto, 3, 0, 0, 0x1000), refused);
    assert_int_equal(closing(SYS_sendto, 3, 0, 0, UINT64_C(0x100000000)), refused);
}

static struct filter_program program;

static uint32_t main_filter(uint32_t arch, long number)
{
    struct seccomp_data data = call_of(number, 0, 0, 0, 0);
    data.arch = arch;
    return run_filter(program.code, program.length, &data);
}

static void main_filter_denies_by_default(void **state)
{
    struct err err;
    assert_int_equal(filter_compile(&plan, &program, &err), 0);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_read), SECCOMP_RET_ALLOW);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_socket), SECCOMP_RET_USER_NOTIF);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_ptrace), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_clone3), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_io_uring_setup),
                     SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_shmget), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, 1023), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(main_filter(AUDIT_ARCH_I386, 4), SECCOMP_RET_KILL_PROCESS);
    assert_int_not_equal(main_filter(AUDIT_ARCH_X86_64, 0x40000000 | SYS_read), SECCOMP_RET_ALLOW);
    plan.net = FUNCTION_NET_NONE;
    plan.flags = FUNCTION_OWN_IPC;
    assert_int_equal(filter_compile(&plan, &program, &err), 0);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_socket), SECCOMP_RET_ERRNO | EACCES);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_bind), SECCOMP_RET_ERRNO | EACCES);
    assert_int_equal(main_filter(AUDIT_ARCH_X86_64, SYS_shmget), SECCOMP_RET_ALLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_plain_plan_passes, setup),
        cmocka_unit_test_setup(bad_plans_are_refused, setup),
        cmocka_unit_test(start_messages_are_checked_whole),
        cmocka_unit_test_setup(closing_filter_takes_furnishing_away, setup),
        cmocka_unit_test_setup(furnishing_needs_the_whole_key, setup),
        cmocka_unit_test_setup(without_network_sockets_stay_unnamed, setup),
        cmocka_unit_test_setup(main_filter_denies_by_default, setup),
    };
    return cmocka_run_group_tests_name("jail plan", tests, NULL, NULL);
}
