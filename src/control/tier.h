/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tier: how the plan of a function's jail becomes that of its boundary. Everything else (pools,
 * starts, reports, gateway, command line) is the same for all of them.
 */
#ifndef SKERRY_CONTROL_TIER_H
#define SKERRY_CONTROL_TIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "control/function_plan.h"

struct tier_ops {
    const char *name;
    bool needs_disk;                /* function_place must name the disk of the image */
    uint32_t warm_without_snapshot; /* enum jail_warm, in place of JAIL_WARM_SNAPSHOT */
    /*
     * Turns the plan of the function's program into that of what is started in its place. Pure. 0
     * or -EINVAL with a sentence; then *plan is of no use.
     */
    int (*shape)(const struct function_spec *spec, const struct function_place *place,
                 struct jail_plan *plan, struct err *err);
};

/* The program that a plan runs in the end, for messages; points into *plan. */
const char *tier_program(const struct jail_plan *plan);

/* NULL when there is no tier of that name. */
const struct tier_ops *tier_find(const char *name);

#endif
