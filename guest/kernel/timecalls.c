// SPDX-License-Identifier: Apache-2.0
/* System calls on clocks, sleeping and timers. */
#include <linux/time.h>
#include <linux/time_types.h>

#include "../mm/heap.h"
#include "../mm/space.h"
#include "call.h"
#include "process.h"
#include "thread.h"

#define TIMERS_MAX 64
#define ABSTIME    1

typedef struct __kernel_timespec timespec;

struct alarm {
    struct timer timer;
    uint64_t interval_ns;
    int id, signal, notify, overrun;
    bool used, realtime;
    struct thread *to;
    uint64_t value;
    siginfo_t info;
};

static struct alarm real_alarm;
static struct alarm alarms[TIMERS_MAX];

uint64_t call_deadline(uint64_t relative_ns)
{
    uint64_t now = time_mono_ns();
    return relative_ns > NEVER - 1 - now ? NEVER - 1 : now + relative_ns;
}

static timespec timespec_of(uint64_t ns)
{
    return (timespec){.tv_sec = (int64_t)(ns / NS_PER_S), .tv_nsec = (int64_t)(ns % NS_PER_S)};
}

static uint64_t cpu_ns(void)
{
    uint64_t sum = time_mono_ns() - current->run_since;
    for (struct list *at = threads.next; at != &threads; at = at->next)
        sum += container_of(at, struct thread, all)->ran_ns;
    return sum;
}

static int clock_now(int clock, uint64_t *out)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        *out = time_real_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *out = time_mono_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *out = cpu_ns();
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *out = current->ran_ns + time_mono_ns() - current->run_since;
        return 0;
    default:
        break;
    }
    if (clock >= 0)
        return -EINVAL;
    /* Clocks of a process or thread: ~id << 3, and what of it (clock_getcpuclockid,
     * pthread_getcpuclockid). */
    int id = ~(clock >> 3);
    if (!(clock & 4)) {
        *out = cpu_ns();
        return id == 0 || id == PROCESS_PID ? 0 : -EINVAL;
    }
    struct thread *thread = id ? thread_find(id) : current;
    if (!thread)
        return -EINVAL;
    *out = thread->ran_ns + (thread == current ? time_mono_ns() - thread->run_since : 0);
    return 0;
}

long sys_clock_gettime(const uint64_t a[6])
{
    uint64_t ns;
    int rc = clock_now((int)a[0], &ns);
    if (rc < 0)
        return rc;
    timespec ts = timespec_of(ns);
    return user_out(a[1], &ts, sizeof(ts));
}

long sys_clock_getres(const uint64_t a[6])
{
    uint64_t unused;
    int rc = clock_now((int)a[0], &unused);
    bool coarse = a[0] == CLOCK_REALTIME_COARSE || a[0] == CLOCK_MONOTONIC_COARSE;
    timespec ts = {.tv_nsec = coarse ? 4000000 : 1};
    return rc < 0 ? rc : a[1] ? user_out(a[1], &ts, sizeof(ts)) : 0;
}

long sys_clock_settime(const uint64_t a[6])
{
    uint64_t unused;
    return clock_now((int)a[0], &unused) < 0 || a[0] != CLOCK_REALTIME ? -EINVAL : -EPERM;
}

long sys_gettimeofday(const uint64_t a[6])
{
    uint64_t now = time_real_ns();
    int64_t tv[2] = {(int64_t)(now / NS_PER_S), (int64_t)(now % NS_PER_S / 1000)};
    int zone[2] = {0, 0};
    if (a[0] && user_out(a[0], tv, sizeof(tv)) < 0)
        return -EFAULT;
    return a[1] ? user_out(a[1], zone, sizeof(zone)) : 0;
}

long sys_time(const uint64_t a[6])
{
    int64_t now = (int64_t)(time_real_ns() / NS_PER_S);
    return a[0] && user_out(a[0], &now, sizeof(now)) < 0 ? -EFAULT : now;
}

long sys_times(const uint64_t a[6])
{
    int64_t tms[4] = {(int64_t)(cpu_ns() / 10000000), 0, 0, 0};
    if (a[0] && user_out(a[0], tms, sizeof(tms)) < 0)
        return -EFAULT;
    return (long)(time_mono_ns() / 10000000);
}

