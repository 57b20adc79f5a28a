/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: mounts, by mount(2): every kind of file system that would show or change the host,
 *   bind mounts, the root made writable again, propagation changed, mounts moved off what
 *   they cover.
 * Stopped by: the filter (mount is not on the list); behind it, no CAP_SYS_ADMIN.
 * Lives in: src/jail/filter.c; no capabilities (zygote).
 *
 * Control: unshare
 */
#include "../harness/attack.h"

#include <sys/mount.h>

static const struct {
    const char *source, *target, *type;
    unsigned long flags;
    const char *data;
} mounts[] = {
    {"none", "/tmp", "tmpfs", 0, ""},
    {"proc", "/tmp", "proc", 0, ""},
    {"sysfs", "/tmp", "sysfs", 0, ""},
    {"cgroup", "/tmp", "cgroup", 0, "memory"},
    {"cgroup2", "/tmp", "cgroup2", 0, ""},
    {"devtmpfs", "/tmp", "devtmpfs", 0, ""},
    {"devpts", "/tmp", "devpts", 0, "newinstance"},
    {"debugfs", "/tmp", "debugfs", 0, ""},
    {"tracefs", "/tmp", "tracefs", 0, ""},
    {"securityfs", "/tmp", "securityfs", 0, ""},
    {"bpf", "/tmp", "bpf", 0, ""},
    {"binfmt_misc", "/tmp", "binfmt_misc", 0, ""},
    {"mqueue", "/tmp", "mqueue", 0, ""},
    {"overlay", "/tmp", "overlay", 0, "lowerdir=/:/proc"},
    {"/", "/tmp", NULL, MS_BIND | MS_REC, NULL},
    {"/proc/1/root", "/tmp", NULL, MS_BIND, NULL},
    {NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL},
    {NULL, "/", NULL, MS_REMOUNT, ""},
    {NULL, "/", NULL, MS_SHARED | MS_REC, NULL},
    {NULL, "/proc", NULL, MS_REMOUNT, "hidepid=0,subset="},
    {NULL, "/tmp", NULL, MS_REMOUNT, "size=100%,nr_inodes=0"},
    {"/tmp", "/proc", NULL, MS_MOVE, NULL},
};

void attack(void)
{
    for (size_t i = 0; i < COUNT(mounts); i++) {
        /* A remount that is not of a bind mount would change the machine itself. */
        if (is_control() && (mounts[i].flags & MS_REMOUNT) && !(mounts[i].flags & MS_BIND))
            continue;
        char what[160];
        snprintf(what, sizeof(what), "mount %s %s flags 0x%lx", mounts[i].target,
                 mounts[i].type ? mounts[i].type : "-", mounts[i].flags);
        attempt(what, syscall(SYS_mount, mounts[i].source, mounts[i].target, mounts[i].type,
                              mounts[i].flags, mounts[i].data));
    }
}
