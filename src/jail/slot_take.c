/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a sandbox takes its request: a start message and three descriptors from the template's start
 * socket, by the process that becomes the program or, before a warm one, by pid 1. Raw calls only:
 * shared memory, see zygote.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "jail/raw.h"
#include "jail/slot.h"

/* Waits for a start message; returns its size and exactly the descriptors that came. */
static long receive(struct slot *slot, int fds[3], uint32_t *fd_count)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    struct iovec part = {slot->message, MESSAGE_SIZE};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    long size;
    do {
        size = raw3(SYS_recvmsg, zygote.start, &message, MSG_CMSG_CLOEXEC);
    } while (size == -EINTR);
    *fd_count = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); size > 0 && head;
         head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        uint32_t count = (uint32_t)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        if (*fd_count == 0 && count <= 3)
            memcpy(fds, CMSG_DATA(head), count * sizeof(int));
        *fd_count += count;
    }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        *fd_count = UINT32_MAX; /* not a message of ours: start_check refuses it */
    return size;
}

static int call_was_killed(uint64_t call)
{
    for (unsigned int i = 0; i < KILLED_RING; i++) {
        if (atomic_load(&zygote.killed_calls[i]) == call)
            return 1;
    }
    return 0;
}

/*
 * Takes start messages until one is to be run. Stale ones (an earlier gateway's) are dropped with
 * their descriptors. Does not return when there is nothing to run.
 */
static struct start_header next_start(struct slot *slot, int fds[3])
{
    struct start_header header;
    for (;;) {
        uint32_t fd_count = 0;
        long size = receive(slot, fds, &fd_count);
        if (size <= 0)
            slot_leave(1); /* nobody holds the near end any more */
        struct start_retire retire;
        memcpy(&retire, slot->message, sizeof(retire));
        if (size == sizeof(retire) && retire.magic == START_RETIRE_MAGIC && fd_count == 0) {
            atomic_store(&slot->retired, 1);
            slot_leave(0);
        }
        if (start_check(slot->message, (size_t)size, fd_count) < 0) {
            slot->bad_start = 1;
            slot_leave(1);
        }
        memcpy(&header, slot->message, sizeof(header));
        if (header.epoch == atomic_load(&zygote.epoch))
            return header;
        for (int i = 0; i < 3; i++)
            raw1(SYS_close, fds[i]);
    }
}

struct start_header slot_take(struct slot *slot, int fds[3])
{
    struct start_header header = next_start(slot, fds);
    slot->epoch = header.epoch;
    slot->sent_ns = header.sent_ns;
    slot->taken_ns = clock_now_ns();
    atomic_store(&slot->call, header.call_id);
    /* said before, read after: a kill or a new gateway that comes meanwhile finds the call */
    if (call_was_killed(header.call_id) || header.epoch != atomic_load(&zygote.epoch)) {
        atomic_store(&slot->killed, 1);
        slot_leave(1);
    }
    return header;
}

_Noreturn void slot_leave(int status)
{
    raw1(SYS_exit_group, status);
    __builtin_unreachable();
}
