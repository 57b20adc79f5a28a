/* SPDX-License-Identifier: Apache-2.0 */
/* The `process` object (config.md, "Process"). */
#include <string.h>

#include "oci/names.h"
#include "oci/spec_read.h"

/* --- user --- */

static int read_gid(struct spec_reader *in, const struct json *value, void *out)
{
    return spec_read_uint32(in, value, out);
}

static int read_gids(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_user *user = out;
    return spec_read_list(in, value, sizeof(uint32_t), read_gid, &user->gid_count,
                          &user->additional_gids);
}

static int read_umask(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *mask = out;
    int result = spec_uint_within(in, value, 0777, &mask->value);
    mask->set = result == 0;
    return result;
}

static int read_user(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("uid", spec_read_uint32, struct oci_user, uid),
        SPEC_FIELD("gid", spec_read_uint32, struct oci_user, gid),
        SPEC_FIELD("umask", read_umask, struct oci_user, umask),
        {"additionalGids", read_gids, 0, false},
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

/* --- capabilities, rlimits --- */

/* A name without a number here is warned of and not granted (config.md, "capabilities"). */
static int read_capability_set(struct spec_reader *in, const struct json *value, void *out)
{
    uint64_t *set = out;
    struct oci_strings names = {0};
    int result = spec_read_strings(in, value, &names);
    for (size_t i = 0; result == 0 && i < names.count; i++) {
        uint64_t number;
        if (oci_name_find(oci_capability_names, names.items[i], &number) == 0)
            *set |= 1ull << number;
        else
            result =
                spec_warn(in, "\"%.60s\" is no capability known here, not granted", names.items[i]);
    }
    return result;
}

static int read_capabilities(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("bounding", read_capability_set, struct oci_capabilities, bounding),
        SPEC_FIELD("effective", read_capability_set, struct oci_capabilities, effective),
        SPEC_FIELD("inheritable", read_capability_set, struct oci_capabilities, inheritable),
        SPEC_FIELD("permitted", read_capability_set, struct oci_capabilities, permitted),
        SPEC_FIELD("ambient", read_capability_set, struct oci_capabilities, ambient),
    };
    struct oci_capabilities *sets = json_arena_alloc(&in->spec->arena, sizeof(*sets));
    if (sets == NULL)
        return spec_no_memory(in);
    *(struct oci_capabilities **)out = sets;
    return SPEC_READ_OBJECT(in, value, fields, sets);
}

static int read_rlimit_type(struct spec_reader *in, const struct json *value, void *out)
{
    uint64_t number;
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    if (oci_name_find(oci_rlimit_names, value->text, &number) < 0)
        return spec_wrong(in, "\"%.60s\" is no resource limit of this kernel", value->text);
    *(int *)out = (int)number;
    return 0;
}

static int read_rlimit(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("type", read_rlimit_type, struct oci_rlimit, resource),
        SPEC_REQUIRED("soft", spec_read_uint64, struct oci_rlimit, soft),
        SPEC_REQUIRED("hard", spec_read_uint64, struct oci_rlimit, hard),
    };
    struct oci_rlimit *limit = out;
    int result = SPEC_READ_OBJECT(in, value, fields, limit);
    if (result == 0 && limit->soft > limit->hard)
        result = spec_wrong(in, "soft %llu is above hard %llu", (unsigned long long)limit->soft,
                            (unsigned long long)limit->hard);
    return result;
}

static const char *rlimit_name(int resource)
{
    const struct oci_name *at = oci_rlimit_names;
    while (at->name != NULL && at->value != (uint64_t)resource)
        at++;
    return at->name != NULL ? at->name : "?";
}

