/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/tick.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vm/machine.h"

static struct machine *ticked;
static int timer =
    -1; /* the kernel's number; the library's wrapper would keep it in memory of its own */

static void on_tick(int number)
{
    (void)number;
    machine_kick(ticked);
}

int tick_open(struct machine *machine, struct err *err)
{
    struct sigaction action = {.sa_handler = on_tick};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    ticked = machine;
    if (sigaction(SIGALRM, &action, NULL) < 0 ||
        syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) < 0)
        return err_set(err, errno, "make the guest's timer:");
    return 0;
}

static void set(uint64_t ns)
{
    struct timespec each = {0, (long)ns};
    struct itimerspec spec = {each, each};
    syscall(SYS_timer_settime, timer, 0, &spec, NULL);
}

void tick_start(void)
{
    set(TICK_NS);
}

void tick_stop(void)
{
    set(0);
}
