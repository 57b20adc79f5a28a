/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The systemd driver: a scope unit that systemd makes around a process and that we own below
 * (Delegate). The bus needs libsystemd, so a helper program speaks with it; here its arguments are
 * put together: skerry-oci-systemd start|set|stop UNIT [KEY=VALUE ...].
 *
 * What systemd has a property for is told to it too, though we write the files ourselves: it would
 * otherwise put its own idea back when it reloads.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/cgroup_limits.h"
#include "oci/helper.h"
#include "oci/helper_run.h"

enum { ARGUMENTS_MAX = 24, ARGUMENT_MAX = 320 };

struct command {
    char *argv[ARGUMENTS_MAX + 1];
    size_t count;
    char texts[ARGUMENTS_MAX][ARGUMENT_MAX];
    char program[PATH_MAX];
};

__attribute__((format(printf, 2, 3))) static void add(struct command *command, const char *format,
                                                      ...)
{
    va_list list;
    if (command->count >= ARGUMENTS_MAX)
        return;
    char *text = command->texts[command->count];
    va_start(list, format);
    vsnprintf(text, ARGUMENT_MAX, format, list);
    va_end(list);
    command->argv[command->count++] = text;
    command->argv[command->count] = NULL;
}

static void add_bytes(struct command *command, const char *property, const struct oci_int *bytes)
{
    if (bytes->set && bytes->value != 0)
        add(command, "%s=%" PRIu64, property,
            bytes->value < 0 ? UINT64_MAX : (uint64_t)bytes->value);
}

static void add_memory(struct command *command, const struct oci_memory *memory, bool v2)
{
    add_bytes(command, v2 ? "MemoryMax" : "MemoryLimit", &memory->limit);
    if (!v2)
        return;
    add_bytes(command, "MemoryLow", &memory->reservation);
    if (memory->swap.set && memory->swap.value == -1)
        add(command, "MemorySwapMax=%" PRIu64, UINT64_MAX);
    else if (memory->swap.set && memory->limit.set && memory->limit.value > 0 &&
             memory->swap.value >= memory->limit.value)
        add(command, "MemorySwapMax=%" PRId64, memory->swap.value - memory->limit.value);
}

/* systemd knows a quota per second of time; -1 and 0 are none. */
static void add_cpu(struct command *command, const struct oci_cpu *cpu, bool v2)
{
    if (cpu->shares.set && cpu->shares.value != 0)
        add(command, "%s=%" PRIu64, v2 ? "CPUWeight" : "CPUShares",
            v2 ? cgroup_weight_of_shares(cpu->shares.value) : cpu->shares.value);
    uint64_t period =
        cpu->period_us.set && cpu->period_us.value != 0 ? cpu->period_us.value : 100000;
    if (cpu->quota_us.set && cpu->quota_us.value > 0) {
        uint64_t per_second = 0;
        if (!__builtin_mul_overflow((uint64_t)cpu->quota_us.value, 1000000u, &per_second))
            add(command, "CPUQuotaPerSecUSec=%" PRIu64,
                (per_second / period + 9999) / 10000 * 10000);
    } else if (cpu->quota_us.set) {
        add(command, "CPUQuotaPerSecUSec=%" PRIu64, UINT64_MAX);
    }
    if (cpu->period_us.set && cpu->period_us.value != 0)
        add(command, "CPUQuotaPeriodUSec=%" PRIu64, cpu->period_us.value);
    if (cpu->cpus != NULL && v2)
        add(command, "AllowedCPUs=%.200s", cpu->cpus);
    if (cpu->mems != NULL && v2)
        add(command, "AllowedMemoryNodes=%.200s", cpu->mems);
}

static void add_properties(struct command *command, const struct oci_cgroup *cgroup,
                           const struct oci_resources *resources)
{
    const struct oci_cgroup_tree *memory = cgroup_tree_of(cgroup, "memory");
    const struct oci_cgroup_tree *cpu = cgroup_tree_of(cgroup, "cpu");
    if (memory != NULL)
        add_memory(command, &resources->memory, memory->v2);
    if (cpu != NULL)
        add_cpu(command, &resources->cpu, cpu->v2);
    if (resources->pids_limit.set)
        add(command, "TasksMax=%" PRIu64,
            resources->pids_limit.value > 0 ? (uint64_t)resources->pids_limit.value : UINT64_MAX);
}

static int begin(struct command *command, const char *verb, const struct oci_cgroup *cgroup,
                 struct err *err)
{
    int result =
        oci_helper_path("skerry-oci-systemd", command->program, sizeof(command->program), err);
    command->argv[0] = command->program;
    command->count = 1;
    add(command, "%s", verb);
    add(command, "%s", cgroup->unit);
    if (geteuid() != 0)
        add(command, "user=%u", (unsigned int)geteuid());
    return result;
}

static int run(struct command *command, struct err *err)
{
    char *answer = NULL;
    size_t size = 0;
    int result = oci_helper_run(command->argv, NULL, 0, 4096, &answer, &size, err);
    free(answer);
    return result;
}

int cgroup_systemd_start(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                         pid_t pid, struct err *err)
{
    struct command command = {.count = 0};
    int result = begin(&command, "start", cgroup, err);
    if (result < 0)
        return result;
    add(&command, "slice=%s", cgroup->slice);
    add(&command, "pid=%d", (int)pid);
    add_properties(&command, cgroup, resources);
    return run(&command, err);
}

int cgroup_systemd_set(const struct oci_cgroup *cgroup, const struct oci_resources *resources,
                       struct err *err)
{
    struct command command = {.count = 0};
    int result = begin(&command, "set", cgroup, err);
    size_t without = command.count;
    if (result < 0)
        return result;
    add_properties(&command, cgroup, resources);
    return command.count > without ? run(&command, err) : 0;
}

int cgroup_systemd_stop(const struct oci_cgroup *cgroup, struct err *err)
{
    struct command command = {.count = 0};
    int result = begin(&command, "stop", cgroup, err);
    return result == 0 ? run(&command, err) : result;
}
