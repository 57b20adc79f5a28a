// SPDX-License-Identifier: Apache-2.0
/* Threads, futexes, and what processes cannot do here. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/wait.h>

#include "case.h"

static int word;
static volatile int shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static __thread int own = 5;

static long futex(int *at, int op, unsigned value, const struct timespec *ts, int *at2,
                  unsigned value3)
{
    return syscall(SYS_futex, at, op, value, ts, at2, value3);
}

static void *add(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        pthread_mutex_lock(&lock);
        shared++;
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void *wait_word(void *arg)
{
    while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST))
        futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
    return arg;
}

static void *wait_cond(void *arg)
{
    pthread_mutex_lock(&lock);
    while (!shared)
        pthread_cond_wait(&cond, &lock);
    shared++;
    pthread_mutex_unlock(&lock);
    return arg;
}

static void *tls(void *arg)
{
    own += 1;
    printf("tls %d\n", own);
    return arg;
}

static void *leave(void *arg)
{
    pthread_exit((char *)arg + 1);
}

static void *lock_and_die(void *arg)
{
    pthread_mutex_lock(arg);
    return NULL;
}

static void *spin(void *arg)
{
    while (!shared)
        ;
    return arg;
}

static void *block_for_ever(void *arg)
{
    int p[2];
    char c;
    pipe(p);
    read(p[0], &c, 1);
    return arg;
}

static volatile pthread_t signalled;
static void note(int signal)
{
    (void)signal;
    signalled = pthread_self();
    shared = 2;
}

CASE(thread_join)
{
    pthread_t t;
    void *out;
    T(pthread_create(&t, NULL, leave, (void *)6));
    T(pthread_join(t, &out));
    T((long)out);
    T(pthread_join(pthread_self(), &out) == EDEADLK);
}
CASE(thread_mutex)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, add, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    T(shared);
}
CASE(thread_cond)
{
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, wait_cond, NULL);
    sched_yield();
    pthread_mutex_lock(&lock);
    shared = 1;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    T(shared);
}
CASE(thread_cond_timeout)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_nsec -= 1000000000;
        ts.tv_sec++;
    }
    pthread_mutex_lock(&lock);
    T(pthread_cond_timedwait(&cond, &lock, &ts) == ETIMEDOUT);
}
CASE(thread_tls)
{
    pthread_t t;
    for (int i = 0; i < 3; i++) {
        pthread_create(&t, NULL, tls, NULL);
        pthread_join(t, NULL);
    }
    T(own);
}
CASE(thread_many)
{
    pthread_t t[100];
    int made = 0;
    for (int i = 0; i < 100; i++)
        made += pthread_create(&t[i], NULL, leave, NULL) == 0;
    for (int i = 0; i < made; i++)
        pthread_join(t[i], NULL);
    T(made);
    made = 0;
    for (int k = 0; k < 200; k++) {
        pthread_create(&t[0], NULL, leave, NULL);
        made += pthread_join(t[0], NULL) == 0;
    }
    T(made);
}
CASE(thread_preempt)
{
    pthread_t t;
    pthread_create(&t, NULL, spin, NULL);
    struct timespec ts = {0, 20000000};
    nanosleep(&ts, NULL);
    shared = 1;
    T(pthread_join(t, NULL));
}
CASE(thread_ids)
{
    OK(gettid() == getpid());
    pthread_t t;
    pthread_create(&t, NULL, leave, NULL);
    pthread_join(t, NULL);
    T(syscall(SYS_tgkill, getpid(), 1 << 29, 0));
    T(syscall(SYS_tgkill, getpid(), gettid(), 0));
    T(syscall(SYS_tgkill, -1, gettid(), 0));
    T(syscall(SYS_tgkill, getpid(), gettid(), 99));
    T(syscall(SYS_tkill, gettid(), 0));
}
CASE(thread_detach)
{
    pthread_t t;
    pthread_create(&t, NULL, leave, NULL);
    T(pthread_detach(t));
    struct timespec ts = {0, 1000000};
    nanosleep(&ts, NULL);
}
CASE(thread_exit_group)
{
    pthread_t t;
    pthread_create(&t, NULL, block_for_ever, NULL);
    sched_yield();
    puts("leaving");
    fflush(stdout);
    exit(7);
}
CASE(thread_main_leaves)
{
    pthread_t t;
    setvbuf(stdout, NULL, _IONBF, 0);
    shared = 1;
    pthread_create(&t, NULL, tls, NULL);
    pthread_exit(NULL);
}
CASE(thread_signal)
{
    pthread_t t;
    signal(SIGUSR1, note);
    pthread_create(&t, NULL, spin, NULL);
    T(pthread_kill(t, SIGUSR1));
    pthread_join(t, NULL);
    OK(pthread_equal(signalled, t));
}
CASE(thread_signal_blocked)
{
    sigset_t s;
    pthread_t t;
    signal(SIGUSR1, note);
    pthread_create(&t, NULL, spin, NULL);
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &s, NULL);
    kill(getpid(), SIGUSR1);
    pthread_join(t, NULL);
    OK(pthread_equal(signalled, t));
}
CASE(thread_robust)
{
    pthread_mutex_t m;
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&m, &a);
    pthread_t t;
    pthread_create(&t, NULL, lock_and_die, &m);
    pthread_join(t, NULL);
    T(pthread_mutex_lock(&m) == EOWNERDEAD);
    T(pthread_mutex_consistent(&m));
    T(pthread_mutex_unlock(&m));
    T(pthread_mutex_lock(&m));
}
CASE(thread_recursive)
{
    pthread_mutex_t m;
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&m, &a);
    T(pthread_mutex_lock(&m));
    T(pthread_mutex_lock(&m));
    T(pthread_mutex_trylock(&m));
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&m, &a);
    T(pthread_mutex_lock(&m));
    T(pthread_mutex_lock(&m) == EDEADLK);
}
CASE(thread_semaphore)
{
    sem_t s;
    sem_init(&s, 0, 1);
    T(sem_wait(&s));
    T(sem_trywait(&s));
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    T(sem_timedwait(&s, &ts));
    T(sem_post(&s));
    T(sem_wait(&s));
}
CASE(thread_cancel)
{
    pthread_t t;
    void *out;
    pthread_create(&t, NULL, block_for_ever, NULL);
    T(pthread_cancel(t));
    T(pthread_join(t, &out));
    OK(out == PTHREAD_CANCELED);
}
CASE(thread_barrier)
{
    pthread_barrier_t b;
    pthread_barrier_init(&b, NULL, 1);
    OK(pthread_barrier_wait(&b) == PTHREAD_BARRIER_SERIAL_THREAD);
    pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
    T(pthread_rwlock_rdlock(&l));
    T(pthread_rwlock_trywrlock(&l) == EBUSY);
    T(pthread_rwlock_unlock(&l));
    T(pthread_rwlock_wrlock(&l));
}
CASE(futex_errors)
{
    struct timespec ts = {0, 1000000};
    word = 1;
    T(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0));
    T(futex(&word, FUTEX_WAIT, 1, &ts, NULL, 0));
    T(futex((int *)((char *)&word + 1), FUTEX_WAIT, 1, NULL, NULL, 0));
    T(futex((int *)8, FUTEX_WAIT, 1, NULL, NULL, 0));
    ts.tv_nsec = -1;
    T(futex(&word, FUTEX_WAIT, 1, &ts, NULL, 0));
    T(futex(&word, 77, 1, NULL, NULL, 0));
    T(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
    T(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0));
    T(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    ts.tv_nsec = 0;
    T(futex(&word, FUTEX_WAIT_BITSET, 1, &ts, NULL, ~0u));
    T(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, &ts, NULL, ~0u));
}
CASE(futex_wake)
{
    pthread_t t;
    pthread_create(&t, NULL, wait_word, NULL);
    sched_yield();
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
    T(pthread_join(t, NULL));
}
CASE(futex_requeue)
{
    int other = 0;
    word = 3;
    T(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 4));
    T(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 3));
    T(futex(&word, FUTEX_REQUEUE, 1, (void *)1, &other, 0));
    T(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other,
            FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)));
    T(other);
    T(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other,
            FUTEX_OP(FUTEX_OP_SET, 9, FUTEX_OP_CMP_GT, 100)));
    T(other);
}
CASE(sched_all)
{
    cpu_set_t set;
    T(sched_yield());
    OK(sched_getaffinity(0, sizeof(set), &set) == 0);
    OK(CPU_COUNT(&set) >= 1);
    T(sched_getscheduler(0));
    T(sched_get_priority_max(SCHED_FIFO));
    T(sched_get_priority_min(SCHED_FIFO));
    T(sched_get_priority_max(SCHED_OTHER));
    T(sched_get_priority_max(99));
    struct sched_param p;
    T(sched_getparam(0, &p));
    T(p.sched_priority);
    T(sched_getscheduler(-1));
    T(syscall(SYS_sched_getaffinity, 0, 1, &set));
    OK(sched_getcpu() >= 0);
}
CASE(clone_errors)
{
    T(syscall(SYS_clone, 0x10000, 0, 0, 0, 0));
    T(syscall(SYS_clone3, NULL, 0));
    T(syscall(SYS_clone3, 8, 88));
    T(syscall(SYS_clone3, NULL, 100000));
    T(syscall(SYS_set_robust_list, &word, 1));
    T(waitpid(-1, NULL, 0));
    T(waitpid(-1, NULL, 0x100));
}
static void *say_tid(void *arg)
{
    *(long *)arg = syscall(SYS_gettid);
    return NULL;
}
CASE(thread_names)
{
    char name[16] = "";
    T(pthread_setname_np(pthread_self(), "short"));
    T(pthread_getname_np(pthread_self(), name, sizeof(name)));
    puts(name);
    T(pthread_setname_np(pthread_self(), "much longer than it may be"));
    pthread_t thread;
    long tid = 0;
    T(pthread_create(&thread, NULL, say_tid, &tid));
    T(pthread_join(thread, NULL));
    OK(tid > 0 && tid != getpid());
    T(tgkill(getpid(), (pid_t)tid, 0));
}
CASE(thread_stacks)
{
    pthread_attr_t attr;
    pthread_t thread;
    long tid = 0;
    T(pthread_attr_init(&attr));
    T(pthread_attr_setstacksize(&attr, 100));
    T(pthread_attr_setstacksize(&attr, 1 << 20));
    T(pthread_attr_setguardsize(&attr, 16384));
    for (int i = 0; i < 300; i++) {
        if (pthread_create(&thread, &attr, say_tid, &tid) || pthread_join(thread, NULL))
            printf("failed at %d\n", i);
    }
    T(pthread_attr_destroy(&attr));
}
