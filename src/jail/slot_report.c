/* SPDX-License-Identifier: Apache-2.0 */
/* What a slot tells the gateway when a call has ended. Raw calls only: shared memory, see zygote.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "jail/raw.h"
#include "jail/slot.h"
#include "jail/warm.h"

uint64_t slot_read_oom_kills(const struct slot *slot)
{
    char text[256];
    static const char key[] = "oom_kill ";
    if (slot->events_fd < 0)
        return 0;
    long size = raw4(SYS_pread64, slot->events_fd, text, sizeof(text) - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    for (char *at = text; *at != '\0'; at++) {
        if (strncmp(at, key, sizeof(key) - 1) != 0)
            continue;
        uint64_t value = 0;
        for (at += sizeof(key) - 1; *at >= '0' && *at <= '9'; at++)
            value = value * 10 + (uint64_t)(*at - '0');
        return value;
    }
    return 0;
}

static uint64_t timeval_us(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

static uint32_t report_flags(struct slot *slot, int status)
{
    uint32_t flags = 0;
    if (slot->furnished_ns < slot->sent_ns)
        flags |= REPORT_POOLED;
    if (slot->role == WARM_ROLE_RESTORE)
        flags |= REPORT_RESTORED;
    if (slot->inner_oom)
        flags |= REPORT_OOM;
    if (atomic_load(&slot->killed))
        flags |= REPORT_KILLED;
    if (atomic_load(&slot->net_used))
        flags |= REPORT_NET;
    if (status != 0) {
        uint64_t kills = slot_read_oom_kills(slot);
        if (kills > slot->oom_kills)
            flags |= REPORT_OOM;
        slot->oom_kills = kills;
    }
    return flags;
}

void slot_report(struct slot *slot, int status, const struct rusage *usage)
{
    struct exit_report message = {
        .magic = START_MAGIC,
        .version = START_VERSION,
        .kind = REPORT_EXIT,
        .call_id = atomic_load(&slot->call),
        .epoch = slot->epoch,
        .wait_status = status,
        .exec_errno = slot->exec_errno,
        .clone_ns = slot->clone_ns,
        .cloned_ns = slot->cloned_ns,
        .furnished_ns = slot->furnished_ns,
        .taken_ns = slot->taken_ns,
        .exec_ns = slot->exec_ns,
        .exit_ns = slot->exit_ns,
        .prev_cleaned_ns = slot->cleaned_ns,
        .user_us = timeval_us(&usage->ru_utime),
        .system_us = timeval_us(&usage->ru_stime),
        .reset_ns = slot->role == WARM_ROLE_RESTORE ? slot->cleaned_ns : 0,
        .maxrss_kib = (uint64_t)usage->ru_maxrss,
    };
    if (slot->bad_start)
        message.kind = REPORT_BAD_START;
    else if (slot->exec_errno != 0)
        message.kind = REPORT_EXEC_FAILED;
    else if (message.call_id == 0)
        return; /* it never took a request: nobody waits for it */
    memcpy(message.inner_ns, slot->inner_ns, sizeof(message.inner_ns));
    message.flags = report_flags(slot, status);
    long result;
    do {
        result =
            raw6(SYS_sendto, zygote.report, RAW_ARG(&message), sizeof(message), MSG_NOSIGNAL, 0, 0);
    } while (result == -EINTR);
    /* Not before: pid 1 may be killed here, and then the spawner must report. Told twice does no
     * harm, the second finds no call. */
    slot->reported = 1;
}
