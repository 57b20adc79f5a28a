/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the start of a libc-free program to the moment its exit is seen: in our sandboxes, without
 * isolation, and by other projects' commands. Writes exit.json.
 *
 * Peers are given on the command line, each as one argument "NAME=COUNT:PROGRAM ARGS..." (words
 * are split at spaces); COUNT of them run, spread evenly over the run. A peer's namespace of
 * mounts may be another (some refuse this machine's cgroup mounts): BENCH_PEER_MOUNTS names it.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "measure.h"
#include "sandbox.h"
#include "spawn.h"

#define PEERS_MAX 16
#define WORDS_MAX 64
#define SETTLE_US 1000 /* what a sample leaves behind is done by then */

struct peer {
    char *words[WORDS_MAX + 1];
    size_t count;
    struct series *series;
};

static struct bench_options options;
static struct bench_sandbox pool, one;
static struct peer peers[PEERS_MAX];
static size_t peer_count;
static int peer_mounts = -1;
static int null_fd;

static struct measure exit_bench = {
    .benchmark = "exit",
    .title = "start of a libc-free program to its exit seen by the starter",
    .unit = "us",
    .raw_unit = "ns",
    .scale = 1000,
};

static void parse_peer(char *text)
{
    if (peer_count == PEERS_MAX)
        die("more than %d peers", PEERS_MAX);
    struct peer *peer = &peers[peer_count++];
    char *equals = strchr(text, '=');
    char *colon = equals ? strchr(equals, ':') : NULL;
    if (colon == NULL)
        die("%s is not NAME=COUNT:PROGRAM ARGS", text);
    *equals = *colon = '\0';
    peer->series = series_new(&exit_bench, text, 0);
    peer->count = strtoul(equals + 1, NULL, 10);
    size_t words = 0;
    for (char *word = strtok(colon + 1, " "); word != NULL && words < WORDS_MAX;
         word = strtok(NULL, " "))
        peer->words[words++] = word;
}

static void run_peer(struct peer *peer)
{
    uint64_t begun = clock_now_ns();
    pid_t pid = fork();
    if (pid == 0) {
        if (peer_mounts >= 0 && setns(peer_mounts, CLONE_NEWNS) < 0)
            _exit(126);
        dup2(null_fd, 0);
        dup2(null_fd, 1);
        execv(peer->words[0], peer->words);
        _exit(127);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        die("run %s:", peer->words[0]);
    uint64_t ended = clock_now_ns();
    if (status != 0)
        die("%s failed with wait status %d", peer->series->name, status);
    series_add(peer->series, (int64_t)(ended - begun));
}

static void take_spawned(struct series *series, enum spawn_way way)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/bare", options.programs);
    struct spawned result = spawn_timed(way, (char *[]){path, NULL});
    series_add(series, (int64_t)(result.ended_ns - result.begun_ns));
}

static void take_pooled(struct series *series)
{
    uint64_t sent;
    bench_sandbox_start(&pool, -1, -1, &sent);
    struct exit_report report = bench_sandbox_await(&pool);
    uint64_t seen = clock_now_ns();
    if (report.flags & REPORT_POOLED)
        series_add(series, (int64_t)(seen - sent));
}

/* Everything of one sandbox, in a row: the rate of a slot that is never idle. */
static void take_whole(struct series *series)
{
    uint64_t sent;
    bench_sandbox_start(&one, -1, -1, &sent);
    bench_sandbox_start(&one, -1, -1, &sent);
    struct exit_report first = bench_sandbox_await(&one);
    bench_sandbox_await(&one);
    series_add(series, (int64_t)(clock_now_ns() - first.exit_ns));
}

int main(int argc, char **argv)
{
    bench_options(argc, argv, &options);
    size_t count = options.count ? options.count : 2000;
    struct series *vforked = series_new(&exit_bench, "vfork+exec, no isolation", 1);
    struct series *forked = series_new(&exit_bench, "fork+exec, no isolation", 1);
    struct series *pooled = series_new(&exit_bench, "skerry, sandbox from the pool", 0);
    struct series *whole = series_new(&exit_bench, "skerry, clean the last, furnish, run", 0);
    for (char **text = options.rest; *text != NULL; text++)
        parse_peer(*text);
    const char *mounts = getenv("BENCH_PEER_MOUNTS");
    if (mounts != NULL && (peer_mounts = open(mounts, O_RDONLY | O_CLOEXEC)) < 0)
        die("open %s:", mounts);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    pin(options.cpu);
    bench_sandbox_open(&pool, options.programs, "bare", 4, FUNCTION_NET_OWN, 0);
    bench_sandbox_open(&one, options.programs, "bare", 1, FUNCTION_NET_OWN, 0);
    for (size_t i = 0; i < count; i++) {
        sleep_us(SETTLE_US);
        take_spawned(vforked, SPAWN_VFORK);
        sleep_us(SETTLE_US);
        take_spawned(forked, SPAWN_FORK);
        sleep_us(SETTLE_US);
        take_pooled(pooled);
        sleep_us(SETTLE_US);
        take_whole(whole);
        for (size_t p = 0; p < peer_count; p++) {
            if (i * peers[p].count / count == (i + 1) * peers[p].count / count)
                continue;
            sleep_us(SETTLE_US);
            run_peer(&peers[p]);
        }
    }
    bench_sandbox_close(&pool);
    bench_sandbox_close(&one);
    size_t used = 0;
    double p50 = (double)series_quantile(pooled, 0.5);
    for (size_t p = 0; p < peer_count; p++)
        used += (size_t)snprintf(exit_bench.note + used, sizeof(exit_bench.note) - used,
                                 "%s %s: %.0fx of ours", p ? ";" : "", peers[p].series->name,
                                 (double)series_quantile(peers[p].series, 0.5) / p50);
    measure_finish(&exit_bench, &options);
    return 0;
}
