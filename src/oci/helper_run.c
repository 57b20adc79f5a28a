/* SPDX-License-Identifier: Apache-2.0 */
/* See helper_run.h. */
#include "oci/helper_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

struct helper {
    pid_t pid;
    int in; /* our ends; a socket, so that a helper that does not read is an error and no signal */
    int out;
    int messages;
};

static int spawn(char *const argv[], int in, int out, int messages, pid_t *pid)
{
    static char *const no_environment[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, messages, STDERR_FILENO);
    int result = -posix_spawn(pid, argv[0], &files, &attributes, argv, no_environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return result;
}

static int start(char *const argv[], struct helper *helper, struct err *err)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    int messages[2] = {-1, -1};
    int result = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
        pipe2(messages, O_CLOEXEC) < 0)
        result = -errno;
    else
        result = spawn(argv, in[1], out[1], messages[1], &helper->pid);
    fd_close(&in[1]);
    fd_close(&out[1]);
    fd_close(&messages[1]);
    helper->in = in[0];
    helper->out = out[0];
    helper->messages = messages[0];
    return result < 0 ? err_set(err, -result, "start %s:", argv[0]) : 0;
}

/* What is still to be sent, and what has come. */
struct talk {
    const char *input;
    size_t input_left;
    char *answer;
    size_t answer_size;
    size_t answer_max;
    char said[ERR_TEXT_MAX - 100];
    size_t said_size;
};

static void send_some(struct helper *helper, struct talk *talk)
{
    ssize_t sent = send(helper->in, talk->input, talk->input_left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
        talk->input += sent;
        talk->input_left -= (size_t)sent;
    }
    if (talk->input_left == 0 || (sent < 0 && errno != EAGAIN && errno != EINTR))
        fd_close(&helper->in);
}

static int read_answer(struct helper *helper, struct talk *talk)
{
    char rest[16];
    bool full = talk->answer_size == talk->answer_max;
    char *to = full ? rest : talk->answer + talk->answer_size;
    ssize_t size =
        read(helper->out, to, full ? sizeof(rest) : talk->answer_max - talk->answer_size);
    if (size > 0 && full)
        return -EFBIG;
    if (size > 0)
        talk->answer_size += (size_t)size;
    else if (size == 0 || errno != EINTR)
        fd_close(&helper->out);
    return 0;
}

static void read_message(struct helper *helper, struct talk *talk)
{
    char text[256];
    ssize_t size = read(helper->messages, text, sizeof(text));
    for (ssize_t i = 0; i < size && talk->said_size + 1 < sizeof(talk->said); i++)
        talk->said[talk->said_size++] = text[i];
    if (size == 0 || (size < 0 && errno != EINTR))
        fd_close(&helper->messages);
}

static int exchange(struct helper *helper, struct talk *talk)
{
    int result = 0;
    if (talk->input_left == 0)
        fd_close(&helper->in);
    while (result == 0 && (helper->out >= 0 || helper->messages >= 0)) {
        struct pollfd wait[] = {
            {helper->in, POLLOUT, 0}, {helper->out, POLLIN, 0}, {helper->messages, POLLIN, 0}};
        if (poll(wait, 3, -1) < 0 && errno != EINTR)
            return -errno;
        if (wait[0].revents != 0)
            send_some(helper, talk);
        if (wait[1].revents != 0)
            result = read_answer(helper, talk);
        if (wait[2].revents != 0)
            read_message(helper, talk);
    }
    return result;
}

static int talk_to_end(char *const argv[], struct helper *helper, struct talk *talk,
                       struct err *err)
{
    int status = 0;
    int result = exchange(helper, talk);
    if (result < 0)
        err_set(err, -result, "talk to %s:", argv[0]);
    fd_close(&helper->out); /* one that still writes ends by that */
    while (waitpid(helper->pid, &status, 0) < 0 && errno == EINTR)
        ;
    while (talk->said_size > 0 && talk->said[talk->said_size - 1] == '\n')
        talk->said_size--;
    talk->said[talk->said_size] = '\0';
    if (result == 0 && status != 0)
        result = err_set(err, EIO, "%s",
                         talk->said_size > 0 ? talk->said : "a helper ended without a word");
    return result;
}

int oci_helper_run(char *const argv[], const char *input, size_t input_size, size_t out_max,
                   char **out, size_t *out_size, struct err *err)
{
    struct helper helper = {.pid = 0, .in = -1, .out = -1, .messages = -1};
    struct talk talk = {.input = input, .input_left = input_size, .answer_max = out_max};
    talk.answer = malloc(out_max + 1);
    int result = talk.answer != NULL ? start(argv, &helper, err) : err_set(err, ENOMEM, "helper:");
    if (result == 0)
        result = talk_to_end(argv, &helper, &talk, err);
    fd_close(&helper.in);
    fd_close(&helper.out);
    fd_close(&helper.messages);
    if (result < 0 || talk.answer == NULL) {
        free(talk.answer);
        return result;
    }
    talk.answer[talk.answer_size] = '\0';
    *out = talk.answer;
    *out_size = talk.answer_size;
    return 0;
}