static int read_rlimits(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_process *process = out;
    int result = spec_read_list(in, value, sizeof(struct oci_rlimit), read_rlimit,
                                &process->rlimit_count, &process->rlimits);
    uint64_t seen = 0;
    for (size_t i = 0; result == 0 && i < process->rlimit_count; i++) {
        uint64_t bit = 1ull << process->rlimits[i].resource;
        if (seen & bit) {
            spec_enter_index(in, i);
            result = spec_wrong(in, "the type %s stands twice",
                                rlimit_name(process->rlimits[i].resource));
        }
        seen |= bit;
    }
    return result;
}

/* --- scheduling --- */

static int read_named(struct spec_reader *in, const struct json *value,
                      const struct oci_name *names, const char *what, uint64_t *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result == 0 && oci_name_find(names, value->text, out) < 0)
        result = spec_wrong(in, "\"%.60s\" is no %s of this kernel", value->text, what);
    return result;
}

static int read_policy(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct oci_name names[] = {
        {"SCHED_OTHER", 0}, {"SCHED_FIFO", 1},     {"SCHED_RR", 2}, {"SCHED_BATCH", 3},
        {"SCHED_IDLE", 5},  {"SCHED_DEADLINE", 6}, {NULL, 0},
    };
    uint64_t number = 0;
    int result = read_named(in, value, names, "scheduling policy", &number);
    *(uint32_t *)out = (uint32_t)number;
    return result;
}

