/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the place of skerry-warm or skerry-vmm: a warm program that does what LIE in its environment
 * says, so that what pid 1 makes of it can be tested. Without a lie it is honest: it "restores" by
 * executing the program that it was given (argv[1]), and as a monitor answers "guest" and says
 * DONE.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "skerry/abi/warm.h"

static bool lie(const char *name)
{
    const char *said = getenv("LIE");
    return said != NULL && strcmp(said, name) == 0;
}

static void say(const void *message, size_t size)
{
    if (write(WARM_FD, message, size) < 0)
        _exit(20);
}

static void say_kind(uint32_t kind)
{
    struct warm_head head = {WARM_MAGIC, kind};
    say(&head, sizeof(head));
}

static void say_done(int status)
{
    struct warm_done done = {.head = {WARM_MAGIC, WARM_DONE}, .wait_status = status << 8};
    say(&done, sizeof(done));
}

static int refuse(void)
{
    struct warm_refusal refusal = {{WARM_MAGIC, WARM_REFUSED}, "it says \x1b[31mno"};
    say(&refusal, sizeof(refusal));
    return 0;
}

static int make(void)
{
    if (lie("refuse"))
        return refuse();
    if (lie("die-making"))
        abort();
    if (lie("hang-making"))
        pause();
    if (write(WARM_SNAPSHOT_FD, "state", 5) != 5)
        return 21;
    if (!lie("unsealed") && fcntl(WARM_SNAPSHOT_FD, F_ADD_SEALS, WARM_SEALS) < 0)
        return 22;
    say_kind(WARM_MADE);
    return 0;
}

/* The request's environment is put into ours, its descriptors into 0, 1, 2. */
static void take_request(void)
{
    static char data[sizeof(struct warm_request) + WARM_ENV_MAX];
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(3 * sizeof(int))];
    } control;
    struct iovec part = {data, sizeof(data)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct warm_request request;
    int fds[3];
    if (recvmsg(WARM_FD, &message, 0) < (ssize_t)sizeof(request) || CMSG_FIRSTHDR(&message) == NULL)
        _exit(23);
    memcpy(&request, data, sizeof(request));
    memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fds));
    for (int i = 0; i < 3; i++) {
        dup2(fds[i], i);
        close(fds[i]);
    }
    char *at = data + sizeof(request);
    for (uint32_t i = 0; i < request.env_count; i++, at += strlen(at) + 1)
        putenv(at);
}

static int serve_as_monitor(const char *role)
{
    do {
        take_request();
        if (dprintf(STDOUT_FILENO, "guest %s\n", role) < 0)
            return 24;
        dup2(WARM_FD, STDOUT_FILENO); /* the answer ends here, not with the process */
        dup2(WARM_FD, STDERR_FILENO);
        if (lie("die-serving"))
            abort();
        if (lie("no-done"))
            say_kind(WARM_READY);
        say_done(lie("status") ? 7 : 0);
        if (lie("done-twice"))
            say_done(0);
        say_kind(WARM_READY);
    } while (strcmp(role, "restore") == 0);
    return 0;
}

int main(int argc, char **argv)
{
    const char *role = getenv(WARM_VARIABLE);
    bool monitor = strstr(argv[0], "vmm") != NULL;
    if (role == NULL && monitor) {
        printf("guest cold\n");
        return 0;
    }
    if (role == NULL)
        return 25;
    if (strcmp(role, "make") == 0)
        return make();
    if (lie("die-ready"))
        abort();
    if (lie("refuse-restored") && strcmp(role, "restore") == 0)
        return refuse();
    if (lie("garbage"))
        say("garbage", 7);
    say_kind(WARM_READY);
    if (monitor)
        return serve_as_monitor(role);
    if (lie("slow")) /* so that many requests are on their way at once */
        sleep(1);
    take_request();
    if (lie("shut-down") && shutdown(WARM_FD, SHUT_RDWR) < 0)
        return 27;
    close(WARM_FD);
    close(WARM_SNAPSHOT_FD);
    unsetenv(WARM_VARIABLE);
    if (argc > 1)
        execv(argv[1], argv + 1);
    return 26;
}
