/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: takes away the mounts that mask or confine: /proc and what lies over it, /dev,
 *   /tmp, the root itself, every mount point that mountinfo names, plainly and lazily.
 * Stopped by: the filter (umount2 is not on the list); behind it, mounts of a more privileged
 *   namespace are locked.
 * Lives in: src/jail/filter.c.
 *
 * Control: unshare
 */
#include "../harness/attack.h"

#include <sys/mount.h>

static void take_away(const char *target)
{
    static const int flags[] = {0, MNT_DETACH, MNT_FORCE, MNT_EXPIRE};
    for (size_t i = 0; i < COUNT(flags); i++) {
        char what[4200];
        snprintf(what, sizeof(what), "umount2 %s flags %d", target, flags[i]);
        attempt(what, syscall(SYS_umount2, target, flags[i]));
    }
}

void attack(void)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char line[4096];
    while (mounts && fgets(line, sizeof(line), mounts)) {
        char point[4096];
        if (sscanf(line, "%*d %*d %*s %*s %4095s", point) == 1 && strcmp(point, "/") != 0 &&
            !is_control())
            take_away(point);
    }
    if (mounts)
        fclose(mounts);
    static const char *const masks[] = {
        "/proc/kcore", "/proc/keys", "/proc/sys", "/proc/irq", "/proc/bus", "/sys", "/dev/shm",
        "/dev/mqueue", "/dev/pts",   "/proc",     "/dev",      "/tmp",      "/"};
    /* Without a sandbox, umount of "/" would turn the machine's root read-only: left out there. */
    for (size_t i = 0; i < COUNT(masks) - (is_control() ? 1 : 0); i++)
        take_away(masks[i]);
}
