/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: reads what tells about the machine and the kernel: symbol addresses, memory maps,
 *   the log, kernel stacks, keys, timers, slabs, interrupts, command line, partitions,
 *   firmware, other tenants' load.
 * Stopped by: /proc shows processes only (subset=pid), no /sys; the filter refuses syslog and
 *   perf.
 * Lives in: src/jail (own /proc of the sandbox; template's mounts).
 *
 * Control: root
 */
#include "../harness/attack.h"

static void readable(const char *path)
{
    char text[256];
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    ssize_t size = read((int)fd, text, sizeof(text));
    if (size > 0)
        got("%s is readable", path);
    close((int)fd);
}

static void stack_of(const char *path)
{
    char text[4096] = "";
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        blocked("%s: %s", path, strerror(errno));
        return;
    }
    ssize_t size = read((int)fd, text, sizeof(text) - 1);
    if (size > 0 && (strstr(text, "ffffffff") || strstr(text, "+0x")))
        got("%s shows the kernel's stack", path);
    close((int)fd);
}

void attack(void)
{
    static const char *const files[] = {
        "/proc/kallsyms",
        "/proc/kcore",
        "/proc/keys",
        "/proc/key-users",
        "/proc/timer_list",
        "/proc/sched_debug",
        "/proc/modules",
        "/proc/iomem",
        "/proc/ioports",
        "/proc/slabinfo",
        "/proc/vmallocinfo",
        "/proc/interrupts",
        "/proc/softirqs",
        "/proc/stat",
        "/proc/meminfo",
        "/proc/vmstat",
        "/proc/zoneinfo",
        "/proc/buddyinfo",
        "/proc/pagetypeinfo",
        "/proc/diskstats",
        "/proc/partitions",
        "/proc/cmdline",
        "/proc/config.gz",
        "/proc/locks",
        "/proc/loadavg",
        "/proc/uptime",
        "/proc/swaps",
        "/proc/mounts/../1/mounts",
        "/proc/version",
        "/proc/cpuinfo",
        "/proc/devices",
        "/proc/misc",
        "/proc/fs/ext4",
        "/proc/pressure/cpu",
        "/proc/kpagecount",
        "/proc/kpageflags",
        "/proc/schedstat",
        "/proc/latency_stats",
        "/proc/asound/cards",
        "/proc/sys/kernel/random/boot_id",
        "/proc/sys/fs/file-nr",
        "/proc/sys/fs/inode-nr",
        "/proc/sys/fs/dentry-state",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/tty/driver/serial",
        "/proc/sysvipc/shm",
        "/proc/cgroups",
        "/sys/kernel/notes",
        "/sys/kernel/vmcoreinfo",
        "/sys/class/dmi/id/product_uuid",
        "/sys/class/net/eth0/address",
        "/sys/kernel/profiling",
        "/sys/firmware/acpi/tables/DSDT",
        "/sys/kernel/boot_params/data",
        "/sys/module/ext4/sections/.text",
        "/sys/devices/system/cpu/vulnerabilities/meltdown",
        "/sys/fs/cgroup/memory/memory.stat",
        "/sys/kernel/debug/sched/debug",
        "/etc/machine-id-of-the-host",
        "/etc/shadow",
    };
    /* What the function was given the whole /proc for is not a leak. */
    for (size_t i = 0; i < COUNT(files); i++)
        readable(files[i]);
    stack_of("/proc/self/stack");
    stack_of("/proc/self/syscall");
    stack_of("/proc/self/wchan");
    stack_of("/proc/1/stack");
    char text[128];
    if (syscall(SYS_syslog, 3, text, sizeof(text)) >= 0)
        got("the kernel's log");
    blocked("the rest is not there");
}
