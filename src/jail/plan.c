/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a plan: pure, run by whoever applies one and again by the zygote that receives it. */
#include "jail/plan.h"

#include <errno.h>
#include <string.h>

#include "skerry/abi/warm.h"

void jail_plan_init(struct jail_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    plan->version = JAIL_PLAN_VERSION;
    plan->uid_base = 1000000;
    plan->uid_count = 65536;
    plan->uid = 1000;
    plan->gid = 1000;
    strcpy(plan->cwd, "/");
    strcpy(plan->hostname, "skerry");
    struct function_limits *limits = &plan->limits;
    limits->mem_bytes = UINT64_C(128) << 20;
    limits->tmp_bytes = UINT64_C(64) << 20;
    limits->timeout_ns = UINT64_C(10000000000);
    limits->max_body_bytes = UINT64_C(16) << 20;
    limits->pids_max = 64;
    limits->concurrency_max = 64;
    limits->queue_max = 256;
    limits->files_max = 1024;
}

static bool terminated(const char *text, size_t room)
{
    return memchr(text, '\0', room) != NULL;
}

/* An absolute path without empty, "." or ".." components and without control characters. */
static bool path_plain(const char *path, size_t room)
{
    if (!terminated(path, room) || path[0] != '/')
        return false;
    for (const char *at = path; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20)
            return false;
        if (*at != '/')
            continue;
        const char *next = at + 1;
        size_t length = strcspn(next, "/");
        bool last_slash = length == 0 && *next == '\0' && at == path; /* "/" itself */
        if ((length == 0 && !last_slash) || (length == 1 && next[0] == '.') ||
            (length == 2 && next[0] == '.' && next[1] == '.'))
            return false;
    }
    return true;
}

static int check_name(const struct jail_plan *plan, struct err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    if (!terminated(plan->name, sizeof(plan->name)) || plan->name[0] == '\0' ||
        plan->name[0] == '.' || plan->name[strspn(plan->name, allowed)] != '\0')
        return err_set(err, EINVAL, "plan: the name must be of a-z, 0-9, '-' and '.'");
    if (!terminated(plan->tenant, sizeof(plan->tenant)) ||
        plan->tenant[strspn(plan->tenant, allowed)] != '\0' || strchr(plan->tenant, '.') != NULL)
        return err_set(err, EINVAL, "plan: the tenant must be of a-z, 0-9 and '-'");
    if (!terminated(plan->hostname, sizeof(plan->hostname)) || plan->hostname[0] == '\0')
        return err_set(err, EINVAL, "plan: the host name is empty or not terminated");
    return 0;
}

static int check_ids(const struct jail_plan *plan, struct err *err)
{
    if (plan->rootless)
        return 0;
    if (plan->uid_base < 65536 || plan->uid_count < 1 || plan->uid_count > 65536 ||
        plan->uid_base > UINT32_MAX - plan->uid_count)
        return err_set(err, EINVAL, "plan: uid range %u+%u: the base must be at least 65536",
                       plan->uid_base, plan->uid_count);
    if (plan->uid >= plan->uid_count || plan->gid >= plan->uid_count)
        return err_set(err, EINVAL, "plan: user %u:%u is outside of the mapped ids 0..%u",
                       plan->uid, plan->gid, plan->uid_count - 1);
    return 0;
}

static int check_limits(const struct function_limits *limits, struct err *err)
{
    if (limits->mem_bytes < (UINT64_C(1) << 20) || limits->tmp_bytes == 0 ||
        limits->pids_max == 0 || limits->files_max < 3 || limits->concurrency_max == 0 ||
        limits->concurrency_max > 1024)
        return err_set(err, EINVAL, "plan: a limit is zero or out of range");
    return 0;
}

static int check_binds(const struct jail_plan *plan, struct err *err)
{
    if (plan->bind_count > FUNCTION_BINDS_MAX)
        return err_set(err, EINVAL, "plan: %u binds, at most %d", plan->bind_count,
                       FUNCTION_BINDS_MAX);
    for (uint32_t i = 0; i < plan->bind_count; i++) {
        const struct function_bind *bind = &plan->binds[i];
        if (!terminated(bind->source, sizeof(bind->source)) || bind->source[0] != '/')
            return err_set(err, EINVAL, "plan: bind source %u must be an absolute path", i);
        if (!path_plain(bind->target, sizeof(bind->target)) || strcmp(bind->target, "/") == 0)
            return err_set(err, EINVAL, "plan: bind target %u must be an absolute path below /", i);
    }
    return 0;
}

/* Pid 1 alone gives a warm program its role; the environment's order must not decide. */
static int check_env(const struct jail_plan *plan, struct err *err)
{
    if (!STRBLOCK_VALID(&plan->env) || plan->env.count > 1000)
        return err_set(err, EINVAL, "plan: malformed environment");
    for (STRBLOCK_EACH(&plan->env, text)) {
        if (strncmp(text, WARM_VARIABLE "=", sizeof(WARM_VARIABLE)) == 0)
            return err_set(err, EINVAL, "the environment may not have " WARM_VARIABLE);
    }
    return 0;
}

int jail_plan_check(const struct jail_plan *plan, struct err *err)
{
    if (plan->version != JAIL_PLAN_VERSION)
        return err_set(err, EINVAL, "plan: version %u, expected %d", plan->version,
                       JAIL_PLAN_VERSION);
    if (!terminated(plan->rootfs, sizeof(plan->rootfs)) ||
        (plan->rootfs[0] != '\0' && plan->rootfs[0] != '/'))
        return err_set(err, EINVAL, "plan: the root file system must be an absolute path");
    if (plan->rootfs[0] == '\0' && !plan->host_usr && (plan->flags & JAIL_KVM) == 0)
        return err_set(err, EINVAL, "plan: neither a root file system nor the host's /usr");
    if (plan->rootfs[0] != '\0' && plan->host_usr)
        return err_set(err, EINVAL, "plan: a root file system and the host's /usr: choose one");
    if (strcmp(plan->rootfs, "/") == 0)
        return err_set(err, EINVAL, "plan: the host's / cannot be a sandbox's root file system");
    if (!path_plain(plan->cwd, sizeof(plan->cwd)))
        return err_set(err, EINVAL, "plan: the working directory must be a plain absolute path");
    if (plan->net > FUNCTION_NET_NONE || plan->proc > FUNCTION_PROC_FULL)
        return err_set(err, EINVAL, "plan: unknown net or proc mode");
    if (plan->warm > JAIL_WARM_SNAPSHOT ||
        (plan->warm == JAIL_WARM_POOL && (plan->flags & JAIL_KVM) == 0))
        return err_set(err, EINVAL, "plan: unknown mode of warm programs");
    if (!STRBLOCK_VALID(&plan->args) || plan->args.count == 0 || plan->args.count > 1000 ||
        plan->args.data[0] == '\0')
        return err_set(err, EINVAL, "plan: no program, or malformed arguments");
    int result = check_env(plan, err);
    if (result == 0)
        result = check_name(plan, err);
    if (result == 0)
        result = check_ids(plan, err);
    if (result == 0)
        result = check_limits(&plan->limits, err);
    return result == 0 ? check_binds(plan, err) : result;
}
