/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of sandboxes that wait: parked ones (furnished, no request yet) and live ones (their
 * program blocks in read), beside the same number of bare processes of the program. Kernel and
 * user memory together, as the machine sees it: how much less of it is free. Writes memory.json.
 *
 * The count is taken at N at once and divided by N. Bare processes and sandboxes alternate; what
 * the machine does meanwhile is noise, so the count is large and the rounds are several.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "measure.h"
#include "sandbox.h"
#include "slabinfo.h"
#include "spawn.h"

#define SETTLE_US 1500000 /* what RCU frees later, and counters that CPUs keep for themselves */

static struct bench_options options;
static struct slabs slabs_before, slabs_after;
static char slabs_text[400]; /* of the last round's live sandboxes */
static struct measure bench = {
    .benchmark = "memory",
    .unit = "KiB each",
    .raw_unit = "bytes",
    .scale = 1024,
};

/* Fields of /proc/meminfo. */
enum field { FREE, BUFFERS, CACHED, SLAB, STACKS, PERCPU, FIELDS };
static const char *const field_name[FIELDS] = {
    "MemFree:", "Buffers:", "Cached:", "Slab:", "KernelStack:", "Percpu:"};
struct memory {
    int64_t bytes[FIELDS];
    int64_t pss, tables; /* of our own processes */
};

static int64_t value_of(const char *path, const char *key)
{
    char line[256];
    int64_t value = 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtoll(line + strlen(key), NULL, 10) * 1024;
    }
    if (file != NULL)
        fclose(file);
    return value;
}

/*
 * Adds up the processes that run one of our two programs. A zygote, its spawners and the first
 * processes of its sandboxes share one address space: it counts once.
 */
static void add_own(struct memory *memory)
{
    int zygotes = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
        char path[300];
        char program[256] = "";
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        if (fd_read_file_at(AT_FDCWD, path, program, sizeof(program)) <= 0)
            continue;
        int is_zygote = strcmp(program, "skerry-zygote\n") == 0;
        if (strcmp(program, "program\n") != 0 && strcmp(program, "bare-block\n") != 0 &&
            (!is_zygote || zygotes++ > 0))
            continue;
        snprintf(path, sizeof(path), "/proc/%s/smaps_rollup", entry->d_name);
        memory->pss += value_of(path, "Pss:");
        snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
        memory->tables += value_of(path, "VmPTE:");
    }
    if (proc != NULL)
        closedir(proc);
}

static struct memory memory_now(struct slabs *slabs)
{
    struct memory memory = {0};
    sleep_us(SETTLE_US);
    fd_write_file_at(AT_FDCWD, "/proc/sys/vm/drop_caches", "2"); /* others' dentries and inodes */
    for (int i = 0; i < FIELDS; i++)
        memory.bytes[i] = value_of("/proc/meminfo", field_name[i]);
    slabs_read(slabs);
    add_own(&memory);
    return memory;
}

/* The series of one state, e.g. "parked sandbox". */
enum part { ALL, ACCOUNTED, IN_SLAB, IN_STACKS, IN_PERCPU, IN_PSS, IN_TABLES, PARTS };
static const char *const part_name[PARTS] = {
    "all (less file cache)", "accounted",   "slab", "kernel stacks", "per CPU",
    "user memory (Pss)",     "page tables",
};
struct state {
    struct series *part[PARTS];
};

static struct state state_new(const char *name, int reference)
{
    struct state state;
    char text[128];
    for (int i = 0; i < PARTS; i++) {
        snprintf(text, sizeof(text), "%s: %s", name, part_name[i]);
        state.part[i] = series_new(&bench, text, reference && i == ACCOUNTED);
    }
    return state;
}

