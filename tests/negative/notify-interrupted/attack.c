/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: asks for sockets under a timer that fires 10,000 times a second. A notified call may
 *   be interrupted before the handler has received it. With SA_RESTART it must start again;
 *   without, EINTR is what a slow call gives (docs/threat-model.md). Never may a socket that was
 *   made be lost.
 * Stopped by: WAIT_KILLABLE_RECV: once the handler has received the call only death interrupts it.
 * Lives in: src/jail (zygote.c installs the filter with it; notify.c).
 *
 * Control: none (the kernel's own call is not interrupted)
 * Runs: own after daemon uid0 rootless
 */
#include "../harness/attack.h"

#include <sys/socket.h>
#include <sys/time.h>

static volatile int ticks;

static void tick(int number)
{
    (void)number;
    ticks++;
}

static int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            count++;
    return count;
}

static void storm(int flags)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval fast = {{0, 100}, {0, 100}};
    struct itimerval off = {0};
    int before = open_count();
    int interrupted = 0;
    int failed = 0;
    setitimer(ITIMER_REAL, &fast, NULL);
    for (int round = 0; round < 3000; round++) {
        int pair[2] = {-1, -1};
        bool made = round % 2 ? socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0
                              : (pair[0] = socket(AF_INET, SOCK_DGRAM, 0)) >= 0;
        if (!made && errno == EINTR)
            interrupted++;
        else if (!made)
            failed++;
        for (int i = 0; made && i < 2; i++)
            if (pair[i] >= 0)
                close(pair[i]);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    note("%d ticks, %d calls interrupted", ticks, interrupted);
    if (interrupted && (flags & SA_RESTART))
        got("%d of 3000 calls were interrupted in spite of SA_RESTART", interrupted);
    if (failed)
        got("%d of 3000 calls failed: %s", failed, strerror(errno));
    if (open_count() != before)
        got("%d descriptors were lost", open_count() - before);
}

void attack(void)
{
    storm(0);
    storm(SA_RESTART);
    blocked("all that was asked for was served or restarted");
}
