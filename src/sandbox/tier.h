/* SPDX-License-Identifier: Apache-2.0 */
/* The tiers by name, and what each can do for a function; what they are made of is below. */
#ifndef SKERRY_SANDBOX_TIER_H
#define SKERRY_SANDBOX_TIER_H

#include "base/err.h"
#include "sandbox/function.h"

#define TIER_JAIL "jail"
#define TIER_VM   "vm"

/* Memory of a guest and what its monitor needs beside it. */
#define TIER_VM_MEM_MIN   (UINT64_C(16) << 20)
#define TIER_VM_MEM_EXTRA (UINT64_C(16) << 20)

/* Whether the tier that a function names exists and offers what the function asks. 0 or -EINVAL
 * with a sentence. Part of function_check(). */
int tier_check(const struct function_spec *spec, struct err *err);

#endif
