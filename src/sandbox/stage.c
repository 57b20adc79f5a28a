/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the stages and the spans between them; pure, see stage.h for what is counted from where.
 */
#include "sandbox/stage.h"

#include <stddef.h>

const char *stage_name(enum stage stage)
{
    static const char *const names[STAGE_COUNT] = {
        "accepted", "queued", "sent",    "cloned",     "furnished", "taken",   "exec",
        "mapped",   "kernel", "program", "first_byte", "exit",      "cleaned",
    };
    return (unsigned int)stage < STAGE_COUNT ? names[stage] : "unknown";
}

/*
 * Some stages have a beginning that is not the stage before them: a pooled sandbox was furnished
 * before its request was sent, and the first byte is stamped by the gateway, which may read it
 * after the exit.
 */
static uint64_t span_begin_ns(const struct stage_clock *clock, enum stage stage)
{
    switch (stage) {
    case STAGE_CLONED:
        return clock->clone_ns;
    case STAGE_TAKEN:
        return clock->at_ns[STAGE_SENT];
    case STAGE_MAPPED: /* of a machine that waited: before its request */
        return clock->at_ns[STAGE_CLONED];
    case STAGE_KERNEL:
    case STAGE_EXIT:
        return clock->at_ns[STAGE_EXEC];
    default:
        for (int before = (int)stage - 1; before >= 0; before--) {
            if (clock->at_ns[before] != 0)
                return clock->at_ns[before];
        }
        return 0;
    }
}

uint64_t stage_span_ns(const struct stage_clock *clock, enum stage stage)
{
    if ((unsigned int)stage >= STAGE_COUNT || clock->at_ns[stage] == 0)
        return 0;
    uint64_t begin = span_begin_ns(clock, stage);
    uint64_t end = clock->at_ns[stage];
    return begin != 0 && end > begin ? end - begin : 0;
}
