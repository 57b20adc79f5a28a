/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole admin connection: the input is what a client sends (with the right password, or without)
 * and, after a zero byte, what a function has written to its log. Whatever comes is answered or
 * dropped; an answer is a status line and, but for logs, JSON or text of the length it says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/api_core.h"

static struct api api = {
    .options = {.link = -1, .listener = -1, .handoff = -1, .password = "secret"}};
static int log_file = -1;

static void begin(void)
{
    static struct ctl_message message = {.kind = CTL_FUNCTION, .generation = 1};
    api.epoll = epoll_create1(EPOLL_CLOEXEC);
    log_file = memfd_create("log", MFD_CLOEXEC);
    function_init(&message.spec);
    strcpy(message.spec.name, "f");
    strcpy(message.spec.image, "i");
    if (api.epoll < 0 || log_file < 0 || api_table_update(&api.table, &message, dup(log_file)) < 0)
        abort();
}

static void write_log(const uint8_t *data, size_t size)
{
    if (ftruncate(log_file, 0) < 0 || pwrite(log_file, data, size, 0) != (ssize_t)size)
        abort();
}

/* What was answered must begin as an answer does. */
static void check_answer(int fd)
{
    static char answer[1 << 20];
    ssize_t size = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
    static const char begins[] = "HTTP/1.1 ";
    if (size > 0 &&
        ((size_t)size < sizeof(begins) || memcmp(answer, begins, sizeof(begins) - 1) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    if (log_file < 0)
        begin();
    const uint8_t *zero = memchr(data, 0, size);
    size_t request = zero == NULL ? size : (size_t)(zero - data);
    if (zero != NULL)
        write_log(zero + 1, size - request - 1);
    if (request > 32 * 1024 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return 0;
    api.now_ns = clock_now_ns();
    /* half of it was read by the gateway already */
    api_conn_open(&api, ends[1], request % 2 == 0, (const char *)data, request / 2);
    (void)!send(ends[0], data + request / 2, request - request / 2, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (api.conn_count > 0)
        api_conn_event(&api, api.conns[0], EPOLLIN);
    check_answer(ends[0]);
    close(ends[0]);
    if (api.conn_count > 0)
        api_conn_event(&api, api.conns[0], EPOLLIN | EPOLLHUP);
    api_conns_end(&api);
    return 0;
}
