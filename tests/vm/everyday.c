// SPDX-License-Identifier: Apache-2.0
/* What any program of any libc does at least: vm-programs.bats links it in six ways. With "clocks"
 * it reads the clocks very often, which must make no calls. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>

#define THREADS 10
#define READS   100000
#define BLOCK   (20u << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int own;
static int sum;
static volatile sig_atomic_t seen;

static void *add(void *number)
{
    own = (int)(long)number;
    pthread_mutex_lock(&lock);
    sum += own;
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void on_signal(int number)
{
    seen = number;
}

static long long now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int clocks(void)
{
    struct timeval day;
    int back = 0;
    long long before = 0, real = now_ns(CLOCK_REALTIME);
    for (int i = 0; i < READS; i++) {
        long long now = now_ns(CLOCK_MONOTONIC);
        back |= now < before;
        before = now;
    }
    gettimeofday(&day, NULL);
    long long later = day.tv_sec - real / 1000000000;
    printf("%d %d %d\n", getauxval(AT_SYSINFO_EHDR) != 0, back,
           later >= 0 && time(NULL) >= day.tv_sec);
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    char line[64] = "";
    if (argc > 1 && strcmp(argv[1], "clocks") == 0)
        return clocks();
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    FILE *file = fopen("/tmp/f", "w");
    fprintf(file, "%d %.3f", sum, 1.0 / 3);
    fclose(file);
    file = fopen("/tmp/f", "r");
    if (fgets(line, sizeof(line), file) == NULL)
        return 1;
    long long begun = now_ns(CLOCK_MONOTONIC);
    nanosleep(&(struct timespec){0, 1000000}, NULL);
    int slept = now_ns(CLOCK_MONOTONIC) - begun >= 1000000;
    char *block = malloc(BLOCK);
    memset(block, 1, BLOCK);
    printf("%d %s %s %s %d %d\n", argc, argv[1], getenv("HOME"), line, seen == SIGUSR1, slept);
    return 3;
}
