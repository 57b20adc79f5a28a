/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: a function that was given the whole /proc (`--proc full`) reads and writes what is
 *   masked there: kernel addresses, memory, log, keys, timers, hardware, other users' load; looks
 *   under the masks by other names of the same file.
 * Stopped by: masks over the paths that container runtimes agree on; /proc is mounted read-only.
 * Lives in: src/jail/proc_mask.c.
 *
 * Control: root
 * Flags: --proc full
 */
#include "../harness/attack.h"

#include <sys/sysmacros.h>

void attack(void)
{
    static const char *const masked[] = {"kcore",           "keys",
                                         "key-users",       "timer_list",
                                         "sched_debug",     "interrupts",
                                         "kallsyms",        "kmsg",
                                         "cmdline",         "config.gz",
                                         "slabinfo",        "vmallocinfo",
                                         "iomem",           "ioports",
                                         "modules",         "diskstats",
                                         "partitions",      "locks",
                                         "schedstat",       "kpagecount",
                                         "kpageflags",      "kpagecgroup",
                                         "pagetypeinfo",    "acpi/wakeup",
                                         "bus/pci/devices", "fs/ext4",
                                         "tty/drivers",     "irq/default_smp_affinity",
                                         "scsi/scsi",       "pressure/memory",
                                         "driver/rtc",      "mdstat",
                                         "latency_stats",   "dynamic_debug/control"};
    static const char *const names[] = {"/proc", "/proc/self/root/proc", "/proc/1/../",
                                        "/proc/thread-self/../../.."};
    char content[256];
    for (size_t i = 0; i < COUNT(masked); i++)
        for (size_t j = 0; j < COUNT(names); j++) {
            char path[128];
            snprintf(path, sizeof(path), "%s/%s", names[j], masked[i]);
            int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
            if (fd >= 0 && read(fd, content, sizeof(content)) > 0)
                got("%s is readable", path);
            if (fd >= 0)
                close(fd);
        }
    static const char *const control[] = {"/proc/sys/kernel/core_pattern",
                                          "/proc/sysrq-trigger",
                                          "/proc/sys/vm/drop_caches",
                                          "/proc/sys/kernel/hostname",
                                          "/proc/sys/user/max_user_namespaces",
                                          "/proc/self/oom_score_adj",
                                          "/proc/irq/0/smp_affinity",
                                          "/proc/sys/net/ipv4/ip_forward",
                                          "/proc/mtrr"};
    for (size_t i = 0; i < COUNT(control); i++) {
        int fd = open(control[i], O_WRONLY | O_CLOEXEC);
        struct stat status;
        if (fd >= 0 && fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) &&
            status.st_rdev == makedev(1, 3)) {
            blocked("%s is /dev/null", control[i]);
            close(fd);
            continue;
        }
        attempt(control[i], fd);
    }
}