static int read_scheduler_flag(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct oci_name names[] = {
        {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
        {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
        {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
        {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}, {NULL, 0},
    };
    return read_named(in, value, names, "scheduling flag", out);
}

static int read_scheduler_flags(struct spec_reader *in, const struct json *value, void *out)
{
    uint64_t *flags = NULL;
    size_t count = 0;
    int result = spec_read_list(in, value, sizeof(*flags), read_scheduler_flag, &count, &flags);
    for (size_t i = 0; result == 0 && i < count; i++)
        *(uint64_t *)out |= flags[i];
    return result;
}

static int read_nice(struct spec_reader *in, const struct json *value, void *out)
{
    int64_t number = 0;
    int result = spec_int_within(in, value, -20, 19, &number);
    *(int32_t *)out = (int32_t)number;
    return result;
}

static int read_rt_priority(struct spec_reader *in, const struct json *value, void *out)
{
    uint64_t number = 0;
    int result = spec_uint_within(in, value, 99, &number);
    *(uint32_t *)out = (uint32_t)number;
    return result;
}

static int read_scheduler(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("policy", read_policy, struct oci_scheduler, policy),
        SPEC_FIELD("nice", read_nice, struct oci_scheduler, nice),
        SPEC_FIELD("priority", read_rt_priority, struct oci_scheduler, priority),
        SPEC_FIELD("flags", read_scheduler_flags, struct oci_scheduler, flags),
        SPEC_FIELD("runtime", spec_read_uint64, struct oci_scheduler, runtime_ns),
        SPEC_FIELD("deadline", spec_read_uint64, struct oci_scheduler, deadline_ns),
        SPEC_FIELD("period", spec_read_uint64, struct oci_scheduler, period_ns),
    };
    struct oci_scheduler *scheduler = json_arena_alloc(&in->spec->arena, sizeof(*scheduler));
    if (scheduler == NULL)
        return spec_no_memory(in);
    *(struct oci_scheduler **)out = scheduler;
    return SPEC_READ_OBJECT(in, value, fields, scheduler);
}

static int read_io_class(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct oci_name names[] = {
        {"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}, {NULL, 0}};
    uint64_t number = 0;
    int result = read_named(in, value, names, "I/O priority class", &number);
    *(int *)out = (int)number;
    return result;
}

static int read_io_level(struct spec_reader *in, const struct json *value, void *out)
{
    int64_t number = 0;
    int result = spec_int_within(in, value, 0, 7, &number);
    *(int *)out = (int)number;
    return result;
}

static int read_io_priority(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("class", read_io_class, struct oci_io_priority, class_number),
        SPEC_FIELD("priority", read_io_level, struct oci_io_priority, priority),
    };
    struct oci_io_priority *priority = json_arena_alloc(&in->spec->arena, sizeof(*priority));
    if (priority == NULL)
        return spec_no_memory(in);
    *(struct oci_io_priority **)out = priority;
    return SPEC_READ_OBJECT(in, value, fields, priority);
}

static int read_affinity(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("initial", spec_read_cpu_list, struct oci_cpu_affinity, initial),
        SPEC_FIELD("final", spec_read_cpu_list, struct oci_cpu_affinity, final),
    };
    struct oci_cpu_affinity *affinity = json_arena_alloc(&in->spec->arena, sizeof(*affinity));
    if (affinity == NULL)
        return spec_no_memory(in);
    *(struct oci_cpu_affinity **)out = affinity;
    return SPEC_READ_OBJECT(in, value, fields, affinity);
}

/* --- process --- */

static int read_side(struct spec_reader *in, const struct json *value, void *out)
{
    uint64_t number = 0;
    int result = spec_uint_within(in, value, UINT16_MAX, &number);
    *(uint16_t *)out = (uint16_t)number;
    return result;
}

static int read_console(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("height", read_side, struct oci_process, console_height),
        SPEC_REQUIRED("width", read_side, struct oci_process, console_width),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_args(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_strings *args = out;
    int result = spec_read_strings(in, value, args);
    if (result == 0 && args->count == 0)
        result = spec_wrong(in, "holds no program to run");
    return result;
}

static int read_variable(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result == 0 && (value->text[0] == '=' || strchr(value->text, '=') == NULL))
        result = spec_wrong(in, "\"%.60s\" is not NAME=value", value->text);
    return result == 0 ? spec_read_text(in, value, out) : result;
}

static int read_env(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_strings *env = out;
    return spec_read_list(in, value, sizeof(char *), read_variable, &env->count, &env->items);
}

static int read_oom_score(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_int *score = out;
    int result = spec_int_within(in, value, -1000, 1000, &score->value);
    score->set = result == 0;
    return result;
}

static int read_label(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result == 0 && value->text[0] != '\0') /* as good as none */
        result = spec_read_text(in, value, out);
    return result;
}

int spec_read_process(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_FIELD("terminal", spec_read_bool, struct oci_process, terminal),
        {"consoleSize", read_console, 0, false},
        SPEC_FIELD("user", read_user, struct oci_process, user),
        SPEC_REQUIRED("args", read_args, struct oci_process, args),
        {"commandLine", spec_read_foreign, 0, false},
        SPEC_FIELD("env", read_env, struct oci_process, env),
        SPEC_REQUIRED("cwd", spec_read_absolute, struct oci_process, cwd),
        SPEC_FIELD("capabilities", read_capabilities, struct oci_process, capabilities),
        {"rlimits", read_rlimits, 0, false},
        SPEC_FIELD("noNewPrivileges", spec_read_bool, struct oci_process, no_new_privileges),
        SPEC_FIELD("apparmorProfile", read_label, struct oci_process, apparmor_profile),
        SPEC_FIELD("selinuxLabel", read_label, struct oci_process, selinux_label),
        SPEC_FIELD("oomScoreAdj", read_oom_score, struct oci_process, oom_score_adj),
        SPEC_FIELD("scheduler", read_scheduler, struct oci_process, scheduler),
        SPEC_FIELD("ioPriority", read_io_priority, struct oci_process, io_priority),
        SPEC_FIELD("execCPUAffinity", read_affinity, struct oci_process, cpu_affinity),
    };
    struct oci_process *process = json_arena_alloc(&in->spec->arena, sizeof(*process));
    if (process == NULL)
        return spec_no_memory(in);
    *(struct oci_process **)out = process;
    int result = SPEC_READ_OBJECT(in, value, fields, process);
    if (result == 0 && process->env.items == NULL) {
        static char *no_variables[] = {NULL};
        process->env.items = no_variables;
    }
    return result;
}
