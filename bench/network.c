/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network made at the start against one made at the first socket, for a program that opens a
 * socket and for one that does not. Writes network.json.
 *
 * The program that opens a socket does it as its first act and reads the clock after it, so that
 * its "first instruction" has the socket in it. The eager variant is fork, a network namespace with
 * lo up, exec; beside it the same fork and exec without one: the difference is what an eager
 * sandbox adds to each start. Ours are sandboxes from the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "inline.h"
#include "measure.h"
#include "sandbox.h"
#include "spawn.h"

#define SETTLE_US 1000

static struct bench_options options;
static struct measure bench = {
    .benchmark = "network",
    .title =
        "a network at the start or at the first socket: start to first instruction, and to exit",
    .unit = "us",
    .raw_unit = "ns",
    .scale = 1000,
};

struct pair {
    struct series *first, *ended;
};

static struct pair pair_new(const char *name, int reference)
{
    char text[128];
    struct pair pair;
    snprintf(text, sizeof(text), "%s: to first instruction", name);
    pair.first = series_new(&bench, text, reference);
    snprintf(text, sizeof(text), "%s: to exit seen", name);
    pair.ended = series_new(&bench, text, reference);
    return pair;
}

static void add(const struct pair *pair, uint64_t begun, uint64_t first, uint64_t ended)
{
    series_add(pair->first, (int64_t)(first - begun));
    series_add(pair->ended, (int64_t)(ended - begun));
}

static void take_forked(const struct pair *pair, char *program, int with_network)
{
    char *const argv[] = {program, NULL};
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        die("make a pipe:");
    sleep_us(SETTLE_US);
    uint64_t begun = clock_now_ns();
    pid_t pid = fork();
    if (pid == 0) {
        if (with_network)
            inline_net_lo();
        dup2(out[1], 1);
        execv(program, argv);
        _exit(127);
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    uint64_t ended = clock_now_ns();
    close(out[1]);
    uint64_t first = read_stamp(out[0]);
    close(out[0]);
    if (status != 0 || first == 0)
        die("%s failed: wait status %d", program, status);
    add(pair, begun, first, ended);
}

static void take_sandbox(const struct pair *pair, struct bench_sandbox *sandbox)
{
    int out[2];
    uint64_t sent;
    if (pipe2(out, O_CLOEXEC) < 0)
        die("make a pipe:");
    sleep_us(SETTLE_US);
    bench_sandbox_start(sandbox, -1, out[1], &sent);
    bench_sandbox_await(sandbox);
    uint64_t seen = clock_now_ns();
    close(out[1]);
    uint64_t first = read_stamp(out[0]);
    close(out[0]);
    add(pair, sent, first, seen);
}

int main(int argc, char **argv)
{
    struct bench_sandbox none, quiet, talker;
    char bare[4096];
    char socket[4096];
    bench_options(argc, argv, &options);
    size_t count = options.count ? options.count : 500;
    snprintf(bare, sizeof(bare), "%s/bare", options.programs);
    snprintf(socket, sizeof(socket), "%s/bare-socket", options.programs);
    pin(options.cpu);
    bench_sandbox_open(&none, options.programs, "bare", 4, FUNCTION_NET_NONE, 0);
    bench_sandbox_open(&quiet, options.programs, "bare", 4, FUNCTION_NET_OWN, 0);
    bench_sandbox_open(&talker, options.programs, "bare-socket", 4, FUNCTION_NET_OWN, 0);
    struct pair plain[2] = {pair_new("fork+exec, no socket", 1),
                            pair_new("fork+exec, a socket", 1)};
    struct pair eager[2] = {pair_new("fork+netns+exec, no socket", 0),
                            pair_new("fork+netns+exec, a socket", 0)};
    struct pair refused = pair_new("skerry --net none, no socket", 0);
    struct pair lazy[2] = {pair_new("skerry --net own, no socket", 0),
                           pair_new("skerry --net own, a socket", 0)};
    for (size_t i = 0; i < count; i++) {
        take_forked(&plain[0], bare, 0);
        take_forked(&plain[1], socket, 0);
        take_forked(&eager[0], bare, 1);
        take_forked(&eager[1], socket, 1);
        take_sandbox(&refused, &none);
        take_sandbox(&lazy[0], &quiet);
        take_sandbox(&lazy[1], &talker);
    }
    bench_sandbox_close(&none);
    bench_sandbox_close(&quiet);
    bench_sandbox_close(&talker);
    measure_finish(&bench, &options);
    return 0;
}
