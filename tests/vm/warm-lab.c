/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warm-lab MONITOR PROGRAM: plays a sandbox's first process where there is no Python: a snapshot of
 * PROGRAM (tests/vm/residue.c) is made, restored, and asked again and again. A line a check, as in
 * TAP; the status is 0 when all were right.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "skerry/abi/warm.h"

#define SECRET 32
#define OUTPUT 8192

static const char *monitor_path, *program_path;
static int wrong;

struct monitor {
    pid_t pid;
    int sock;
};

static void check(int right, const char *name)
{
    printf("%s warm: %s\n", right ? "ok" : "not ok", name);
    fflush(stdout);
    wrong |= !right;
}

static struct monitor start(const char *role, int snapshot)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        exit(125);
    struct monitor monitor = {.pid = fork(), .sock = ends[0]};
    if (monitor.pid == 0) {
        int null = open("/dev/null", O_RDWR);
        int high = fcntl(snapshot, F_DUPFD, 100), sock = fcntl(ends[1], F_DUPFD, 100);
        dup2(null, 0);
        dup2(null, 1);
        dup2(sock, WARM_FD);
        dup2(high, WARM_SNAPSHOT_FD);
        setenv(WARM_VARIABLE, role, 1);
        execl(monitor_path, monitor_path, "--mem", "16777216", "--deadline-ms", "60000", "--",
              program_path, (char *)NULL);
        _exit(125);
    }
    close(ends[1]);
    return monitor;
}

static uint32_t take(const struct monitor *monitor, void *data, size_t room)
{
    struct warm_head head = {0, 0};
    ssize_t size = recv(monitor->sock, data, room, 0);
    if (size >= (ssize_t)sizeof(head))
        memcpy(&head, data, sizeof(head));
    return head.kind;
}

/* One request from READY to DONE: what came on stdout, with a NUL, or NULL. */
static const char *ask(const struct monitor *monitor, const void *body, size_t size)
{
    static char output[OUTPUT];
    union {
        struct warm_done done;
        char bytes[512];
    } message;
    int in[2], out[2];
    if (take(monitor, &message, sizeof(message)) != WARM_READY || pipe(in) < 0 || pipe(out) < 0 ||
        write(in[1], body, size) != (ssize_t)size)
        return NULL;
    close(in[1]);
    struct warm_request request = {.head = {WARM_MAGIC, WARM_REQUEST}};
    struct iovec part = {&request, sizeof(request)};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(3 * sizeof(int))];
    } control = {0};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(3 * sizeof(int));
    memcpy(CMSG_DATA(head), (int[]){in[0], out[1], out[1]}, 3 * sizeof(int));
    ssize_t sent = sendmsg(monitor->sock, &msg, 0);
    close(in[0]);
    close(out[1]);
    uint32_t kind = sent > 0 ? take(monitor, &message, sizeof(message)) : 0;
    ssize_t got = read(out[0], output, sizeof(output) - 1);
    close(out[0]);
    if (kind != WARM_DONE || message.done.wait_status != 0 || got < 0)
        return NULL;
    output[got] = '\0';
    return output;
}

static const char *ask_letter(const struct monitor *monitor, char letter)
{
    char body[2 + SECRET] = {letter, ' '};
    memset(body + 2, 0x3c, SECRET);
    for (int i = 0; i < SECRET; i++)
        body[2 + i] ^= (char)(i * 7);
    return ask(monitor, body, sizeof(body));
}

static int end(const struct monitor *monitor)
{
    int status = -1;
    close(monitor->sock);
    waitpid(monitor->pid, &status, 0);
    return status;
}

static int is(const char *answer, const char *wanted)
{
    return answer != NULL && strcmp(answer, wanted) == 0;
}

/* What a hostile request does, and what the next one sees of it. */
static void attack(int snapshot, char hostile, char look, const char *wanted, const char *name)
{
    struct monitor monitor = start("restore", snapshot);
    char fresh[OUTPUT] = "";
    const char *answer = ask_letter(&monitor, look);
    if (answer != NULL)
        strcpy(fresh, answer);
    int right = wanted != NULL ? is(answer, wanted) : answer != NULL;
    right = right && ask_letter(&monitor, hostile) != NULL;
    check(right && is(ask_letter(&monitor, look), fresh), name);
    end(&monitor);
}

static void check_clock(int snapshot)
{
    struct monitor monitor = start("restore", snapshot);
    for (int i = 0; i < 3; i++) {
        struct timespec before, after;
        unsigned long long guest = 0;
        clock_gettime(CLOCK_REALTIME, &before);
        const char *answer = ask_letter(&monitor, 'c');
        clock_gettime(CLOCK_REALTIME, &after);
        if (answer != NULL)
            guest = strtoull(answer, NULL, 10);
        check(guest >= (unsigned long long)before.tv_sec * 1000000000 +
                           (unsigned long long)before.tv_nsec &&
                  guest <= (unsigned long long)after.tv_sec * 1000000000 +
                               (unsigned long long)after.tv_nsec,
              "the clock is the host's");
    }
    end(&monitor);
}

int main(int argc, char **argv)
{
    char data[512];
    if (argc != 3)
        return 125;
    monitor_path = argv[1];
    program_path = argv[2];
    int snapshot = memfd_create("snapshot", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    struct monitor maker = start("make", snapshot);
    check(take(&maker, data, sizeof(data)) == WARM_MADE && end(&maker) == 0, "a snapshot is made");
    struct monitor monitor = start("restore", snapshot);
    int right = 1;
    for (int i = 0; i < 50; i++)
        right &= is(ask_letter(&monitor, 'p'), "1\n");
    check(right, "fifty requests in one machine");
    check(end(&monitor) == 0, "it ends when nobody is there");
    attack(snapshot, 'P', 'L', "0\n", "heap, stack, maps, files are not found");
    attack(snapshot, 'E', 'L', "0\n", "what was written anywhere is not found");
    attack(snapshot, 'R', 'r', NULL, "registers are as new");
    attack(snapshot, 'P', 's', NULL, "handlers, masks, timers, descriptors are as new");
    attack(snapshot, 'B', 'p', "1\n", "tables changed and changed back lead nowhere");
    attack(snapshot, 'T', 'p', "1\n", "tables in other pages lead nowhere");
    attack(snapshot, 'C', 'p', "1\n", "another root leads nowhere");
    attack(snapshot, 'I', 'p', "1\n", "descriptor tables are as new");
    check_clock(snapshot);
    return wrong;
}
