/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the start of a program to its first instruction: in a sandbox from the pool, in one that
 * must be made first, through the whole daemon over HTTP; beside fork+exec and vfork+exec of the
 * same file. Writes start.json (each start alone), start-busy.json (back to back), start-idle.json
 * (after idleness) and stages.json.
 *
 * A start is counted from just before the call that begins it (fork, the start message's sendmsg,
 * the request's write); the end is read by the program itself, as its first act. Pipes exist
 * before, in every variant. With one CPU to run on, nothing waits for another core to wake.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http.h"
#include "measure.h"
#include "sandbox.h"
#include "spawn.h"

#define SETTLE_US 1000  /* what a sample leaves behind (a refill, a clean-up) is done by then */
#define IDLE_US   20000 /* the CPU has slept, its caches are others' */
#define BATCH     50    /* starts of one kind in a row, where they are back to back */

static struct bench_options options;
static struct bench_sandbox pool, one, anew; /* anew: nothing is kept from one start to the next */
static int sock = -1;

static struct measure start_bench = {
    .benchmark = "start",
    .title = "start to first user instruction of a libc-free program, each alone, 1 ms apart",
    .unit = "us",
    .raw_unit = "ns",
    .scale = 1000,
};
static struct measure busy_bench = {
    .benchmark = "start-busy",
    .title = "start to first user instruction of a libc-free program, back to back, 50 in a row",
    .unit = "us",
    .raw_unit = "ns",
    .scale = 1000,
};
static struct measure idle_bench = {
    .benchmark = "start-idle",
    .title = "start to first user instruction of a libc-free program, after 20 ms of idleness",
    .unit = "us",
    .raw_unit = "ns",
    .scale = 1000,
};
static struct measure stages = {
    .benchmark = "stages",
    .title = "where a start's time goes",
    .unit = "us",
    .raw_unit = "ns",
    .scale = 1000,
};

enum variant { FORK, VFORK, POOLED, DRAINED, ANEW, DAEMON, ROUND_TRIP, VARIANTS };
static const char *const variant_name[VARIANTS] = {
    [FORK] = "fork+exec, no isolation",
    [VFORK] = "vfork+exec, no isolation",
    [POOLED] = "sandbox from the pool: start message to first instruction",
    [DRAINED] =
        "sandbox furnished for the start, in kept namespaces: last exit to first instruction",
    [ANEW] = "sandbox made for the start, nothing kept: last exit to first instruction",
    [DAEMON] = "daemon: HTTP request to first instruction",
    [ROUND_TRIP] = "daemon: HTTP request to whole response",
};

enum stage_series {
    P_TAKEN,
    P_EXEC,
    P_FIRST,
    P_EXIT,
    P_SEEN,
    D_CLEANED,
    D_FURNISH_BEGIN,
    D_CLONE,
    D_FURNISH,
    D_TAKEN,
    D_EXEC,
    D_FIRST,
    D_EXIT,
    STAGE_SERIES
};
static const char *const stage_name_of[STAGE_SERIES] = {
    [P_TAKEN] = "pooled: sent to taken",
    [P_EXEC] = "pooled: taken to exec",
    [P_FIRST] = "pooled: exec to first instruction",
    [P_EXIT] = "pooled: first instruction to exit",
    [P_SEEN] = "pooled: exit to report received",
    [D_CLEANED] = "made: the last sandbox's mounts dropped",
    [D_FURNISH_BEGIN] = "made: last exit to clone",
    [D_CLONE] = "made: clone",
    [D_FURNISH] = "made: furnish",
    [D_TAKEN] = "made: furnished to taken",
    [D_EXEC] = "made: taken to exec",
    [D_FIRST] = "made: exec to first instruction",
    [D_EXIT] = "made: first instruction to exit",
};
static struct series *stage_series[STAGE_SERIES];

static void add(struct series *series, uint64_t from, uint64_t to)
{
    series_add(series, (int64_t)(to - from));
}

static void take_spawned(struct series *series, enum spawn_way way)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/bare", options.programs);
    struct spawned result = spawn_timed(way, (char *[]){path, NULL});
    if (result.first_ns == 0)
        die("%s wrote nothing", path);
    add(series, result.begun_ns, result.first_ns);
}

static void take_pooled(struct series *series, int with_stages)
{
    int out[2];
    uint64_t sent;
    if (pipe2(out, O_CLOEXEC) < 0)
        die("make a pipe:");
    bench_sandbox_start(&pool, -1, out[1], &sent);
    struct exit_report report = bench_sandbox_await(&pool);
    uint64_t seen = clock_now_ns();
    close(out[1]);
    uint64_t first = read_stamp(out[0]);
    close(out[0]);
    if (!(report.flags & REPORT_POOLED))
        return; /* its slot was not furnished yet: counted by the other variant */
    add(series, sent, first);
    if (!with_stages)
        return;
    add(stage_series[P_TAKEN], sent, report.taken_ns);
    add(stage_series[P_EXEC], report.taken_ns, report.exec_ns);
    add(stage_series[P_FIRST], report.exec_ns, first);
    add(stage_series[P_EXIT], first, report.exit_ns);
    add(stage_series[P_SEEN], report.exit_ns, seen);
}

