/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: opens what other processes hold open, by /proc/PID/fd, map_files and fdinfo, and
 *   walks ".." from the own standard descriptors.
 * Stopped by: the sandbox's pid namespace (no other process has an entry), no descriptor of
 *   the host in the sandbox but the three of the request.
 * Lives in: src/jail (pid namespace, own /proc; descriptors closed before exec).
 *
 * Control: root
 * Needs: victim
 */
#include "../harness/attack.h"

#include <dirent.h>

static void others(long pid)
{
    if (pid == getpid())
        return;
    static const char *const folders[] = {"fd", "map_files", "fdinfo"};
    for (size_t i = 0; i < COUNT(folders); i++) {
        char path[300];
        snprintf(path, sizeof(path), "/proc/%ld/%s", pid, folders[i]);
        DIR *dir = opendir(path);
        if (!dir)
            continue;
        for (struct dirent *entry; (entry = readdir(dir));) {
            if (entry->d_name[0] == '.')
                continue;
            int fd = openat(dirfd(dir), entry->d_name, O_PATH | O_CLOEXEC);
            if (fd >= 0) {
                got("opened %s/%s", path, entry->d_name);
                close(fd);
                break;
            }
        }
        closedir(dir);
    }
}

static void behind(const char *folder, int fd, const char *way)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/%d%s%s", folder, fd, way, bait("FILE"));
    if (!path_has_bait(AT_FDCWD, path, "behind a standard descriptor"))
        blocked("%s: %s", path, strerror(errno));
}

void attack(void)
{
    others(bait_number("PID", 1));
    for (long pid = 1; pid <= (is_control() ? 1 : 65536); pid++)
        others(pid);
    for (int fd = 0; fd < 3; fd++) {
        behind("/proc/self/fd", fd, "/..");
        behind("/proc/thread-self/fd", fd, "");
        behind("/dev/fd", fd, "/../../../..");
    }
}