static long sleep_until(uint64_t deadline, bool absolute, uint64_t left_at)
{
    int rc;
    while ((rc = wait_block(deadline)) == 0)
        ;
    if (rc == -ETIMEDOUT)
        return 0;
    if (!absolute && left_at) {
        uint64_t now = time_mono_ns();
        timespec left = timespec_of(deadline > now ? deadline - now : 0);
        user_out(left_at, &left, sizeof(left));
    }
    return absolute ? -ERESTARTNOHAND : -EINTR;
}

static int timespec_in(uint64_t at, uint64_t *out)
{
    timespec ts;
    if (user_in(&ts, at, sizeof(ts)) < 0)
        return -EFAULT;
    if (ts.tv_sec < 0 || (uint64_t)ts.tv_nsec >= NS_PER_S)
        return -EINVAL;
    *out = call_ns(ts.tv_sec, ts.tv_nsec);
    return 0;
}

long sys_nanosleep(const uint64_t a[6])
{
    uint64_t ns;
    int rc = timespec_in(a[0], &ns);
    return rc < 0 ? rc : sleep_until(call_deadline(ns), false, a[1]);
}

long sys_clock_nanosleep(const uint64_t a[6])
{
    uint64_t ns, now;
    int rc = clock_now((int)a[0], &now);
    if (rc < 0 || a[0] == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL;
    if (a[0] == CLOCK_MONOTONIC_RAW || a[0] == CLOCK_REALTIME_COARSE ||
        a[0] == CLOCK_MONOTONIC_COARSE)
        return -EOPNOTSUPP;
    rc = timespec_in(a[2], &ns);
    if (rc < 0)
        return rc;
    if (!(a[1] & ABSTIME))
        return sleep_until(call_deadline(ns), false, a[3]);
    return sleep_until(ns > now ? call_deadline(ns - now) : 0, true, 0);
}

static void alarm_fires(struct timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    uint64_t late = 0, now = time_mono_ns();
    if (alarm->interval_ns) {
        late = now > timer->deadline_ns ? (now - timer->deadline_ns) / alarm->interval_ns : 0;
        timer_start(timer, timer->deadline_ns + (late + 1) * alarm->interval_ns);
    }
    alarm->overrun = (int)late;
    if (!alarm->used) {
        signal_send_simple(NULL, SIGALRM, SI_KERNEL);
        return;
    }
    if (alarm->notify == 1) /* SIGEV_NONE */
        return;
    alarm->info.si_overrun = alarm->overrun;
    signal_send(alarm->to, &alarm->info);
}

static void alarm_left(const struct alarm *alarm, uint64_t *out_value, uint64_t *out_interval)
{
    uint64_t now = time_mono_ns(), at = alarm->timer.deadline_ns;
    bool runs = alarm->timer.link.next && !list_empty(&alarm->timer.link);
    *out_value = !runs ? 0 : at > now ? at - now : 1;
    *out_interval = alarm->interval_ns;
}

static void alarm_set(struct alarm *alarm, uint64_t deadline, uint64_t interval)
{
    if (!alarm->timer.fire)
        timer_init(&alarm->timer, alarm_fires);
    timer_stop(&alarm->timer);
    alarm->interval_ns = interval;
    if (deadline)
        timer_start(&alarm->timer, deadline);
}

long sys_alarm(const uint64_t a[6])
{
    uint64_t left, interval;
    alarm_left(&real_alarm, &left, &interval);
    uint32_t s = (uint32_t)a[0];
    alarm_set(&real_alarm, s ? call_deadline(s * NS_PER_S) : 0, 0);
    uint64_t seconds = (left + NS_PER_S / 2) / NS_PER_S;
    return (long)(left && !seconds ? 1 : seconds);
}

static int itimer_out(uint64_t at)
{
    uint64_t value, interval;
    alarm_left(&real_alarm, &value, &interval);
    int64_t out[4] = {(int64_t)(interval / NS_PER_S), (int64_t)(interval % NS_PER_S / 1000),
                      (int64_t)(value / NS_PER_S), (int64_t)(value % NS_PER_S / 1000)};
    return user_out(at, out, sizeof(out));
}

long sys_getitimer(const uint64_t a[6])
{
    int64_t none[4] = {0};
    if (a[0] > 2)
        return -EINVAL;
    return a[0] ? user_out(a[1], none, sizeof(none)) : itimer_out(a[1]);
}

long sys_setitimer(const uint64_t a[6])
{
    int64_t in[4] = {0};
    if (a[0] > 2)
        return -EINVAL;
    if (a[1] && user_in(in, a[1], sizeof(in)) < 0)
        return -EFAULT;
    if ((uint64_t)in[1] >= 1000000 || (uint64_t)in[3] >= 1000000 || in[0] < 0 || in[2] < 0)
        return -EINVAL;
    if (a[0] != 0 && (in[2] || in[3]))
        return -EINVAL; /* timers of CPU time: not kept */
    if (a[2] && sys_getitimer((const uint64_t[6]){a[0], a[2]}) < 0)
        return -EFAULT;
    uint64_t value = call_ns(in[2], in[3] * 1000);
    if (a[0] == 0)
        alarm_set(&real_alarm, value ? call_deadline(value) : 0, call_ns(in[0], in[1] * 1000));
    return 0;
}

long sys_timer_create(const uint64_t a[6])
{
    struct {
        uint64_t value;
        int32_t signal, notify, tid, pad[11];
    } event = {.signal = SIGALRM};
    uint64_t unused;
    if (clock_now((int)a[0], &unused) < 0 || (int)a[0] < 0)
        return -EINVAL;
    if (a[1] && user_in(&event, a[1], 20) < 0)
        return -EFAULT;
    if (event.notify != 0 && event.notify != 1 && event.notify != 4)
        return -EINVAL;
    if (event.notify != 1 && (event.signal < 1 || event.signal > SIGNAL_COUNT))
        return -EINVAL;
    int id = 0;
    while (id < TIMERS_MAX && alarms[id].used)
        id++;
    if (id == TIMERS_MAX)
        return -EAGAIN;
    struct alarm *alarm = &alarms[id];
    memset(alarm, 0, sizeof(*alarm));
    timer_init(&alarm->timer, alarm_fires);
    alarm->realtime = a[0] == CLOCK_REALTIME;
    alarm->notify = event.notify;
    alarm->to = event.notify == 4 ? thread_find(event.tid) : NULL;
    if (event.notify == 4 && !alarm->to)
        return -EINVAL;
    alarm->info.si_signo = event.signal;
    alarm->info.si_code = SI_TIMER;
    alarm->info.si_tid = id;
    alarm->info.si_ptr = (void *)(a[1] ? event.value : (uint64_t)id);
    alarm->used = true;
    return user_out(a[2], &id, sizeof(id));
}

static struct alarm *alarm_of(uint64_t id)
{
    return id < TIMERS_MAX && alarms[id].used ? &alarms[id] : NULL;
}

static int alarm_out(const struct alarm *alarm, uint64_t at)
{
    uint64_t value, interval;
    alarm_left(alarm, &value, &interval);
    struct __kernel_itimerspec out = {.it_interval = timespec_of(interval),
                                      .it_value = timespec_of(value)};
    return user_out(at, &out, sizeof(out));
}

long sys_timer_settime(const uint64_t a[6])
{
    struct __kernel_itimerspec in;
    struct alarm *alarm = alarm_of(a[0]);
    if (!alarm)
        return -EINVAL;
    if (user_in(&in, a[2], sizeof(in)) < 0)
        return a[2] ? -EFAULT : -EINVAL;
    if ((uint64_t)in.it_value.tv_nsec >= NS_PER_S || (uint64_t)in.it_interval.tv_nsec >= NS_PER_S ||
        in.it_value.tv_sec < 0)
        return -EINVAL;
    if (a[3] && alarm_out(alarm, a[3]) < 0)
        return -EFAULT;
    uint64_t value = call_ns(in.it_value.tv_sec, in.it_value.tv_nsec);
    if (value && a[1] & ABSTIME) {
        uint64_t offset = alarm->realtime ? (uint64_t)time_real_offset_ns() : 0;
        value = value > offset ? value - offset : 1;
    } else if (value) {
        value = call_deadline(value);
    }
    alarm_set(alarm, value, call_ns(in.it_interval.tv_sec, in.it_interval.tv_nsec));
    timers_run();
    return 0;
}

long sys_timer_gettime(const uint64_t a[6])
{
    struct alarm *alarm = alarm_of(a[0]);
    return alarm ? alarm_out(alarm, a[1]) : -EINVAL;
}

long sys_timer_getoverrun(const uint64_t a[6])
{
    struct alarm *alarm = alarm_of(a[0]);
    return alarm ? alarm->overrun : -EINVAL;
}

long sys_timer_delete(const uint64_t a[6])
{
    struct alarm *alarm = alarm_of(a[0]);
    if (!alarm)
        return -EINVAL;
    timer_stop(&alarm->timer);
    alarm->used = false;
    return 0;
}
