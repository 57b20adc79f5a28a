/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every benchmark needs: named series of samples, their quantiles, a table for people, and
 * one JSON file with every sample for machines.
 *
 * A benchmark takes its samples interleaved (A B A B ...), so that what disturbs the machine
 * disturbs all series alike, and it never passes or fails: it prints. Benchmarks are programs,
 * not a library: what goes wrong ends them with a sentence.
 */
#ifndef SKERRY_BENCH_MEASURE_H
#define SKERRY_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define SERIES_MAX 48

struct series {
    char name[80];
    int reference; /* what others are compared with */
    size_t count, room;
    int64_t *sample; /* in the order in which they were taken */
};

struct measure {
    const char *benchmark; /* also the name of the JSON file */
    const char *title;     /* a sentence: what is measured, from where to where */
    const char *unit;      /* of the table: "us" */
    const char *raw_unit;  /* of the samples: "ns" */
    double scale;          /* raw units in a unit */
    char note[1024];       /* what was observed beside the samples; may stay empty */
    size_t count;
    struct series series[SERIES_MAX];
};

struct bench_options {
    const char *out;      /* directory of the JSON; NULL: print only */
    const char *suffix;   /* of the JSON's name, for a second run under other conditions */
    const char *programs; /* directory of the programs that are started */
    const char *url;      /* HOST:PORT of a running daemon, or NULL */
    size_t count;         /* samples a series; 0: the benchmark's own choice */
    int cpu;              /* to pin to; -1: not pinned */
    char **rest;          /* what follows the options, NULL-terminated */
};

/* Parses -o DIR, -s SUFFIX, -p DIR, -u HOST:PORT, -n COUNT, -c CPU; ends the program on anything
 * else. */
void bench_options(int argc, char **argv, struct bench_options *out);

/* Prints "PROGRAM: text" on stderr and ends the program; a final ':' appends strerror(errno). */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Pins this process and what it starts to a CPU; -1: lets it run anywhere. */
void pin(int cpu);
void sleep_us(unsigned int us);

/* Adds an empty series; it stays valid for the life of the measure. The name is copied. */
struct series *series_new(struct measure *measure, const char *name, int reference);
void series_add(struct series *series, int64_t sample);
/* The q-quantile (0..1) of the samples; 0 when there are none. */
int64_t series_quantile(const struct series *series, double q);

/* Prints the table, and writes OUT/BENCHMARK.json when options->out is set. */
void measure_finish(const struct measure *measure, const struct bench_options *options);

#endif
