/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths that container runtimes agree to mask, and some more. Files are covered by /dev/null,
 * directories by an empty read-only tmpfs. The rest of /proc is mounted read-only already, so
 * nothing needs the "read-only paths" of other runtimes.
 */
#include "jail/proc_mask.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mount.h>

#include "jail/slot.h"

static const char *const files[] = {
    "/proc/kcore",      "/proc/keys",        "/proc/key-users",   "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/interrupts",
    "/proc/kallsyms",   "/proc/kmsg",        "/proc/cmdline",     "/proc/sysrq-trigger",
    "/proc/config.gz",  "/proc/slabinfo",    "/proc/vmallocinfo", "/proc/mdstat",
    "/proc/iomem",      "/proc/ioports",     "/proc/modules",     "/proc/diskstats",
    "/proc/swaps",      "/proc/partitions",  "/proc/locks",       "/proc/schedstat",
    "/proc/kpagecount", "/proc/kpageflags",  "/proc/kpagecgroup", "/proc/pagetypeinfo",
};

static const char *const directories[] = {
    "/proc/acpi", "/proc/asound", "/proc/bus", "/proc/driver",   "/proc/fs",
    "/proc/irq",  "/proc/scsi",   "/proc/tty", "/proc/pressure", "/proc/dynamic_debug",
};

long proc_mask(void)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        long result = FURNISH(SYS_mount, "/dev/null", files[i], NULL, MS_BIND, NULL);
        if (result < 0 && result != -ENOENT)
            return result;
    }
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        long result = FURNISH(SYS_mount, "mask", directories[i], "tmpfs",
                              MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=555");
        if (result < 0 && result != -ENOENT)
            return result;
    }
    return 0;
}
