// SPDX-License-Identifier: Apache-2.0
/* Signals and timers. */
#include <setjmp.h>
#include <sys/time.h>
#include <ucontext.h>

#include "case.h"

static volatile sig_atomic_t count, last, last_code, last_value;
static sigjmp_buf back;

static void on_signal(int signal)
{
    count++;
    last = signal;
}

static void on_info(int signal, siginfo_t *info, void *context)
{
    (void)context;
    count++;
    last = signal;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
}

static void handle(int signal, int flags)
{
    struct sigaction act = {.sa_flags = flags};
    if (flags & SA_SIGINFO)
        act.sa_sigaction = on_info;
    else
        act.sa_handler = on_signal;
    sigaction(signal, &act, NULL);
}

static void jump(int signal)
{
    last = signal;
    siglongjmp(back, 1);
}

CASE(sigaction_errors)
{
    struct sigaction a = {.sa_handler = SIG_IGN};
    T(sigaction(0, &a, NULL));
    T(sigaction(65, &a, NULL));
    T(sigaction(SIGKILL, &a, NULL));
    T(sigaction(SIGSTOP, &a, NULL));
    T(sigaction(SIGKILL, NULL, &a));
    T(sigaction(SIGUSR1, NULL, &a));
    T(a.sa_handler == SIG_DFL);
    T(sigaction(64, &(struct sigaction){.sa_handler = SIG_IGN}, NULL));
    T(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    T(syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8));
}
CASE(signal_kill_self)
{
    handle(SIGUSR1, 0);
    T(kill(getpid(), SIGUSR1));
    T(count);
    T(raise(SIGUSR1));
    T(count);
    T(kill(getpid(), 0));
    T(kill(getpid(), 99));
    T(kill(getpid(), -1));
    T(kill(1 << 29, 0));
    T(kill(1 << 29, SIGUSR1));
}
CASE(signal_info)
{
    handle(SIGUSR1, SA_SIGINFO);
    kill(getpid(), SIGUSR1);
    T(last_code);
    raise(SIGUSR1);
    T(last_code);
    union sigval v = {.sival_int = 42};
    T(sigqueue(getpid(), SIGUSR1, v));
    T(last_code);
    T(last_value);
    T(sigqueue(getpid(), 0, v));
    T(sigqueue(getpid(), 99, v));
}
CASE(signal_mask)
{
    sigset_t s, old, pending;
    handle(SIGUSR1, 0);
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    T(sigprocmask(SIG_BLOCK, &s, &old));
    raise(SIGUSR1);
    raise(SIGUSR1);
    T(count);
    sigpending(&pending);
    T(sigismember(&pending, SIGUSR1));
    T(sigprocmask(SIG_UNBLOCK, &s, NULL));
    T(count);
    T(sigprocmask(99, &s, NULL));
    T(sigprocmask(99, NULL, &old));
    sigfillset(&s);
    T(sigprocmask(SIG_SETMASK, &s, NULL));
    sigprocmask(SIG_SETMASK, NULL, &s);
    T(sigismember(&s, SIGKILL));
    T(sigismember(&s, SIGTERM));
}
CASE(signal_realtime)
{
    sigset_t s;
    handle(SIGRTMIN, SA_SIGINFO);
    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &s, NULL);
    for (int i = 0; i < 5; i++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    T(count);
    T(last_value);
}
CASE(signal_order)
{
    sigset_t s;
    handle(SIGUSR1, 0);
    handle(SIGUSR2, 0);
    handle(SIGHUP, 0);
    sigfillset(&s);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGUSR2);
    raise(SIGHUP);
    raise(SIGUSR1);
    siginfo_t info;
    sigset_t w;
    sigemptyset(&w);
    sigaddset(&w, SIGUSR1);
    sigaddset(&w, SIGUSR2);
    sigaddset(&w, SIGHUP);
    T(sigwaitinfo(&w, &info));
    T(sigwaitinfo(&w, &info));
    T(sigwaitinfo(&w, &info));
    struct timespec ts = {0, 1000};
    T(sigtimedwait(&w, &info, &ts));
    ts.tv_nsec = -1;
    T(sigtimedwait(&w, &info, &ts));
}
CASE(signal_nodefer)
{
    static volatile int depth, most;
    struct sigaction a = {.sa_flags = SA_NODEFER};
    (void)depth;
    (void)most;
    a.sa_handler = on_signal;
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    T(count);
    sigset_t m;
    sigprocmask(SIG_SETMASK, NULL, &m);
    T(sigismember(&m, SIGUSR1));
}
CASE(signal_resethand)
{
    handle(SIGUSR1, (int)SA_RESETHAND);
    raise(SIGUSR1);
    T(count);
    struct sigaction a;
    sigaction(SIGUSR1, NULL, &a);
    T(a.sa_handler == SIG_DFL);
    fflush(stdout);
    raise(SIGUSR1);
    puts("not reached");
}
static void show_mask(int signal)
{
    sigset_t m;
    (void)signal;
    sigprocmask(SIG_SETMASK, NULL, &m);
    printf("inside: %d %d %d\n", sigismember(&m, SIGUSR1), sigismember(&m, SIGUSR2),
           sigismember(&m, SIGHUP));
}
CASE(signal_handler_mask)
{
    struct sigaction a = {.sa_handler = show_mask};
    sigaddset(&a.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    show_mask(0);
    a.sa_flags = SA_NODEFER;
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
}
CASE(signal_ignored)
{
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    raise(SIGCONT);
    puts("lives");
}
CASE(signal_ignored_pending)
{
    sigset_t s, p;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    sigpending(&p);
    T(sigismember(&p, SIGUSR1));
    handle(SIGUSR1, 0);
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    T(count);
}
CASE(signal_default_term)
{
    puts("before");
    fflush(stdout);
    raise(SIGTERM);
    puts("not reached");
}
CASE(signal_abort)
{
    puts("before");
    fflush(stdout);
    abort();
}
CASE(signal_segv_default)
{
    puts("before");
    fflush(stdout);
    *(volatile int *)0 = 1;
}
CASE(signal_fpe)
{
    volatile int zero = 0;
    signal(SIGFPE, jump);
    if (!sigsetjmp(back, 1))
        printf("%d\n", 1 / zero);
    T(last);
    puts("after");
    fflush(stdout);
    signal(SIGFPE, SIG_DFL);
    printf("%d\n", 2 / zero);
}
CASE(signal_ill)
{
    signal(SIGILL, jump);
    if (!sigsetjmp(back, 1))
        __asm__ volatile("ud2");
    T(last);
}
static void on_segv(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    last = signal;
    last_code = info->si_code;
    last_value = info->si_addr == (void *)0x123000;
    u->uc_mcontext.gregs[REG_RIP] += 2;
}
CASE(signal_context)
{
    struct sigaction a = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &a, NULL);
    unsigned long x = 7;
    __asm__ volatile("mov (%1),%%eax" : "+r"(x) : "r"(0x123000UL) : "eax", "memory");
    T(last);
    T(last_code);
    T(last_value);
    T((long)x);
}
static char alt[32768];
static void on_alt(int signal)
{
    char here;
    last = signal;
    last_value = &here >= alt && &here < alt + sizeof(alt);
}
CASE(signal_altstack)
{
    stack_t s = {.ss_sp = alt, .ss_size = sizeof(alt)}, old;
    T(sigaltstack(&s, NULL));
    T(sigaltstack(NULL, &old));
    T(old.ss_flags);
    T((long)old.ss_size);
    struct sigaction a = {.sa_handler = on_alt, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    T(last_value);
    a.sa_flags = 0;
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    T(last_value);
    s.ss_size = 100;
    T(sigaltstack(&s, NULL));
    s.ss_flags = 99;
    T(sigaltstack(&s, NULL));
    s.ss_flags = SS_DISABLE;
    T(sigaltstack(&s, NULL));
    T(sigaltstack(NULL, &old));
    T(old.ss_flags);
}
static int recurse(int n)
{
    volatile char big[4096];
    big[0] = (char)n;
    return n > 100000 ? 0 : recurse(n + 1) + big[0];
}
CASE(signal_stack_overflow)
{
    stack_t s = {.ss_sp = alt, .ss_size = sizeof(alt)};
    sigaltstack(&s, NULL);
    struct sigaction a = {.sa_handler = jump, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &a, NULL);
    if (!sigsetjmp(back, 1))
        T(recurse(0));
    T(last);
}
CASE(signal_alarm)
{
    handle(SIGALRM, 0);
    T(alarm(100));
    OK(alarm(0) >= 99);
    struct itimerval it = {{0, 0}, {0, 2000}};
    T(setitimer(ITIMER_REAL, &it, NULL));
    T(pause());
    T(count);
    T(last == SIGALRM);
    it.it_value.tv_usec = 1000000;
    T(setitimer(ITIMER_REAL, &it, NULL));
    T(setitimer(9, &it, NULL));
    T(getitimer(9, &it));
    T(getitimer(ITIMER_REAL, &it));
    T(it.it_value.tv_sec);
}
CASE(signal_busy_alarm)
{
    handle(SIGALRM, 0);
    struct itimerval it = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &it, NULL);
    while (count < 5)
        ;
    it = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &it, NULL);
    OK(count >= 5);
}
CASE(signal_eintr)
{
    char c;
    int p[2];
    pipe(p);
    handle(SIGALRM, 0);
    struct itimerval it = {{0, 0}, {0, 2000}};
    setitimer(ITIMER_REAL, &it, NULL);
    T(read(p[0], &c, 1));
    T(count);
    setitimer(ITIMER_REAL, &it, NULL);
    struct timespec ts = {100, 0}, left;
    T(nanosleep(&ts, &left));
    OK(left.tv_sec >= 98);
    T(count);
}
static int restart_pipe[2];
static void write_pipe(int signal)
{
    (void)signal;
    count++;
    write(restart_pipe[1], "x", 1);
}
CASE(signal_restart)
{
    char c = 0;
    pipe(restart_pipe);
    struct sigaction a = {.sa_handler = write_pipe, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &a, NULL);
    struct itimerval it = {{0, 0}, {0, 2000}};
    setitimer(ITIMER_REAL, &it, NULL);
    T(read(restart_pipe[0], &c, 1));
    T(c);
    T(count);
}
CASE(signal_suspend)
{
    sigset_t s, none;
    handle(SIGUSR1, 0);
    sigemptyset(&none);
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGUSR1);
    T(count);
    T(sigsuspend(&none));
    T(count);
    sigprocmask(SIG_SETMASK, NULL, &none);
    T(sigismember(&none, SIGUSR1));
    T(syscall(SYS_rt_sigsuspend, 8, 8));
    T(syscall(SYS_rt_sigsuspend, &none, 4));
}
#include <poll.h>
CASE(signal_ppoll)
{
    sigset_t s, none;
    handle(SIGUSR1, 0);
    sigemptyset(&none);
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGUSR1);
    struct timespec ts = {5, 0};
    T(ppoll(NULL, 0, &ts, &none));
    T(count);
    sigprocmask(SIG_SETMASK, NULL, &none);
    T(sigismember(&none, SIGUSR1));
}
CASE(timer_posix)
{
    handle(SIGRTMIN + 1, SA_SIGINFO);
    timer_t t;
    struct sigevent e = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 33};
    T(timer_create(CLOCK_MONOTONIC, &e, &t));
    struct itimerspec it = {{0, 0}, {0, 1000000}}, now;
    T(timer_settime(t, 0, &it, NULL));
    while (!count)
        pause();
    T(last_value);
    T(last_code);
    T(timer_gettime(t, &now));
    T(now.it_value.tv_sec + now.it_value.tv_nsec);
    T(timer_getoverrun(t));
    it.it_value.tv_nsec = -1;
    T(timer_settime(t, 0, &it, NULL));
    T(timer_delete(t));
    T(syscall(SYS_timer_delete, 77));
    e.sigev_signo = 99;
    T(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &t));
    T(syscall(SYS_timer_create, 99, NULL, &t));
}
CASE(signal_fpu)
{
    volatile double x = 1.5;
    handle(SIGALRM, 0);
    struct itimerval it = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &it, NULL);
    double sum = 0;
    while (count < 5)
        sum += x * 2 - 3;
    OK(sum == 0);
}
CASE(sigwait_block)
{
    sigset_t s;
    int got;
    sigemptyset(&s);
    sigaddset(&s, SIGALRM);
    sigprocmask(SIG_BLOCK, &s, NULL);
    struct itimerval it = {{0, 0}, {0, 2000}};
    setitimer(ITIMER_REAL, &it, NULL);
    T(sigwait(&s, &got));
    T(got);
}
static volatile sig_atomic_t handled;
static void count_handled(int number)
{
    handled += number;
}
CASE(signal_queue_limits)
{
    sigset_t set;
    union sigval value = {.sival_int = 7};
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 3; i++) {
        value.sival_int = i;
        T(sigqueue(getpid(), SIGRTMIN, value));
        T(sigqueue(getpid(), SIGUSR1, value)); /* one of these is kept */
    }
    struct timespec now = {0, 0};
    for (int i = 0; i < 5; i++) {
        OK(sigtimedwait(&set, &info, &now) >= 0);
        printf("%d %d\n", info.si_signo == SIGUSR1, info.si_value.sival_int);
    }
    T(sigtimedwait(&set, &info, &now) < 0 ? -1 : 0);
    T(sigqueue(getpid(), 65, value));
    T(kill(getpid(), -1));
    T(kill(getpid(), 0));
    T(tgkill(getpid(), 999999, 0));
}
CASE(signal_mask_kept)
{
    sigset_t set, old, pending;
    struct sigaction action = {.sa_handler = count_handled};
    sigaction(SIGUSR2, &action, NULL);
    sigfillset(&set);
    T(sigprocmask(SIG_SETMASK, &set, NULL));
    T(sigprocmask(SIG_BLOCK, NULL, &old));
    OK(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP));
    raise(SIGUSR2);
    T(sigpending(&pending));
    OK(sigismember(&pending, SIGUSR2));
    T(handled);
    sigemptyset(&set);
    T(sigprocmask(SIG_SETMASK, &set, NULL));
    OK(handled == SIGUSR2);
    T(sigprocmask(9, &set, NULL));
    T(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4));
    T(syscall(SYS_rt_sigpending, &set, 16));
}
CASE(itimer_all)
{
    struct itimerval value = {{0, 0}, {0, 2000}}, old;
    signal(SIGALRM, count_handled);
    T(setitimer(ITIMER_REAL, &value, NULL));
    while (!handled)
        ;
    OK(handled == SIGALRM);
    T(getitimer(ITIMER_REAL, &old));
    printf("%ld %ld\n", (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
    value.it_value.tv_usec = 1000000;
    T(setitimer(ITIMER_REAL, &value, NULL));
    T(setitimer(9, &value, NULL));
    T(getitimer(9, &value));
    value.it_value = (struct timeval){100, 0};
    T(setitimer(ITIMER_REAL, &value, NULL));
    T(alarm(0) == 100);
    T(alarm(0));
}
