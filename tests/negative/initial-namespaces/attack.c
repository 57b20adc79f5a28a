/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: looks whether it shares a namespace with the host: the initial ones have fixed
 *   inode numbers.
 * Stopped by: user, pid, mount, UTS, IPC, cgroup and network namespaces of the template and
 *   the sandbox.
 * Lives in: src/jail (zygote, sandbox).
 *
 * Control: user
 */
#include "../harness/attack.h"

void attack(void)
{
    static const struct {
        const char *name;
        unsigned long inode;
    } initial[] = {{"ipc", 0xEFFFFFFFUL}, {"uts", 0xEFFFFFFEUL},    {"user", 0xEFFFFFFDUL},
                   {"pid", 0xEFFFFFFCUL}, {"cgroup", 0xEFFFFFFBUL}, {"net", 0xEFFFFFF9UL},
                   {"mnt", 0xEFFFFFF8UL}};
    for (size_t i = 0; i < COUNT(initial); i++) {
        char path[64];
        char link[64] = "";
        char host[64];
        snprintf(path, sizeof(path), "/proc/self/ns/%s", initial[i].name);
        snprintf(host, sizeof(host), "NS_%s", initial[i].name);
        ssize_t size = readlink(path, link, sizeof(link) - 1);
        char *number = strchr(link, '[');
        if (size < 0 || !number) {
            blocked("%s: %s", path, strerror(errno));
            continue;
        }
        unsigned long inode = strtoul(number + 1, NULL, 10);
        if (inode == initial[i].inode || inode == (unsigned long)bait_number(host, 0))
            got("the %s namespace is the host's", initial[i].name);
        else
            blocked("own %s namespace", initial[i].name);
    }
    char map[256] = "";
    int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, map, sizeof(map) - 1);
    unsigned long inside = 0;
    unsigned long outside = 0;
    unsigned long count = 0;
    if (size > 0 && sscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
        count == 4294967295UL)
        got("every uid of the host is mapped");
    if (geteuid() == 0)
        note("uid 0 in the sandbox (not the host's)");
}
