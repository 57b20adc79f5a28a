/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...)
{
    int code = errno;
    va_list args;
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    if (format[0] != '\0' && format[strlen(format) - 1] == ':')
        fprintf(stderr, " %s", strerror(code));
    fputc('\n', stderr);
    exit(1);
}

void bench_options(int argc, char **argv, struct bench_options *out)
{
    *out = (struct bench_options){.cpu = -1, .suffix = "", .programs = BENCH_PROGRAMS};
    for (int option; (option = getopt(argc, argv, "+o:s:p:u:n:c:")) != -1;) {
        switch (option) {
        case 'o':
            out->out = optarg;
            break;
        case 's':
            out->suffix = optarg;
            break;
        case 'p':
            out->programs = optarg;
            break;
        case 'u':
            out->url = optarg;
            break;
        case 'n':
            out->count = strtoul(optarg, NULL, 10);
            break;
        case 'c':
            out->cpu = (int)strtol(optarg, NULL, 10);
            break;
        default:
            die("usage: %s [-o OUT] [-s SUFFIX] [-p PROGRAMS] [-u HOST:PORT] [-n COUNT] [-c CPU] "
                "...",
                argv[0]);
        }
    }
    out->rest = argv + optind;
}

void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < (int)sysconf(_SC_NPROCESSORS_CONF); i++) {
        if (cpu < 0 || cpu == i)
            CPU_SET((size_t)i, &set);
    }
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        die("pin to CPU %d:", cpu);
}

void sleep_us(unsigned int us)
{
    struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

struct series *series_new(struct measure *measure, const char *name, int reference)
{
    if (measure->count == SERIES_MAX)
        die("more than %d series", SERIES_MAX);
    struct series *series = &measure->series[measure->count++];
    *series = (struct series){.reference = reference};
    snprintf(series->name, sizeof(series->name), "%s", name);
    return series;
}

void series_add(struct series *series, int64_t sample)
{
    if (series->count == series->room) {
        series->room = series->room ? series->room * 2 : 1024;
        series->sample = reallocarray(series->sample, series->room, sizeof(*series->sample));
        if (series->sample == NULL)
            die("out of memory");
    }
    series->sample[series->count++] = sample;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t series_quantile(const struct series *series, double q)
{
    if (series->count == 0)
        return 0;
    int64_t *sorted = reallocarray(NULL, series->count, sizeof(*sorted));
    if (sorted == NULL)
        die("out of memory");
    memcpy(sorted, series->sample, series->count * sizeof(*sorted));
    qsort(sorted, series->count, sizeof(*sorted), compare);
    int64_t value = sorted[(size_t)(q * (double)(series->count - 1) + 0.5)];
    free(sorted);
    return value;
}

static const struct series *first_reference(const struct measure *measure)
{
    for (size_t i = 0; i < measure->count; i++) {
        if (measure->series[i].reference && measure->series[i].count > 0)
            return &measure->series[i];
    }
    return NULL;
}

static void print_table(const struct measure *measure, const struct bench_options *options)
{
    const struct series *reference = first_reference(measure);
    double base = reference ? (double)series_quantile(reference, 0.5) : 0;
    printf("\n%s%s: %s\n", measure->benchmark, options->suffix, measure->title);
    printf("  %-58s %7s %10s %10s %10s %10s %8s\n", measure->unit, "n", "min", "median", "p99",
           "max", "x ref");
    for (size_t i = 0; i < measure->count; i++) {
        const struct series *s = &measure->series[i];
        if (s->count == 0)
            continue;
        printf("%c %-58s %7zu %10.1f %10.1f %10.1f %10.1f", s->reference ? '*' : ' ', s->name,
               s->count, (double)series_quantile(s, 0) / measure->scale,
               (double)series_quantile(s, 0.5) / measure->scale,
               (double)series_quantile(s, 0.99) / measure->scale,
               (double)series_quantile(s, 1) / measure->scale);
        if (base > 0)
            printf(" %8.2f", (double)series_quantile(s, 0.5) / base);
        putchar('\n');
    }
    if (reference)
        printf("  * a reference of the same run; the ratios are to the median of the first\n");
    if (measure->note[0] != '\0')
        printf("  %s\n", measure->note);
    fflush(stdout);
}

static void write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', file);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, file);
    }
    fputc('"', file);
}

static void write_head(FILE *file, const struct measure *measure,
                       const struct bench_options *options)
{
    struct utsname name;
    double load[3] = {0};
    char when[32];
    time_t now = time(NULL);
    const char *commit = getenv("BENCH_COMMIT");
    const char *model = getenv("BENCH_CPU_MODEL");
    uname(&name);
    getloadavg(load, 3);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    fprintf(file, "{\"benchmark\":\"%s%s\",\n\"title\":", measure->benchmark, options->suffix);
    write_text(file, measure->title);
    fprintf(file, ",\n\"when\":\"%s\",\"commit\":", when);
    write_text(file, commit ? commit : "unknown");
    fprintf(file, ",\"kernel\":");
    write_text(file, name.release);
    fprintf(file, ",\"cpu\":");
    write_text(file, model ? model : "unknown");
    fprintf(file, ",\"cpus\":%ld,\"pinned_to\":%d,\"load_average\":[%.2f,%.2f,%.2f],\n",
            sysconf(_SC_NPROCESSORS_ONLN), options->cpu, load[0], load[1], load[2]);
    fprintf(file, "\"unit\":\"%s\",\"raw_unit\":\"%s\",\"scale\":%.0f,\"note\":", measure->unit,
            measure->raw_unit, measure->scale);
    write_text(file, measure->note);
    fprintf(file, ",\n\"series\":[");
}

static void write_series(FILE *file, const struct series *s, double scale, int first)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += (double)s->sample[i];
    fprintf(file, "%s\n{\"name\":", first ? "" : ",");
    write_text(file, s->name);
    fprintf(file,
            ",\"reference\":%s,\"n\":%zu,\"min\":%.2f,\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,"
            "\"max\":%.2f,\"mean\":%.2f,\n \"samples\":[",
            s->reference ? "true" : "false", s->count, (double)series_quantile(s, 0) / scale,
            (double)series_quantile(s, 0.5) / scale, (double)series_quantile(s, 0.9) / scale,
            (double)series_quantile(s, 0.99) / scale, (double)series_quantile(s, 1) / scale,
            s->count ? sum / (double)s->count / scale : 0);
    for (size_t i = 0; i < s->count; i++)
        fprintf(file, "%s%lld", i ? "," : "", (long long)s->sample[i]);
    fprintf(file, "]}");
}

void measure_finish(const struct measure *measure, const struct bench_options *options)
{
    print_table(measure, options);
    if (options->out == NULL)
        return;
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s%s.json", options->out, measure->benchmark, options->suffix);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        die("write %s:", path);
    write_head(file, measure, options);
    int first = 1;
    for (size_t i = 0; i < measure->count; i++) {
        if (measure->series[i].count == 0)
            continue;
        write_series(file, &measure->series[i], measure->scale, first);
        first = 0;
    }
    fprintf(file, "\n]}\n");
    if (fclose(file) != 0)
        die("write %s:", path);
}