/* Two starts for one slot: the second waits until the first is gone and its own sandbox made. */
static void take_drained(struct bench_sandbox *sandbox, struct series *series, int with_stages)
{
    int out[2];
    uint64_t sent;
    if (pipe2(out, O_CLOEXEC) < 0)
        die("make a pipe:");
    bench_sandbox_start(sandbox, -1, -1, &sent);
    bench_sandbox_start(sandbox, -1, out[1], &sent);
    struct exit_report last = bench_sandbox_await(sandbox);
    struct exit_report report = bench_sandbox_await(sandbox);
    close(out[1]);
    uint64_t first = read_stamp(out[0]);
    close(out[0]);
    add(series, last.exit_ns, first);
    if (!with_stages)
        return;
    series_add(stage_series[D_CLEANED], (int64_t)report.prev_cleaned_ns);
    add(stage_series[D_FURNISH_BEGIN], last.exit_ns, report.clone_ns);
    add(stage_series[D_CLONE], report.clone_ns, report.cloned_ns);
    add(stage_series[D_FURNISH], report.cloned_ns, report.furnished_ns);
    add(stage_series[D_TAKEN], report.furnished_ns, report.taken_ns);
    add(stage_series[D_EXEC], report.taken_ns, report.exec_ns);
    add(stage_series[D_FIRST], report.exec_ns, first);
    add(stage_series[D_EXIT], first, report.exit_ns);
}

static void take_daemon(struct series *to_first, struct series *round_trip)
{
    struct timespec stamp;
    uint64_t begun = clock_now_ns();
    http_send(sock, "/function/bare");
    size_t size = http_receive(sock, &stamp, sizeof(stamp));
    uint64_t ended = clock_now_ns();
    if (size != sizeof(stamp))
        die("the daemon's answer has %zu bytes", size);
    add(to_first, begun, (uint64_t)stamp.tv_sec * NS_PER_SEC + (uint64_t)stamp.tv_nsec);
    add(round_trip, begun, ended);
}

static void take(enum variant variant, struct series **series, int with_stages)
{
    if (variant == FORK || variant == VFORK)
        take_spawned(series[variant], variant == FORK ? SPAWN_FORK : SPAWN_VFORK);
    else if (variant == POOLED)
        take_pooled(series[variant], with_stages);
    else if (variant == DRAINED)
        take_drained(&one, series[variant], 0);
    else if (variant == ANEW)
        take_drained(&anew, series[variant], with_stages);
    else if (sock >= 0)
        take_daemon(series[DAEMON], series[ROUND_TRIP]);
}

/* count samples of each kind, `batch` in a row, with a pause before each such batch. */
static void run(struct measure *measure, size_t count, size_t batch, unsigned int pause_us,
                int with_stages)
{
    struct series *series[VARIANTS];
    for (int i = 0; i < VARIANTS; i++)
        series[i] = series_new(measure, variant_name[i], i == FORK || i == VFORK);
    for (size_t i = 0; i < count; i += batch) {
        for (enum variant v = FORK; v <= DAEMON; v++) {
            sleep_us(pause_us);
            for (size_t k = 0; k < batch; k++)
                take(v, series, with_stages);
        }
    }
    double p50 = (double)series_quantile(series[POOLED], 0.5);
    double fork = (double)series_quantile(series[FORK], 0.5);
    int used =
        snprintf(measure->note, sizeof(measure->note),
                 "from the pool: %.2fx of fork+exec (goal <= 1.0x), p99/p50 %.1f (goal <= 5)",
                 p50 / fork, (double)series_quantile(series[POOLED], 0.99) / p50);
    p50 = (double)series_quantile(series[DAEMON], 0.5);
    if (p50 > 0)
        snprintf(measure->note + used, sizeof(measure->note) - (size_t)used,
                 "; through the daemon: %.2fx, p99/p50 %.1f", p50 / fork,
                 (double)series_quantile(series[DAEMON], 0.99) / p50);
    measure_finish(measure, &options);
}

int main(int argc, char **argv)
{
    bench_options(argc, argv, &options);
    size_t count = options.count ? options.count : 3000;
    pin(options.cpu);
    bench_sandbox_open(&pool, options.programs, "bare", 4, FUNCTION_NET_OWN, 0);
    bench_sandbox_open(&one, options.programs, "bare", 1, FUNCTION_NET_OWN, 0);
    bench_sandbox_open(&anew, options.programs, "bare", 1, FUNCTION_NET_OWN, FUNCTION_RENEW_ALL);
    if (options.url != NULL)
        sock = http_connect(options.url);
    for (int i = 0; i < STAGE_SERIES; i++)
        stage_series[i] = series_new(&stages, stage_name_of[i], 0);
    run(&start_bench, count, 1, SETTLE_US, 1);
    measure_finish(&stages, &options);
    run(&busy_bench, count, BATCH, SETTLE_US, 0);
    run(&idle_bench, count / 10, 1, IDLE_US, 0);
    bench_sandbox_close(&pool);
    bench_sandbox_close(&one);
    bench_sandbox_close(&anew);
    return 0;
}
