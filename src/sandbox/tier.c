/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/tier.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int check_vm(const struct function_spec *spec, struct err *err)
{
    if ((spec->flags & FUNCTION_HOST_USR) != 0)
        return err_set(err, EINVAL,
                       "the vm tier cannot show the machine's /usr: name an image, or the program "
                       "alone with its libraries");
    if (spec->bind_count != 0)
        return err_set(err, EINVAL,
                       "the vm tier shares no directory with the machine: bind is not offered");
    if ((spec->flags & FUNCTION_OWN_IPC) != 0)
        return err_set(err, EINVAL, "the vm tier has no System V IPC: ipc 'own' is not offered");
    if (spec->limits.mem_bytes < TIER_VM_MEM_MIN)
        return err_set(err, EINVAL,
                       "mem is %" PRIu64 " bytes; a machine of the vm tier has at least %" PRIu64
                       " MiB",
                       spec->limits.mem_bytes, TIER_VM_MEM_MIN >> 20);
    return 0;
}

int tier_check(const struct function_spec *spec, struct err *err)
{
    if (strcmp(spec->tier, TIER_JAIL) == 0)
        return 0;
    if (strcmp(spec->tier, TIER_VM) == 0)
        return check_vm(spec, err);
    return err_set(err, EINVAL, "tier '%s' is not offered; 'jail' and 'vm' are", spec->tier);
}
