/* SPDX-License-Identifier: Apache-2.0 */
/* `update`: new limits for a container that lives, from a file (--resources) or from options. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/size.h"
#include "oci/rdt.h"
#include "oci/state.h"
#include "oci/verb.h"

static int wrong(struct err *err, const char *option, const char *text)
{
    return err_set(err, EINVAL, "--%s: \"%.60s\" is not a number that fits", option, text);
}

static int read_int(const char *option, const char *text, struct oci_int *out, struct err *err)
{
    char *end;
    if (text == NULL)
        return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return wrong(err, option, text);
    *out = (struct oci_int){true, value};
    return 0;
}

static int read_uint(const char *option, const char *text, uint64_t most, struct oci_uint *out,
                     struct err *err)
{
    struct oci_int value = {0};
    int result = read_int(option, text, &value, err);
    if (result < 0 || !value.set)
        return result;
    if (value.value < 0 || (uint64_t)value.value > most)
        return wrong(err, option, text);
    *out = (struct oci_uint){true, (uint64_t)value.value};
    return 0;
}

/* Bytes, with a suffix if one likes; -1 is no limit. */
static int read_bytes(const char *option, const char *text, struct oci_int *out, struct err *err)
{
    uint64_t bytes = 0;
    if (text == NULL)
        return 0;
    if (strcmp(text, "-1") == 0) {
        *out = (struct oci_int){true, -1};
        return 0;
    }
    if (strcmp(text, "0") != 0 && (size_parse(text, &bytes) < 0 || bytes > INT64_MAX))
        return wrong(err, option, text);
    *out = (struct oci_int){true, (int64_t)bytes};
    return 0;
}

struct option_value {
    const char *option;
    const char *text;
    void *out;
};

static int from_options(const struct oci_settings *set, struct oci_resources *out, struct err *err)
{
    struct oci_memory *memory = &out->memory;
    struct oci_cpu *cpu = &out->cpu;
    const struct option_value bytes[] = {
        {"memory", set->memory, &memory->limit},
        {"memory-reservation", set->memory_reservation, &memory->reservation},
        {"memory-swap", set->memory_swap, &memory->swap},
        {"kernel-memory", set->kernel_memory, &memory->kernel},
        {"kernel-memory-tcp", set->kernel_memory_tcp, &memory->kernel_tcp},
    };
    const struct option_value ints[] = {
        {"cpu-quota", set->cpu_quota, &cpu->quota_us},
        {"cpu-rt-runtime", set->cpu_rt_runtime, &cpu->realtime_runtime_us},
        {"cpu-idle", set->cpu_idle, &cpu->idle},
        {"pids-limit", set->pids_limit, &out->pids_limit},
    };
    const struct option_value uints[] = {
        {"cpu-period", set->cpu_period, &cpu->period_us},
        {"cpu-burst", set->cpu_burst, &cpu->burst_us},
        {"cpu-share", set->cpu_share, &cpu->shares},
        {"cpu-rt-period", set->cpu_rt_period, &cpu->realtime_period_us},
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(bytes) / sizeof(bytes[0]); i++)
        result = read_bytes(bytes[i].option, bytes[i].text, bytes[i].out, err);
    for (size_t i = 0; result == 0 && i < sizeof(ints) / sizeof(ints[0]); i++)
        result = read_int(ints[i].option, ints[i].text, ints[i].out, err);
    for (size_t i = 0; result == 0 && i < sizeof(uints) / sizeof(uints[0]); i++)
        result = read_uint(uints[i].option, uints[i].text, INT64_MAX, uints[i].out, err);
    if (result == 0)
        result = read_uint("blkio-weight", set->blkio_weight, 1000, &out->block_io.weight, err);
    out->block_io.weight.set = out->block_io.weight.set && out->block_io.weight.value != 0;
    cpu->cpus = set->cpuset_cpus;
    cpu->mems = set->cpuset_mems;
    return result;
}

/* "-" is stdin. */
static int from_file(const char *path, struct oci_spec *out, struct err *err)
{
    enum { ROOM = 1 << 20 };
    fd_owner file = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return err_set(err, errno, "--resources: open %.200s:", path);
    char *text = malloc(ROOM);
    if (text == NULL)
        return err_set(err, ENOMEM, "--resources:");
    ssize_t size = fd_read_all(file, text, ROOM);
    int result = size >= 0 ? oci_resources_parse(text, (size_t)size, out, err)
                           : err_set(err, (int)-size, "--resources: read %.200s:", path);
    if (result == 0)
        out->linux_.resources.device_rule_count = 0; /* as runc: they are not changed by this */
    free(text);
    return result;
}

static int change(struct oci_call *call, const struct oci_place *place, struct oci_state *state,
                  const struct oci_resources *resources, struct err *err)
{
    const struct oci_settings *set = &call->set;
    if (oci_state_status(place, state) == OCI_STATUS_STOPPED)
        return err_set(err, ESRCH, "the container %s has stopped", state->id);
    int result = oci_cgroup_update(&state->cgroup, resources, err);
    if (result == 0 && (set->l3_cache_schema != NULL || set->mem_bw_schema != NULL))
        result = oci_rdt_update(state->id, set->l3_cache_schema, set->mem_bw_schema, err);
    return result;
}

int oci_update(struct oci_call *call, struct err *err)
{
    struct oci_spec spec = {0};
    struct oci_state state = {0};
    struct oci_place place = {.dir = -1, .lock = -1};
    const char *file = call->set.resources;
    int result = file != NULL ? from_file(file, &spec, err)
                              : from_options(&call->set, &spec.linux_.resources, err);
    if (result == 0)
        result = oci_place_open(call->root, call->argv[0], true, &place, err);
    if (result == 0) {
        result = oci_state_load(&place, &state, err);
        if (result == 0)
            result = change(call, &place, &state, &spec.linux_.resources, err);
        oci_state_free(&state);
        oci_place_close(&place);
    }
    oci_spec_free(&spec);
    return result;
}
