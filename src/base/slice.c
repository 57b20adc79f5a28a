/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int slice_set(pid_t pid, uint64_t slice_ns)
{
    /* sched_setattr(2), struct sched_attr of its first version */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } attributes = {.size = 48};
    if (syscall(SYS_sched_getattr, pid, &attributes, sizeof(attributes), 0) < 0)
        return -errno;
    if (attributes.policy != SCHED_OTHER)
        return -EINVAL; /* somebody has chosen for it */
    attributes.runtime_ns = slice_ns;
    return syscall(SYS_sched_setattr, pid, &attributes, 0) < 0 ? -errno : 0;
}
