/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main filter: a table with a reason on each line, compiled by libseccomp. The starting point
 * was what Docker allows by default; what is not here was taken away (ptrace, process_vm_*,
 * io_uring, AIO, keyrings, name_to_handle_at, vmsplice, modify_ldt, statmount, ...). A call that is
 * not listed answers ENOSYS, as an older kernel would, so that programs take their fallback; calls
 * that only privilege could use answer EPERM. Foreign architectures (int 0x80, x32) kill the
 * process.
 */
#include "jail/filter.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

#include "jail/filter_export.h"
#include "jail/filter_table.h"

enum {
    POLICY_NET_NONE = 1,
    POLICY_OWN_IPC = 2,
};

unsigned int filter_policy(const struct jail_plan *plan)
{
    unsigned int policy = 0;
    if (plan->net == FUNCTION_NET_NONE)
        policy |= POLICY_NET_NONE;
    if (plan->flags & FUNCTION_OWN_IPC)
        policy |= POLICY_OWN_IPC;
    return policy;
}

int filter_uses_notify(const struct jail_plan *plan)
{
    return plan->net == FUNCTION_NET_OWN;
}

static int grant_applies(const struct filter_grant *grant, unsigned int policy)
{
    switch (grant->when) {
    case GRANT_ALWAYS:
        return 1;
    case GRANT_OWN_IPC:
        return (policy & POLICY_OWN_IPC) != 0;
    case GRANT_OWN_NET:
        return (policy & POLICY_NET_NONE) == 0;
    }
    return 0;
}

void filter_each(const struct jail_plan *plan, filter_each_fn each, void *arg)
{
    unsigned int policy = filter_policy(plan);
    for (size_t i = 0; i < filter_grant_count; i++) {
        if (grant_applies(&filter_grants[i], policy))
            each(arg, filter_grants[i].number, filter_grants[i].reason);
    }
}

static int add_rules(scmp_filter_ctx filter, unsigned int policy)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < filter_grant_count; i++) {
        if (grant_applies(&filter_grants[i], policy))
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, filter_grants[i].number, 0);
    }
    for (size_t i = 0; result == 0 && i < filter_refusal_count; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), filter_refusals[i], 0);
    if (policy & POLICY_NET_NONE) {
        static const int refused[] = {SCMP_SYS(socket), SCMP_SYS(bind),   SCMP_SYS(connect),
                                      SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4)};
        for (size_t i = 0; result == 0 && i < sizeof(refused) / sizeof(refused[0]); i++)
            result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
        if (result == 0)
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 0);
    } else {
        /* every socket is made by the notify handler, in the sandbox's own network namespace */
        if (result == 0)
            result = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(socket), 0);
        if (result == 0)
            result = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(socketpair), 0);
    }
    return result;
}

int filter_compile(const struct jail_plan *plan, struct filter_program *out, struct err *err)
{
    struct err ignored = {0};
    err = err != NULL ? err : &ignored;
    scmp_filter_ctx filter = filter_begin(SCMP_ACT_ERRNO(ENOSYS), err);
    if (filter == NULL)
        return -err->code;
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0)
        result = add_rules(filter, filter_policy(plan));
    if (result < 0)
        err_set(err, -result, "add the rules of the seccomp filter:");
    else
        result = filter_export(filter, out->code, FILTER_LENGTH_MAX, err);
    if (result > 0)
        out->length = (uint32_t)result;
    seccomp_release(filter);
    return result < 0 ? result : 0;
}
