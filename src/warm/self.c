/* SPDX-License-Identifier: Apache-2.0 */
#include "warm/self.h"

#include <sys/socket.h>

#include "jail/raw.h"
#include "skerry/abi/warm.h"
#include "warm/plain.h"

struct self self = {.socket = WARM_FD, .snapshot = WARM_SNAPSHOT_FD};

static void send_message(const void *message, size_t bytes)
{
    raw6(SYS_sendto, self.socket, RAW_ARG(message), (long)bytes, MSG_NOSIGNAL, 0, 0);
}

void say(uint32_t kind)
{
    struct warm_head head = {WARM_MAGIC, kind};
    send_message(&head, sizeof(head));
}

void leave(int status)
{
    for (;;)
        raw1(SYS_exit_group, status);
}

static struct warm_refusal refusal;

void refuse(const char *reason, const char *name)
{
    size_t used = 0;
    refusal.head = (struct warm_head){WARM_MAGIC, WARM_REFUSED};
    text_add(refusal.reason, sizeof(refusal.reason), &used, reason);
    if (name != NULL)
        text_add(refusal.reason, sizeof(refusal.reason), &used, name);
    send_message(&refusal, sizeof(refusal));
    leave(1);
}

void refuse_error(const char *what, long error)
{
    char text[128];
    size_t used = 0;
    text_add(text, sizeof(text), &used, what);
    text_add(text, sizeof(text), &used, ": error ");
    text_add_number(text, sizeof(text), &used, (uint64_t)-error);
    refuse(text, NULL);
}
