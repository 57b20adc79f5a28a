/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What system calls and plain computing cost where this runs: once on the host, once in a machine
 * of the vm tier (vm.sh). One line each: name, nanoseconds a call (median of rounds).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15
#define BLOCK  4096

static char block[BLOCK];
static int file = -1, ends[2];
static volatile uint64_t sink;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void get_pid(void)
{
    sink += (uint64_t)getppid();
}

static void read_block(void)
{
    sink += (uint64_t)pread(file, block, BLOCK, 0);
}

static void read_clock(void)
{
    sink += now_ns();
}

static void open_close(void)
{
    close(open("/tmp/skerry-vmcalls", O_RDONLY | O_CLOEXEC));
}

static void through_pipe(void)
{
    if (write(ends[1], block, 1) == 1)
        sink += (uint64_t)read(ends[0], block, 1);
}

static void compute(void)
{
    for (int i = 0; i < 1000000; i++)
        sink += (uint64_t)i;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, void (*what)(void), int count)
{
    double rounds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begun = now_ns();
        for (int i = 0; i < count; i++)
            what();
        rounds[round] = (double)(now_ns() - begun) / count;
    }
    qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
    printf("%s %.1f\n", name, rounds[ROUNDS / 2]);
}

int main(void)
{
    file = open("/tmp/skerry-vmcalls", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, block, BLOCK) != BLOCK || pipe2(ends, O_CLOEXEC) < 0)
        return 1;
    measure("getppid", get_pid, 20000);
    measure("pread-4096", read_block, 20000);
    measure("clock_gettime", read_clock, 20000);
    measure("open+close", open_close, 5000);
    measure("pipe-byte", through_pipe, 10000);
    measure("loop-1e6", compute, 20);
    unlink("/tmp/skerry-vmcalls");
    return 0;
}
