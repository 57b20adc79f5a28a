/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/life.h"

#include <assert.h>

/* Rows by state, columns by event; a short hand for the cells. */
#define GO(state, act)                                                                             \
    {                                                                                              \
        .next = LIFE_##state, .action = LIFE_##act                                                 \
    }
#define BUG(state) GO(state, IMPOSSIBLE)

static const struct life_step table[LIFE_STATES][LIFE_EVENTS] =
    {
        [LIFE_GATHERING] =
            {
                [LIFE_EV_READY] = GO(QUEUED, ENQUEUE),
                [LIFE_EV_NO_ROOM] = GO(ENDED, ANSWER_BUSY),
                [LIFE_EV_STARTED] = BUG(GATHERING),
                [LIFE_EV_UNSTARTABLE] = BUG(GATHERING),
                [LIFE_EV_COMMITTED] = BUG(GATHERING),
                [LIFE_EV_EXITED] = BUG(GATHERING),
                [LIFE_EV_LOST] = BUG(GATHERING),
                [LIFE_EV_DEADLINE] = GO(ENDED, ANSWER_SLOW),
                [LIFE_EV_REMOVED] = GO(ENDED, ANSWER_REMOVED),
                [LIFE_EV_REFUSED] = GO(ENDED, ANSWER_REFUSED),
                [LIFE_EV_GONE] = GO(GONE, RELEASE),
                [LIFE_EV_ANSWERED] = BUG(GATHERING),
            },
        [LIFE_QUEUED] =
            {
                [LIFE_EV_READY] = BUG(QUEUED),
                [LIFE_EV_NO_ROOM] = GO(ENDED, ANSWER_BUSY),
                [LIFE_EV_STARTED] = GO(RUNNING, WATCH),
                [LIFE_EV_UNSTARTABLE] = GO(ENDED, ANSWER_REFUSED),
                [LIFE_EV_COMMITTED] = BUG(QUEUED),
                [LIFE_EV_EXITED] = BUG(QUEUED),
                [LIFE_EV_LOST] = GO(QUEUED, NOTHING), /* the next zygote takes it */
                [LIFE_EV_DEADLINE] = GO(ENDED, ANSWER_WAITED),
                [LIFE_EV_REMOVED] = GO(ENDED, ANSWER_REMOVED),
                [LIFE_EV_REFUSED] = GO(ENDED, ANSWER_REFUSED),
                [LIFE_EV_GONE] = GO(GONE, DROP),
                [LIFE_EV_ANSWERED] = BUG(QUEUED),
            },
        [LIFE_RUNNING] =
            {
                [LIFE_EV_READY] = BUG(RUNNING),
                [LIFE_EV_NO_ROOM] = BUG(RUNNING),
                [LIFE_EV_STARTED] = BUG(RUNNING),
                [LIFE_EV_UNSTARTABLE] = BUG(RUNNING),
                [LIFE_EV_COMMITTED] = GO(STREAMING, STREAM),
                [LIFE_EV_EXITED] = GO(ENDED, ANSWER_EXIT),
                [LIFE_EV_LOST] = GO(ENDED, ANSWER_LOST),
                [LIFE_EV_DEADLINE] = GO(EXPIRING, KILL),
                [LIFE_EV_REMOVED] = GO(RUNNING, NOTHING), /* what runs may finish */
                [LIFE_EV_REFUSED] = GO(ORPHAN, KILL_REFUSE),
                [LIFE_EV_GONE] = GO(ORPHAN, KILL),
                [LIFE_EV_ANSWERED] = BUG(RUNNING),
            },
        [LIFE_STREAMING] =
            {
                [LIFE_EV_READY] = BUG(STREAMING),
                [LIFE_EV_NO_ROOM] = BUG(STREAMING),
                [LIFE_EV_STARTED] = BUG(STREAMING),
                [LIFE_EV_UNSTARTABLE] = BUG(STREAMING),
                [LIFE_EV_COMMITTED] = BUG(STREAMING),
                [LIFE_EV_EXITED] = GO(ENDED, END_STREAM),
                [LIFE_EV_LOST] = GO(ENDED, ABORT_STREAM),
                [LIFE_EV_DEADLINE] = GO(ORPHAN, KILL_ABORT),
                [LIFE_EV_REMOVED] = GO(STREAMING, NOTHING),
                [LIFE_EV_REFUSED] = GO(ORPHAN, KILL_ABORT),
                [LIFE_EV_GONE] = GO(ORPHAN, KILL),
                [LIFE_EV_ANSWERED] = BUG(STREAMING),
            },
        [LIFE_EXPIRING] =
            {
                [LIFE_EV_READY] = BUG(EXPIRING),
                [LIFE_EV_NO_ROOM] = BUG(EXPIRING),
                [LIFE_EV_STARTED] = BUG(EXPIRING),
                [LIFE_EV_UNSTARTABLE] = BUG(EXPIRING),
                [LIFE_EV_COMMITTED] =
                    GO(EXPIRING, NOTHING), /* its output does not count any more */
                [LIFE_EV_EXITED] = GO(ENDED, ANSWER_EXPIRED),
                [LIFE_EV_LOST] = GO(ENDED, ANSWER_EXPIRED),
                [LIFE_EV_DEADLINE] = GO(ORPHAN, KILL_EXPIRED),
                [LIFE_EV_REMOVED] = GO(EXPIRING, NOTHING),
                [LIFE_EV_REFUSED] = GO(EXPIRING, NOTHING), /* 504 it is */
                [LIFE_EV_GONE] = GO(ORPHAN, KILL), /* again; and it lets go of its connection */
                [LIFE_EV_ANSWERED] = BUG(EXPIRING),
            },
        [LIFE_ORPHAN] =
            {
                [LIFE_EV_READY] = BUG(ORPHAN),
                [LIFE_EV_NO_ROOM] = BUG(ORPHAN),
                [LIFE_EV_STARTED] = BUG(ORPHAN),
                [LIFE_EV_UNSTARTABLE] = BUG(ORPHAN),
                [LIFE_EV_COMMITTED] = GO(ORPHAN, NOTHING),
                [LIFE_EV_EXITED] = GO(GONE, RELEASE),
                [LIFE_EV_LOST] = GO(GONE, RELEASE),
                [LIFE_EV_DEADLINE] = GO(ORPHAN, KILL), /* the kill may not have gone through */
                [LIFE_EV_REMOVED] = GO(ORPHAN, NOTHING),
                [LIFE_EV_REFUSED] = BUG(ORPHAN),
                [LIFE_EV_GONE] = BUG(ORPHAN),
                [LIFE_EV_ANSWERED] = BUG(ORPHAN),
            },
        [LIFE_ENDED] =
            {
                [LIFE_EV_READY] = BUG(ENDED),
                [LIFE_EV_NO_ROOM] = BUG(ENDED),
                [LIFE_EV_STARTED] = BUG(ENDED),
                [LIFE_EV_UNSTARTABLE] = BUG(ENDED),
                [LIFE_EV_COMMITTED] = BUG(ENDED),
                [LIFE_EV_EXITED] = BUG(ENDED),
                [LIFE_EV_LOST] = BUG(ENDED),
                [LIFE_EV_DEADLINE] =
                    GO(ENDED, NOTHING), /* how long sending may take is the connection's */
                [LIFE_EV_REMOVED] = GO(ENDED, NOTHING),
                [LIFE_EV_REFUSED] = GO(ENDED, NOTHING), /* the answer is decided */
                [LIFE_EV_GONE] = GO(GONE, RELEASE),
                [LIFE_EV_ANSWERED] = GO(GONE, RELEASE),
            },
        [LIFE_GONE] =
            {
                [LIFE_EV_READY] = BUG(GONE),
                [LIFE_EV_NO_ROOM] = BUG(GONE),
                [LIFE_EV_STARTED] = BUG(GONE),
                [LIFE_EV_UNSTARTABLE] = BUG(GONE),
                [LIFE_EV_COMMITTED] = BUG(GONE),
                [LIFE_EV_EXITED] = BUG(GONE),
                [LIFE_EV_LOST] = BUG(GONE),
                [LIFE_EV_DEADLINE] = BUG(GONE),
                [LIFE_EV_REMOVED] = BUG(GONE),
                [LIFE_EV_REFUSED] = BUG(GONE),
                [LIFE_EV_GONE] = BUG(GONE),
                [LIFE_EV_ANSWERED] = BUG(GONE),
            },
};

struct life_step life_step(enum life_state state, enum life_event event)
{
    static_assert(LIFE_STATES == 8 && LIFE_EVENTS == 12, "a new state or event needs its cells");
    if ((unsigned int)state >= LIFE_STATES || (unsigned int)event >= LIFE_EVENTS)
        return (struct life_step)BUG(GONE);
    return table[state][event];
}

const char *life_state_name(enum life_state state)
{
    static const char *const names[LIFE_STATES] = {
        "gathering", "queued", "running", "streaming", "expiring", "orphan", "ended", "gone",
    };
    return (unsigned int)state < LIFE_STATES ? names[state] : "unknown";
}

const char *life_event_name(enum life_event event)
{
    static const char *const names[LIFE_EVENTS] = {
        "READY", "NO_ROOM",  "STARTED", "UNSTARTABLE", "COMMITTED", "EXITED",
        "LOST",  "DEADLINE", "REMOVED", "REFUSED",     "GONE",      "ANSWERED",
    };
    return (unsigned int)event < LIFE_EVENTS ? names[event] : "UNKNOWN";
}
