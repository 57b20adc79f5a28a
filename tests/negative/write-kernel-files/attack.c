/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: writes the kernel's control files: core_pattern, sysrq, uevent_helper, modprobe,
 *   binfmt_misc, hostname, drop_caches, sysctls of the namespaces, interrupts, power,
 *   firmware, PCI.
 * Stopped by: /proc shows processes only (subset=pid), no /sys, no capability over them.
 * Lives in: src/jail (own /proc of the sandbox; template's mounts).
 *
 * Control: root
 */
#include "../harness/attack.h"

void attack(void)
{
    static const char *const files[] = {
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/hotplug",
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/domainname",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/kernel/pid_max",
        "/proc/sys/kernel/panic",
        "/proc/sys/kernel/randomize_va_space",
        "/proc/sys/kernel/core_uses_pid",
        "/proc/sys/kernel/shmmax",
        "/proc/sys/kernel/msgmni",
        "/proc/sys/kernel/sem",
        "/proc/sys/kernel/usermodehelper/bset",
        "/proc/sys/kernel/yama/ptrace_scope",
        "/proc/sys/kernel/seccomp/actions_logged",
        "/proc/sys/kernel/sched_rt_runtime_us",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sys/vm/panic_on_oom",
        "/proc/sys/vm/nr_hugepages",
        "/proc/sys/vm/mmap_min_addr",
        "/proc/sys/vm/compact_memory",
        "/proc/sys/fs/file-max",
        "/proc/sys/fs/suid_dumpable",
        "/proc/sys/fs/pipe-max-size",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/sys/fs/binfmt_misc/status",
        "/proc/sys/fs/mqueue/queues_max",
        "/proc/sys/net/core/somaxconn",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/net/ipv4/ip_unprivileged_port_start",
        "/proc/sys/user/max_user_namespaces",
        "/proc/sys/user/max_mnt_namespaces",
        "/proc/irq/default_smp_affinity",
        "/proc/irq/0/smp_affinity",
        "/proc/mtrr",
        "/proc/acpi/wakeup",
        "/proc/bus/pci/00/00.0",
        "/proc/scsi/scsi",
        "/proc/latency_stats",
        "/proc/timer_stats",
        "/proc/pressure/cpu",
        "/proc/pressure/memory",
        "/proc/kcore",
        "/proc/kmsg",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/ksm/run",
        "/sys/power/state",
        "/sys/power/disk",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/module/kernel/parameters/consoleblank",
        "/sys/firmware/efi/vars/new_var",
        "/sys/fs/selinux/load",
        "/sys/kernel/security/apparmor/.load",
        "/sys/kernel/debug/tracing/trace_marker",
        "/sys/kernel/tracing/trace_marker",
        "/sys/devices/system/cpu/cpu1/online",
        "/sys/bus/pci/rescan",
        "/sys/block/vda/uevent",
        "/sys/class/net/lo/mtu",
        "/sys/kernel/notes",
    };
    int refused = 0;
    for (size_t i = 0; i < COUNT(files); i++) {
        /* Opened only: what a write would do in the control run is not wanted. */
        long fd = syscall(SYS_openat, AT_FDCWD, files[i], O_WRONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0) {
            got("%s is open for writing", files[i]);
            close((int)fd);
        } else {
            refused++;
        }
    }
    blocked("%d of %zu files refused: %s", refused, COUNT(files), strerror(errno));
}