static void add(const struct state *state, const struct memory *before, const struct memory *after,
                size_t count)
{
    int64_t delta[FIELDS];
    int64_t each = (int64_t)count;
    for (int i = 0; i < FIELDS; i++)
        delta[i] = (after->bytes[i] - before->bytes[i]) / each;
    int64_t pss = (after->pss - before->pss) / each;
    int64_t tables = (after->tables - before->tables) / each;
    series_add(state->part[ALL], -(delta[FREE] + delta[BUFFERS] + delta[CACHED]));
    series_add(state->part[ACCOUNTED], delta[SLAB] + delta[STACKS] + delta[PERCPU] + pss + tables);
    series_add(state->part[IN_SLAB], delta[SLAB]);
    series_add(state->part[IN_STACKS], delta[STACKS]);
    series_add(state->part[IN_PERCPU], delta[PERCPU]);
    series_add(state->part[IN_PSS], pss);
    series_add(state->part[IN_TABLES], tables);
}

/* Each program writes one stamp when it runs: all do once these are read. */
static void wait_running(int out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (read_stamp(out) == 0)
            die("a program did not run");
    }
}

static void take_bare(const struct state *state, size_t count, int in, int out[2])
{
    char path[4096];
    pid_t *pids = reallocarray(NULL, count, sizeof(*pids));
    if (pids == NULL) {
        perror("room for the pids");
        exit(1);
    }
    snprintf(path, sizeof(path), "%s/bare-block", options.programs);
    struct memory before = memory_now(&slabs_before);
    int saved = dup(0);
    dup2(in, 0);
    for (size_t i = 0; i < count; i++)
        pids[i] = spawn(SPAWN_VFORK, (char *[]){path, NULL}, out[1]);
    dup2(saved, 0);
    close(saved);
    wait_running(out[0], count);
    struct memory after = memory_now(&slabs_after);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    for (size_t i = 0; i < count; i++)
        waitpid(pids[i], NULL, 0);
    free(pids);
    add(state, &before, &after, count);
}

static void take_sandboxes(const struct state *parked, const struct state *live, size_t count,
                           int in, int out[2])
{
    struct bench_sandbox sandbox;
    uint64_t sent;
    bench_sandbox_open(&sandbox, options.programs, "bare-block", 1, FUNCTION_NET_OWN, 0);
    struct memory before = memory_now(&slabs_before);
    bench_sandbox_slots(&sandbox, (uint32_t)count + 1);
    struct memory furnished = memory_now(&slabs_after);
    for (size_t i = 0; i < count; i++)
        bench_sandbox_start(&sandbox, in, out[1], &sent);
    wait_running(out[0], count);
    struct memory running = memory_now(&slabs_after);
    bench_sandbox_close(&sandbox);
    slabs_growth(&slabs_before, &slabs_after, count, slabs_text, sizeof(slabs_text));
    add(parked, &before, &furnished, count);
    add(live, &before, &running, count);
}

int main(int argc, char **argv)
{
    int in[2];
    int out[2];
    char title[160];
    bench_options(argc, argv, &options);
    size_t count = options.count ? options.count : 1000;
    size_t rounds = options.rest[0] ? strtoul(options.rest[0], NULL, 10) : 3;
    snprintf(title, sizeof(title), "memory of an idle sandbox, %zu at once", count);
    bench.title = title;
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        die("make a pipe:");
    struct state bare = state_new("bare process", 1);
    struct state parked = state_new("parked sandbox", 0);
    struct state live = state_new("live sandbox", 0);
    struct series *all = series_new(&bench, "live sandbox beyond the bare process: all", 0);
    struct series *accounted =
        series_new(&bench, "live sandbox beyond the bare process: accounted", 0);
    for (size_t i = 0; i < rounds; i++) {
        take_bare(&bare, count, in[0], out);
        take_sandboxes(&parked, &live, count, in[0], out);
        series_add(all, live.part[ALL]->sample[i] - bare.part[ALL]->sample[i]);
        series_add(accounted, live.part[ACCOUNTED]->sample[i] - bare.part[ACCOUNTED]->sample[i]);
    }
    snprintf(bench.note, sizeof(bench.note),
             "%zu live at once; beyond the program's own: %.1f KiB each accounted, %.1f by free "
             "memory (goal <= 100 KB). KiB of slab each: %s",
             count, (double)series_quantile(accounted, 0.5) / 1024,
             (double)series_quantile(all, 0.5) / 1024, slabs_text);
    measure_finish(&bench, &options);
    return 0;
}
