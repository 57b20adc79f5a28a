/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: sets the machine's clocks: settimeofday, clock_settime, adjtimex and clock_adjtime,
 *   a time zone; wakes a sleeping machine with alarm clocks; by calls whose values the kernel
 *   refuses only after the privilege was checked.
 * Stopped by: the filter (adjtimex and clock_adjtime only read, or are refused); behind it,
 *   no CAP_SYS_TIME.
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

void attack(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct timespec wrong = {0, 0};
    if (is_control()) {
        /* Read alone: the same structure with no mode set is allowed to everybody. */
        struct timex slew = {.modes = ADJ_OFFSET_SINGLESHOT, .offset = 0};
        attempt("adjtimex", syscall(SYS_adjtimex, &slew));
        return;
    }
    attempt("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &wrong));
    attempt("clock_settime, the same time", syscall(SYS_clock_settime, CLOCK_REALTIME, &now));
    struct timeval same = {now.tv_sec, now.tv_nsec / 1000};
    struct timezone zone = {60, 0};
    attempt("settimeofday", syscall(SYS_settimeofday, &same, NULL));
    attempt("time zone", syscall(SYS_settimeofday, NULL, &zone));
    struct timex slew = {.modes = ADJ_FREQUENCY | ADJ_TICK, .freq = 1, .tick = 10000};
    attempt("adjtimex", syscall(SYS_adjtimex, &slew));
    attempt("clock_adjtime", syscall(SYS_clock_adjtime, CLOCK_REALTIME, &slew));
    slew.modes = ADJ_OFFSET_SINGLESHOT;
    attempt("adjtime", syscall(SYS_adjtimex, &slew));
    attempt("alarm timer", syscall(SYS_timerfd_create, CLOCK_REALTIME_ALARM, 0));
    timer_t timer;
    attempt("boot-time alarm", syscall(SYS_timer_create, CLOCK_BOOTTIME_ALARM, NULL, &timer));
    int rtc = open("/dev/rtc0", O_RDWR | O_CLOEXEC);
    attempt("/dev/rtc0", rtc);
}
