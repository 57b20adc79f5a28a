/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/affinity.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

int oci_affinity_set(const char *list, struct err *err)
{
    cpu_set_t set;
    if (list == NULL)
        return 0;
    CPU_ZERO(&set);
    for (const char *at = list; *at != '\0';) {
        char *end;
        unsigned long first = strtoul(at, &end, 10);
        unsigned long last = first;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (end == at || last < first || last >= CPU_SETSIZE)
            return err_set(err, EINVAL, "process.execCPUAffinity: \"%s\"", list);
        for (unsigned long cpu = first; cpu <= last; cpu++)
            CPU_SET(cpu, &set);
        at = *end == ',' ? end + 1 : end;
        if (*end != ',' && *end != '\0')
            return err_set(err, EINVAL, "process.execCPUAffinity: \"%s\"", list);
    }
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        return err_set(err, errno, "process.execCPUAffinity: %s:", list);
    return 0;
}
