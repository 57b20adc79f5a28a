/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: hundreds of processes ask for sockets and are killed in the middle, while threads
 *   ask at once and descriptors are closed under them: the handler must not give a socket to
 *   another process that now has the number, lose the namespace, or stop.
 * Stopped by: the handler checks the call's id after it looked the caller up; a namespace
 *   belongs to the sandbox's number in a sequence, not to a pid.
 * Lives in: src/jail/notify.c.
 *
 * Control: none (there is no handler to confuse)
 * Runs: own after daemon uid0 rootless
 */
#include "../harness/attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

static void *ask(void *arg)
{
    long *failed = arg;
    for (int round = 0; round < 40; round++) {
        int sock = socket(AF_INET, SOCK_STREAM, 0);
        if (sock < 0)
            ++*failed;
        else
            close(sock);
    }
    return NULL;
}

static void kill_in_the_middle(void)
{
    for (int round = 0; round < 300; round++) {
        pid_t child = fork();
        if (child < 0)
            continue;
        if (child == 0)
            for (;;) {
                int pair[2];
                int sock = socket(AF_INET6, SOCK_DGRAM, 0);
                if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0) {
                    close(pair[0]);
                    close(pair[1]);
                }
                close(sock);
            }
        for (volatile int spin = (round * 7919) % 20000; spin > 0; spin--)
            ;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

/* Sockets made before and after meet: one namespace all along. */
static bool meet(int listener, const struct sockaddr_in *at)
{
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    bool met = sock >= 0 && connect(sock, (const struct sockaddr *)at, sizeof(*at)) == 0;
    int peer = met ? accept(listener, NULL, NULL) : -1;
    close(peer);
    close(sock);
    return met;
}

void attack(void)
{
    alarm(120);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(listener, 8) < 0 || getsockname(listener, (struct sockaddr *)&at, &size) < 0) {
        got("no listener to begin with: %s", strerror(errno));
        return;
    }
    kill_in_the_middle();
    pthread_t threads[16];
    long failed[16] = {0};
    int started = 0;
    for (; started < 16; started++)
        if (pthread_create(&threads[started], NULL, ask, &failed[started]) != 0)
            break;
    long failures = 0;
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        failures += failed[i];
    }
    if (failures)
        got("%ld of %d calls by threads failed", failures, started * 40);
    if (!meet(listener, &at))
        got("sockets before and after do not meet: %s", strerror(errno));
    else
        blocked("after the storm the sandbox has the network it had");
}
