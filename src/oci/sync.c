/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/sync.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

int sync_send(int sock, enum sync_kind kind, uint32_t value, const struct err *why)
{
    struct sync_message message = {.kind = kind, .value = value};
    size_t size = offsetof(struct sync_message, why);
    if (why != NULL) {
        message.why = *why;
        size = sizeof(message);
    }
    ssize_t n;
    do {
        n = send(sock, &message, size, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int sync_recv(int sock, uint32_t *out_value, struct err *err)
{
    struct sync_message message;
    ssize_t n;
    do {
        n = recv(sock, &message, sizeof(message), 0);
    } while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return SYNC_END;
    if (n < 0)
        return err_set(err, errno, "speak with the container's init:");
    if ((size_t)n < offsetof(struct sync_message, why))
        return err_set(err, EPROTO, "speak with the container's init: a message is too short");
    if (message.kind == SYNC_FAILED && (size_t)n == sizeof(message) && err != NULL) {
        *err = message.why;
        err->text[sizeof(err->text) - 1] = '\0';
    }
    if (out_value != NULL)
        *out_value = message.value;
    return (int)message.kind;
}
