/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a call, from the request's head to the last byte of its answer, as a table of state x
 * event in which every cell is decided. The table is pure: whoever owns the call (the gateway)
 * feeds events and carries out the action of the cell. What must never happen is a cell too
 * (LIFE_IMPOSSIBLE): it is logged and ends the call, never ignored.
 *
 *   gathering -READY-> queued -STARTED-> running -EXITED-> ended -ANSWERED-> gone
 *                                          |  \-COMMITTED-> streaming -EXITED-> ended
 *                                          \-DEADLINE-> expiring -EXITED-> ended (504)
 *   a client that leaves: running, streaming, expiring -> orphan -EXITED-> gone
 */
#ifndef SKERRY_SANDBOX_LIFE_H
#define SKERRY_SANDBOX_LIFE_H

enum life_state {
    LIFE_GATHERING = 0, /* the body is being received; nothing is started */
    LIFE_QUEUED,        /* waits for a sandbox */
    LIFE_RUNNING,       /* a sandbox has it; nothing of the answer is sent */
    LIFE_STREAMING,     /* a sandbox has it; the answer's head is sent */
    LIFE_EXPIRING,      /* its sandbox is being killed for the deadline; the client waits for 504 */
    LIFE_ORPHAN,        /* its sandbox is being killed; nobody waits for it */
    LIFE_ENDED,         /* its sandbox is dead (or never was); the answer is being sent */
    LIFE_GONE,          /* nothing is left of it */
    LIFE_STATES
};

enum life_event {
    LIFE_EV_READY = 0,   /* enough of the body is here to start */
    LIFE_EV_NO_ROOM,     /* the function's queue is full */
    LIFE_EV_STARTED,     /* the start message is sent */
    LIFE_EV_UNSTARTABLE, /* it cannot be started (environment too large, no descriptors) */
    LIFE_EV_COMMITTED,   /* output beyond the buffer, or a streaming function's first byte */
    LIFE_EV_EXITED,      /* the exit report came: everything in the sandbox is dead */
    LIFE_EV_LOST,        /* the zygote or the sandbox's slot died */
    LIFE_EV_DEADLINE,    /* the timer of the current state fired */
    LIFE_EV_REMOVED,     /* the function was removed */
    LIFE_EV_REFUSED,     /* its body, or its output's head, is refused (the status is noted) */
    LIFE_EV_GONE,        /* the client went away */
    LIFE_EV_ANSWERED,    /* the last byte of the answer is sent */
    LIFE_EVENTS
};

enum life_action {
    LIFE_NOTHING = 0,
    LIFE_ENQUEUE,        /* start it now or put it into the queue */
    LIFE_WATCH,          /* begin to wait for its exit */
    LIFE_STREAM,         /* send the head and what is buffered */
    LIFE_ANSWER_EXIT,    /* by its exit status: 200, 500, 502 */
    LIFE_ANSWER_LOST,    /* 502 */
    LIFE_ANSWER_EXPIRED, /* 504 */
    LIFE_ANSWER_BUSY,    /* 429 */
    LIFE_ANSWER_WAITED,  /* 503: the deadline passed in the queue */
    LIFE_ANSWER_SLOW,    /* 408: the body did not come */
    LIFE_ANSWER_REMOVED, /* 404 */
    LIFE_ANSWER_REFUSED, /* the status that was noted with the event (400, 413, 431, 503) */
    LIFE_KILL,           /* kill and wait for the exit */
    LIFE_KILL_ABORT,     /* kill; break the connection off: the answer cannot be completed */
    LIFE_KILL_REFUSE,    /* kill; the client gets the noted status at once */
    LIFE_KILL_EXPIRED,   /* it did not die in time: 504 now, kill again */
    LIFE_END_STREAM,     /* the final chunk if it exited well, else break off */
    LIFE_ABORT_STREAM,   /* break the connection off */
    LIFE_DROP,           /* take it out of the queue, give everything back */
    LIFE_RELEASE,        /* give everything back */
    LIFE_IMPOSSIBLE,     /* our bug: log, then release what can be */
};

struct life_step {
    unsigned char next;   /* enum life_state */
    unsigned char action; /* enum life_action */
};

/* What an event does to a call in a state. Pure. */
struct life_step life_step(enum life_state state, enum life_event event);

/* "gathering", ...; "READY", ...: for logs. */
const char *life_state_name(enum life_state state);
const char *life_event_name(enum life_event event);

#endif
