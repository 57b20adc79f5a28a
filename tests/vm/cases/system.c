// SPDX-License-Identifier: Apache-2.0
/* Clocks, ids, limits and what else a program asks the system. */
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>

#include "case.h"

static char buffer[4096];

CASE(clock_all)
{
    struct timespec a, b;
    T(clock_gettime(CLOCK_MONOTONIC, &a));
    T(clock_gettime(CLOCK_MONOTONIC, &b));
    OK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
    T(clock_gettime(CLOCK_REALTIME, &a));
    OK(a.tv_sec > 1600000000);
    OK(a.tv_nsec < 1000000000);
    T(clock_gettime(99, &a));
    T(clock_gettime(CLOCK_BOOTTIME, &a));
    T(clock_gettime(CLOCK_MONOTONIC_RAW, &a));
    T(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a));
    T(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a));
    T(clock_getres(CLOCK_MONOTONIC, &a));
    T(a.tv_nsec);
    T(clock_getres(CLOCK_REALTIME, NULL));
    T(clock_getres(99, &a));
}
CASE(clock_raw)
{
    struct timespec ts;
    struct timeval tv;
    T(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8));
    T(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
    T(syscall(SYS_gettimeofday, &tv, NULL));
    OK(tv.tv_usec < 1000000);
    OK(labs(syscall(SYS_time, NULL) - tv.tv_sec) <= 1);
    struct tms t;
    OK(times(&t) != -1);
    T(syscall(SYS_times, 8));
}
CASE(sleep_all)
{
    struct timespec ts = {0, 3000000}, a, b, left;
    clock_gettime(CLOCK_MONOTONIC, &a);
    T(nanosleep(&ts, &left));
    clock_gettime(CLOCK_MONOTONIC, &b);
    OK((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec >= 3000000);
    ts.tv_nsec = 1000000000;
    T(nanosleep(&ts, NULL));
    ts = (struct timespec){-1, 0};
    T(nanosleep(&ts, NULL));
    T(nanosleep((void *)8, NULL));
    b.tv_nsec += 1000000;
    if (b.tv_nsec >= 1000000000) {
        b.tv_sec++;
        b.tv_nsec -= 1000000000;
    }
    T(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &b, NULL));
    clock_gettime(CLOCK_MONOTONIC, &a);
    OK(a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec >= b.tv_nsec));
    T(clock_nanosleep(99, 0, &ts, NULL) == EINVAL);
    ts = (struct timespec){0, 0};
    T(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL));
}
CASE(uname_all)
{
    struct utsname u;
    T(uname(&u));
    puts(u.sysname);
    puts(u.machine);
    OK(strlen(u.release) > 0);
    OK(strlen(u.nodename) > 0);
    T(uname((void *)8));
    char name[65];
    T(gethostname(name, sizeof(name)));
    OK(!strcmp(name, u.nodename));
}
CASE(ids_all)
{
    OK(getpid() > 0);
    OK(getppid() >= 0);
    OK(getuid() == geteuid());
    OK(getgid() == getegid());
    uid_t a, b, c;
    T(getresuid(&a, &b, &c));
    OK(a == b && b == c);
    T(getresgid((void *)8, &b, &c));
    T(setuid(getuid()));
    T(setgid(getgid()));
    T(getpgid(0) == getpgrp());
    OK(getsid(0) > 0);
    T(getpgid(1 << 29));
    T(getgroups(-1, NULL));
}
CASE(random_all)
{
    memset(buffer, 0, 64);
    T(getrandom(buffer, 32, 0));
    int zero = 1;
    for (int i = 0; i < 32; i++)
        zero &= !buffer[i];
    OK(!zero);
    T(getrandom(buffer, 16, GRND_NONBLOCK));
    T(getrandom(buffer, 16, 99));
    T(getrandom((void *)8, 16, 0));
    T(getrandom(buffer, 0, 0));
    char other[32];
    getrandom(buffer, 32, 0);
    getrandom(other, 32, 0);
    OK(memcmp(buffer, other, 32));
}
CASE(limits_all)
{
    struct rlimit r;
    T(getrlimit(RLIMIT_NOFILE, &r));
    OK(r.rlim_cur >= 256 && r.rlim_cur <= r.rlim_max);
    r.rlim_cur = 64;
    T(setrlimit(RLIMIT_NOFILE, &r));
    int fd, last = 0;
    while ((fd = dup(0)) >= 0)
        last = fd;
    T(last);
    T(errno == EMFILE);
    T(getrlimit(99, &r));
    r = (struct rlimit){10, 5};
    T(setrlimit(RLIMIT_CPU, &r));
    T(getrlimit(RLIMIT_STACK, &r));
    T(getrlimit(RLIMIT_CORE, (void *)8));
    T(prlimit(0, RLIMIT_NOFILE, NULL, &r));
    T((long)r.rlim_cur);
    T(prlimit(1 << 29, RLIMIT_NOFILE, NULL, &r));
}
CASE(rusage_all)
{
    struct rusage u;
    T(getrusage(RUSAGE_SELF, &u));
    OK(u.ru_maxrss > 0);
    T(getrusage(RUSAGE_THREAD, &u));
    T(getrusage(99, &u));
    T(getrusage(RUSAGE_SELF, (void *)8));
}
CASE(sysinfo_all)
{
    struct sysinfo s;
    T(sysinfo(&s));
    OK(s.totalram > 0);
    OK(s.freeram <= s.totalram);
    OK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    T(sysconf(_SC_PAGESIZE));
    OK(sysconf(_SC_PHYS_PAGES) > 100);
    T(sysconf(_SC_CLK_TCK));
    T(sysinfo((void *)8));
}
CASE(prctl_all)
{
    char name[20] = {0};
    T(prctl(PR_SET_NAME, "a-rather-long-thread-name", 0, 0, 0));
    T(prctl(PR_GET_NAME, name, 0, 0, 0));
    puts(name);
    T(prctl(PR_SET_NAME, 8, 0, 0, 0));
    T(prctl(9999, 0, 0, 0, 0));
    T(prctl(PR_SET_PDEATHSIG, 99, 0, 0, 0));
    T(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    T(prctl(PR_SET_DUMPABLE, 5, 0, 0, 0));
    T(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    T(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
}
CASE(unknown_call)
{
    T(syscall(480));
    T(syscall(1000));
    T(syscall(-1));
    T(syscall(SYS_getpid) == getpid());
    T(syscall(SYS_tuxcall));
    T(syscall(SYS_nfsservctl));
}
CASE(arch_prctl_all)
{
    unsigned long base = 0;
    T(syscall(SYS_arch_prctl, 0x1003, &base));
    OK(base != 0);
    T(syscall(SYS_arch_prctl, 0x9999, 0));
    T(syscall(SYS_arch_prctl, 0x1003, 8));
    T(syscall(SYS_arch_prctl, 0x1001, 0x1234));
    T(syscall(SYS_arch_prctl, 0x1004, &base));
    T((long)base);
}
CASE(umask_all)
{
    T(umask(0777));
    T(umask(022));
    T(umask(01777));
    T(umask(0));
}
CASE(exit_status)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    puts("bye");
    _exit(300);
}
CASE(exit_handlers)
{
    atexit((void (*)(void))abort);
    puts("quick");
    fflush(stdout);
    _exit(0);
}
CASE(environment)
{
    OK(getenv("PATH") != NULL);
    setenv("X", "y", 1);
    puts(getenv("X"));
    OK(getenv("NOTHING_OF_THAT_NAME") == NULL);
}
CASE(stdin_ended)
{
    T(read(0, buffer, 10));
    T(read(0, buffer, 10));
    T(write(0, "x", 1));
    T(lseek(0, 0, SEEK_CUR));
}
CASE(stdout_ends)
{
    struct stat st;
    T(fstat(1, &st));
    OK(S_ISFIFO(st.st_mode));
    T(lseek(1, 0, SEEK_CUR));
    T(write(1, "", 0));
    T(isatty(1));
    T(read(1, buffer, 1));
}
CASE(stdout_large)
{
    for (int i = 0; i < 3000; i++)
        printf("%06d: a line of output that is long enough to fill rings and pipes\n", i);
}
CASE(stderr_mixed)
{
    for (int i = 0; i < 20; i++) {
        fprintf(i % 2 ? stderr : stdout, "%d\n", i);
        fflush(stdout);
    }
}
CASE(dev_stdout)
{
    int fd = open("/dev/stdout", O_WRONLY);
    OK(fd >= 0);
    T(write(fd, "direct\n", 7));
    fd = open("/proc/self/fd/1", O_WRONLY | O_APPEND);
    T(write(fd, "again\n", 6));
    case_file("f", "x");
    T(open("/dev/fd/99", O_RDONLY));
}
CASE(float_math)
{
    volatile double a = 0.1, b = 0.2;
    printf("%.17g\n", a + b);
    volatile float f = 16777216.0f;
    printf("%.9g\n", (double)(f + 1.0f));
    printf("%.3f\n", 1e10 / 3);
}
CASE(printf_malloc)
{
    char *s = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&s, &n);
    for (int i = 0; i < 1000; i++)
        fprintf(f, "%d,", i);
    fclose(f);
    T((long)n);
    puts(s + n - 8);
    free(s);
}
CASE(time_zone)
{
    time_t t = 86400 * 365;
    struct tm *tm = gmtime(&t);
    strftime(buffer, sizeof(buffer), "%Y-%m-%d %H:%M:%S", tm);
    puts(buffer);
}
CASE(personality_all)
{
    OK(syscall(SYS_personality, 0xffffffff) >= 0);
}
CASE(priority_all)
{
    errno = 0;
    T(getpriority(PRIO_PROCESS, 0));
    T(getpriority(9, 0));
    T(getpriority(PRIO_PROCESS, 1 << 29));
    T(setpriority(PRIO_PROCESS, 0, 0));
}
CASE(membarrier_all)
{
    OK(syscall(SYS_membarrier, 0, 0, 0) > 0);
    T(syscall(SYS_membarrier, 0, 1, 0));
    T(syscall(SYS_membarrier, 1 << 20, 0, 0));
}
CASE(personality_one)
{
    T(personality(0xffffffff));
    T(personality(0));
    T(personality(0xffffffff));
}
CASE(sync_and_yield)
{
    T(syscall(SYS_sched_yield));
    T(syscall(SYS_sched_yield, 1, 2, 3));
    sync();
    T(syscall(SYS_syncfs, 99));
    T(syscall(SYS_fdatasync, 99));
    T(syscall(SYS_fdatasync, 0));
}
