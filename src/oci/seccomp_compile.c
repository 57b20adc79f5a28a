/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule of the profile is one or more of libseccomp's. A name that this libseccomp does not know
 * is passed over, as the specification's other runtimes do: profiles list the calls of all kernels.
 */
#include "oci/seccomp_compile.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include "jail/filter_export.h"

static uint32_t action_of(enum oci_seccomp_action action, const struct oci_uint *number)
{
    uint16_t error = (uint16_t)(number->set ? number->value : EPERM);
    switch (action) {
    case OCI_ACT_KILL_THREAD:
        return SCMP_ACT_KILL_THREAD;
    case OCI_ACT_KILL_PROCESS:
        return SCMP_ACT_KILL_PROCESS;
    case OCI_ACT_TRAP:
        return SCMP_ACT_TRAP;
    case OCI_ACT_ERRNO:
        return SCMP_ACT_ERRNO(error);
    case OCI_ACT_TRACE:
        return SCMP_ACT_TRACE(error);
    case OCI_ACT_ALLOW:
        return SCMP_ACT_ALLOW;
    case OCI_ACT_LOG:
        return SCMP_ACT_LOG;
    case OCI_ACT_NOTIFY:
        return SCMP_ACT_NOTIFY;
    }
    return SCMP_ACT_KILL_PROCESS;
}

static struct scmp_arg_cmp comparison(const struct oci_seccomp_arg *arg)
{
    static const enum scmp_compare operators[] = {
        [OCI_CMP_NE] = SCMP_CMP_NE,
        [OCI_CMP_LT] = SCMP_CMP_LT,
        [OCI_CMP_LE] = SCMP_CMP_LE,
        [OCI_CMP_EQ] = SCMP_CMP_EQ,
        [OCI_CMP_GE] = SCMP_CMP_GE,
        [OCI_CMP_GT] = SCMP_CMP_GT,
        [OCI_CMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
    };
    return (struct scmp_arg_cmp){.arg = arg->index,
                                 .op = operators[arg->op],
                                 .datum_a = arg->value,
                                 .datum_b = arg->value_two};
}

/* Conditions on one argument twice cannot be one rule: then each is a rule, that is, one of them
 * suffices. */
static bool repeats(const struct oci_seccomp_rule *rule)
{
    unsigned int seen = 0;
    for (size_t i = 0; i < rule->arg_count; i++) {
        if (seen & 1u << rule->args[i].index)
            return true;
        seen |= 1u << rule->args[i].index;
    }
    return false;
}

static int add_call(scmp_filter_ctx filter, const struct oci_seccomp_rule *rule, uint32_t action,
                    int number)
{
    enum { ARGS_MAX = 6 };
    struct scmp_arg_cmp args[ARGS_MAX];
    int result = 0;
    if (repeats(rule)) {
        for (size_t i = 0; result == 0 && i < rule->arg_count; i++) {
            args[0] = comparison(&rule->args[i]);
            result = seccomp_rule_add_array(filter, action, number, 1, args);
        }
        return result;
    }
    for (size_t i = 0; i < rule->arg_count && i < ARGS_MAX; i++)
        args[i] = comparison(&rule->args[i]);
    return seccomp_rule_add_array(filter, action, number, (unsigned int)rule->arg_count, args);
}

static int add_rule(scmp_filter_ctx filter, const struct oci_seccomp *seccomp, size_t index,
                    struct err *err)
{
    const struct oci_seccomp_rule *rule = &seccomp->rules[index];
    uint32_t action = action_of(rule->action, &rule->errno_ret);
    if (action == action_of(seccomp->default_action, &seccomp->default_errno_ret))
        return 0; /* says nothing that the default does not */
    for (size_t i = 0; i < rule->names.count; i++) {
        int number = seccomp_syscall_resolve_name(rule->names.items[i]);
        if (number == __NR_SCMP_ERROR)
            continue;
        int result = add_call(filter, rule, action, number);
        if (result == -EEXIST) /* the same rule stood there before */
            continue;
        if (result < 0)
            return err_set(err, -result, "linux.seccomp.syscalls[%zu] (%.60s):", index,
                           rule->names.items[i]);
    }
    return 0;
}

static int add_all(scmp_filter_ctx filter, const struct oci_seccomp *seccomp, struct err *err)
{
    for (size_t i = 0; i < seccomp->arch_count; i++) {
        int result = seccomp_arch_add(filter, seccomp->arches[i]);
        if (result < 0 && result != -EEXIST)
            return err_set(err, -result,
                           "linux.seccomp.architectures[%zu]: not to be had beside this "
                           "machine's:",
                           i);
    }
    for (size_t i = 0; i < seccomp->rule_count; i++) {
        int result = add_rule(filter, seccomp, i, err);
        if (result < 0)
            return result;
    }
    return 0;
}

int oci_seccomp_compile(const struct oci_seccomp *seccomp, struct sock_filter *code, uint32_t room,
                        struct err *err)
{
    scmp_filter_ctx filter =
        filter_begin(action_of(seccomp->default_action, &seccomp->default_errno_ret), err);
    if (filter == NULL)
        return -(err != NULL ? err->code : ENOMEM);
    int result = add_all(filter, seccomp, err);
    if (result == 0)
        result = filter_export(filter, code, room, err);
    seccomp_release(filter);
    return result;
}
