/* SPDX-License-Identifier: Apache-2.0 */
/* The request of a restored program. Its environment is received where the program has room for it,
 * behind its own. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "jail/raw.h"
#include "skerry/abi/warm.h"
#include "warm/plain.h"
#include "warm/restore.h"
#include "warm/self.h"

static void add_environment(const struct head *head, uint32_t count, uint64_t bytes)
{
    static uint64_t at[ENV_SLOTS];
    const struct task *task = &head->task;
    uint64_t text = task->env_text, end = text + bytes;
    for (uint32_t i = 0; i < count; i++) {
        at[i] = text;
        while (text < end && *(const char *)text)
            text++;
        if (text++ >= end)
            leave(1); /* fewer strings than it said */
    }
    if (text != end)
        leave(1);
    for (uint32_t i = 0; i < task->env_place_count; i++) {
        uint64_t *slots = (uint64_t *)task->env_places[i];
        memcpy(slots, at, count * sizeof(*at));
        if (count < ENV_SLOTS && slots[ENV_SLOTS] == 0)
            slots[count] = 0; /* else something follows: the rest stays empty strings */
    }
    struct mm_layout mm = task->mm;
    mm.env_end = end;
    raw5(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &mm, sizeof(mm), 0);
}

/* Exactly three descriptors, or the end. */
static void take_fds(struct msghdr *message, int fds[3])
{
    struct cmsghdr *first = CMSG_FIRSTHDR(message);
    if (first == NULL || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_RIGHTS ||
        first->cmsg_len != CMSG_LEN(3 * sizeof(int)) ||
        (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        leave(1);
    memcpy(fds, CMSG_DATA(first), 3 * sizeof(int));
}

void request_take(const struct head *head)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(3 * sizeof(int))];
    } control = {{0}};
    struct warm_request request = {{0, 0}, 0, 0};
    uint64_t room = head->task.env_text_bytes;
    struct iovec parts[2] = {{&request, sizeof(request)}, {(void *)head->task.env_text, room}};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int fds[3];
    say(WARM_READY);
    long bytes;
    do {
        bytes = raw3(SYS_recvmsg, self.socket, &message, MSG_CMSG_CLOEXEC);
    } while (bytes == -EINTR);
    if (bytes <= 0)
        leave(0); /* nobody asks any more */
    take_fds(&message, fds);
    uint64_t env_bytes = (uint64_t)bytes - sizeof(request);
    if ((uint64_t)bytes < sizeof(request) || request.head.magic != WARM_MAGIC ||
        request.head.kind != WARM_REQUEST || request.env_bytes != env_bytes ||
        request.env_count > ENV_SLOTS)
        leave(1);
    add_environment(head, request.env_count, env_bytes);
    for (int i = 0; i < 3; i++) {
        raw3(SYS_dup3, fds[i], i, 0);
        raw1(SYS_close, fds[i]);
    }
    raw1(SYS_close, self.socket);
}
