/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a call: three descriptors and an environment in one message to whichever sandbox of the
 * function is waiting.
 *
 * The pipes are new for each call, never reused: a program can hand its ends to others or open them
 * again through /proc/self/fd, and what it keeps must be worthless afterwards. For the same reason
 * our ends are non-blocking whatever poll said: it can steal what we were told is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "gateway/core.h"
#include "gateway/env.h"

struct launch {
    int in_ours;   /* write end of stdin; -1: /dev/null or all is written */
    int in_theirs; /* -1: /dev/null */
    int out_ours;
    int out_theirs;
    int err_ours;
    int err_theirs;
};

static void launch_close(struct launch *launch)
{
    fd_close(&launch->in_ours);
    fd_close(&launch->in_theirs);
    fd_close(&launch->out_ours);
    fd_close(&launch->out_theirs);
    fd_close(&launch->err_ours);
    fd_close(&launch->err_theirs);
}

/*
 * A pipe belongs to the uid that made it, ours; the program may open its end again by name
 * (/dev/stdin, /dev/stdout), which asks for the mode of the pipe's inode.
 */
static void pipe_reopenable(int fd)
{
    fchmod(fd, 0666); /* where it fails, reopening fails: no reason to refuse the call */
}

/* A pipe from the program to us. */
static int pipe_from(int *out_ours, int *out_theirs)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    *out_ours = ends[0];
    *out_theirs = ends[1];
    pipe_reopenable(ends[1]);
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/*
 * stdin: nothing for a request without a body; else a pipe that holds what has come of it. A body
 * that is complete and no larger than PIPE_BUF is written without asking: an empty pipe has room
 * for it even where the kernel gives us its smallest pipes.
 */
static int stdin_make(const struct call *call, struct launch *launch)
{
    struct conn *conn = call->conn;
    uint32_t staged = conn->stage_to - conn->stage_from;
    if (conn->body.done && staged == 0)
        return 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    launch->in_theirs = ends[0];
    launch->in_ours = ends[1];
    pipe_reopenable(ends[0]);
    bool fits = conn->body.done && staged <= PIPE_BUF;
    if (!fits && fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    ssize_t n = staged > 0 ? write(ends[1], conn->in + conn->stage_from, staged) : 0;
    if (n < 0)
        return -errno;
    /* The stage stays as it is until the start has gone through: it may have to be made again. */
    if (conn->body.done && (uint32_t)n == staged)
        fd_close(&launch->in_ours);
    return (int)n;
}

static int environment_make(struct gateway *gw, struct call *call, struct start_header *header)
{
    struct conn *conn = call->conn;
    char id[CALL_ID_TEXT];
    call_id_text(gw, call->id, id);
    conn_request(gw, conn);
    struct env_input input = {
        .request = &gw->request,
        .route = &gw->route,
        .call_id = id,
        .remote_addr = conn->remote_addr,
        .remote_port = conn->remote_port,
        .server_port = conn->server_port,
        .length_known = conn->body.done || gw->request.has_length,
        .length = gw->request.has_length ? gw->request.content_length : conn->body.total,
    };
    uint32_t count = 0, bytes = 0;
    int status = env_build(&input, gw->env, sizeof(gw->env), &count, &bytes);
    if (status != 0)
        return status;
    start_header_init(header, call->id, gw->epoch, count, bytes);
    return 0;
}

/* What the call keeps once a sandbox has its start message. */
static void launch_keep(struct call *call, struct launch *launch, uint32_t written)
{
    struct conn *conn = call->conn;
    conn->stage_from += written;
    call->started = true;
    call->in.fd = launch->in_ours;
    call->out.fd = launch->out_ours;
    call->err.fd = launch->err_ours;
    launch->in_ours = launch->out_ours = launch->err_ours = -1;
    call->in_gone =
        call->in.fd < 0; /* of /dev/null and of what is written whole nothing is to come */
}

static int refuse(struct call *call, int status, const char *why)
{
    call_note(call, status, why);
    return -1;
}

int call_start(struct gateway *gw, struct call *call)
{
    struct start_header header;
    int status = environment_make(gw, call, &header);
    if (status == 431)
        return refuse(call, 431, "the request's headers do not fit into an environment");
    if (status != 0)
        return refuse(call, status, "the path has a bad percent-encoding");
    struct launch launch = {-1, -1, -1, -1, -1, -1};
    int written = stdin_make(call, &launch);
    int rc = written < 0 ? written : pipe_from(&launch.out_ours, &launch.out_theirs);
    if (rc == 0)
        rc = pipe_from(&launch.err_ours, &launch.err_theirs);
    if (rc == 0) {
        bool empty = launch.in_theirs < 0;
        if (empty)
            header.flags |= START_EMPTY_STDIN;
        int fds[3] = {empty ? gw->dev_null : launch.in_theirs, launch.out_theirs,
                      launch.err_theirs};
        rc = start_send(call->channel->start.fd, &header, gw->env, fds);
    }
    if (rc == 0) {
        call->clock.at_ns[STAGE_SENT] = clock_now_ns();
        launch_keep(call, &launch, (uint32_t)written);
    }
    launch_close(&launch);
    switch (rc) {
    case 0:
        return 0;
    case -EAGAIN:
    case -ETOOMANYREFS: /* too many descriptors are on their way: as a full socket */
        return -EAGAIN;
    case -EPIPE:
    case -ECONNRESET:
    case -ENOTCONN:
        return -EPIPE;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        return refuse(call, 503, "out of file descriptors or memory");
    case -E2BIG:
    case -EMSGSIZE:
        return refuse(call, 431, "the request's headers do not fit into an environment");
    default:
        return refuse(call, 500, "the call could not be started");
    }
}
