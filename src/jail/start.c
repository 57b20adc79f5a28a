/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's side of start.h, and the check of a start message that the sandbox runs on its own
 * copy before it uses a byte of it. The check is pure: it is what the fuzzer of start messages
 * calls.
 */
#include "jail/start.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/packet.h"

void start_header_init(struct start_header *header, uint64_t call_id, uint32_t epoch,
                       uint32_t env_count, uint32_t env_bytes)
{
    *header = (struct start_header){
        .magic = START_MAGIC,
        .version = START_VERSION,
        .call_id = call_id,
        .sent_ns = clock_now_ns(),
        .epoch = epoch,
        .env_count = env_count,
        .env_bytes = env_bytes,
    };
}

int start_send(int start_sock, const struct start_header *header, const char *env, const int fds[3])
{
    if (header->env_bytes > START_ENV_MAX || header->env_count > START_ENV_STRINGS)
        return -E2BIG;
    struct iovec parts[2] = {
        {.iov_base = (void *)(uintptr_t)header, .iov_len = sizeof(*header)},
        {.iov_base = (void *)(uintptr_t)env, .iov_len = header->env_bytes},
    };
    return packet_send(start_sock, parts, header->env_bytes > 0 ? 2 : 1, fds, 3, MSG_DONTWAIT);
}

int start_check(const void *message, size_t size, uint32_t fd_count)
{
    struct start_header header;
    if (size < sizeof(header) || fd_count != 3)
        return -EINVAL;
    memcpy(&header, message, sizeof(header));
    if (header.magic != START_MAGIC || header.version != START_VERSION || header.call_id == 0)
        return -EINVAL;
    if (header.env_bytes > START_ENV_MAX || header.env_count > START_ENV_STRINGS ||
        header.env_bytes != size - sizeof(header))
        return -EINVAL;
    const char *env = (const char *)message + sizeof(header);
    uint32_t found = 0;
    for (uint32_t i = 0; i < header.env_bytes; i++)
        found += env[i] == '\0';
    if (header.env_bytes > 0 && env[header.env_bytes - 1] != '\0')
        return -EINVAL;
    return found == header.env_count ? 0 : -EINVAL;
}

int report_recv(int report_sock, struct exit_report *out)
{
    struct exit_report report;
    ssize_t n = packet_recv(report_sock, &report, sizeof(report), NULL, 0, NULL, MSG_DONTWAIT);
    if (n == -EMSGSIZE)
        return -EBADMSG;
    if (n <= 0)
        return (int)n;
    if (n != sizeof(report) || report.magic != START_MAGIC || report.version != START_VERSION)
        return -EBADMSG;
    *out = report;
    return 1;
}

int kill_send(int report_sock, uint64_t call_id, uint32_t epoch)
{
    struct kill_request request = {
        .magic = START_MAGIC, .version = START_VERSION, .call_id = call_id, .epoch = epoch};
    struct iovec part = {.iov_base = &request, .iov_len = sizeof(request)};
    return packet_send(report_sock, &part, 1, NULL, 0, MSG_DONTWAIT);
}
