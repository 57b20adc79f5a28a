/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from and to the supervisor. When it is gone there is nothing left to serve for: we end.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/packet.h"
#include "gateway/core.h"

bool link_send(struct gateway *gw, enum link_kind kind, uint32_t index, uint64_t generation,
               uint64_t value)
{
    struct link_message message = {
        .kind = kind, .index = index, .generation = generation, .value = value};
    struct iovec part = {&message, sizeof(message)};
    int rc = packet_send(gw->link.fd, &part, 1, NULL, 0, MSG_DONTWAIT);
    if (rc < 0 && rc != -EAGAIN && rc != -EPIPE)
        log_error("message %d to the supervisor: errno %d", (int)kind, -rc);
    return rc == 0;
}

static void message_take(struct gateway *gw, const struct link_message *message, const int *fds,
                         size_t fd_count)
{
    bool put = message->kind == LINK_FUNCTION_PUT;
    bool fits = put ? fd_count == 3 || fd_count == 1 : fd_count == 0;
    if (!fits) {
        log_error("message %u from the supervisor has %zu descriptors", message->kind, fd_count);
        for (size_t i = 0; i < fd_count; i++)
            close(fds[i]);
        return;
    }
    switch (message->kind) {
    case LINK_FUNCTION_PUT:
        function_put(gw, message, fds, fd_count);
        return;
    case LINK_FUNCTION_DEL:
        function_del(gw, message);
        return;
    case LINK_SLOTS:
        function_slots(gw, message);
        return;
    case LINK_FUNCTION_DOWN:
        function_down(gw, message);
        return;
    case LINK_FUNCTION_FAILED:
        function_failed(gw, message);
        return;
    case LINK_DRAIN:
        gw->draining = true;
        return;
    case LINK_SERVE:
        gateway_serve(gw);
        return;
    default:
        log_error("unknown message %u from the supervisor", message->kind);
    }
}

void link_event(struct gateway *gw)
{
    for (int i = 0; i < 256; i++) {
        struct link_message message;
        int fds[3];
        size_t fd_count = 0;
        ssize_t n =
            packet_recv(gw->link.fd, &message, sizeof(message), fds, 3, &fd_count, MSG_DONTWAIT);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            gw->ended = true;
            return;
        }
        if (n == sizeof(message)) {
            message_take(gw, &message, fds, fd_count);
            continue;
        }
        log_error("a message of %zd bytes from the supervisor", n);
        for (size_t k = 0; k < fd_count; k++)
            close(fds[k]);
    }
}
