/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a function to the plan of its jail: pure, so that what a deploy will do can be tested
 * without doing it.
 */
#ifndef SKERRY_CONTROL_FUNCTION_PLAN_H
#define SKERRY_CONTROL_FUNCTION_PLAN_H

#include <stdint.h>

#include "base/err.h"
#include "image/store.h"
#include "jail/plan.h"
#include "sandbox/function.h"

struct function_place {            /* where the function's files and ids are */
    const struct image_meta *meta; /* NULL with FUNCTION_HOST_USR */
    const char *rootfs;            /* absolute path, NULL as meta */
    const char *monitor;           /* skerry-vmm, where the tier needs a disk; else NULL */
    const char *disk;              /* the image as a disk, likewise */
    uint32_t trace;                /* 1: system calls on stderr, where the tier can */
    uint32_t ahead;                /* 1: programs may be started before their requests */
    uint32_t stages;               /* 1: the machine's own stages on stderr */
    uint32_t uid_base;             /* first host uid of the tenant's range */
    uint32_t rootless;             /* 1: the daemon has no privilege */
};

/*
 * Fills *out with the plan of a checked function: what the function says, else what its image says,
 * else our defaults (args, cwd, user); the image's environment with the function's over it, and
 * PATH and HOME if neither has them. 0 or -EINVAL with a sentence (no program is named, the image's
 * user lies outside the range, too much environment).
 */
int plan_of_function(const struct function_spec *spec, const struct function_place *place,
                     struct jail_plan *out, struct err *err);

#endif
