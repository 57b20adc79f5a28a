/* SPDX-License-Identifier: Apache-2.0 */
/* What a dead owner left: whose a prefix is, and removing it with what still runs in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/cgroup.h"
#include "jail/cgroup_host.h"

#define SWEEP_DEPTH 4  /* PREFIX/TENANT/TEMPLATE/sN */
#define TRIES_MAX   50 /* of killing what a group holds, a millisecond apart */

static int remove_tree(int root, const char *path, int depth)
{
    char child[CGROUP_NAME_MAX * 3 + 300];
    int removed = 0;
    int dir = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = dir >= 0 ? fdopendir(dir) : NULL;
    if (listing == NULL)
        return 0;
    for (struct dirent *entry; depth < SWEEP_DEPTH && (entry = readdir(listing)) != NULL;) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        int length = snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof(child))
            continue;
        removed += remove_tree(root, child, depth + 1);
    }
    closedir(listing);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (unlinkat(root, path, AT_REMOVEDIR) == 0)
            return removed + 1;
        if (errno != EBUSY || cgroup_kill_members(root, path) == 0)
            return removed;
        usleep(1000); /* SIGKILL is under way */
    }
    return removed;
}

/* When a process began, in clock ticks since boot; 0 when there is none. With the pid it names one
 * process. */
static unsigned long long start_time(long pid)
{
    char path[64];
    char text[1024];
    unsigned long long ticks = 0;
    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    if (fd_read_file_at(AT_FDCWD, path, text, sizeof(text)) <= 0)
        return 0;
    const char *at = strrchr(text, ')'); /* the command before it may hold anything */
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL || sscanf(at, "%llu", &ticks) != 1)
        return 0;
    return ticks;
}

void cgroup_prefix_of(const char *base, pid_t pid, char *out, size_t room)
{
    snprintf(out, room, "%s-%d-%llu", base, (int)pid, start_time(pid));
}

/* "skerry[-...]-PID-START", and no such process is to be seen. */
static bool owner_is_unseen(const char *name)
{
    unsigned long long ticks;
    long pid;
    char end;
    const char *dash = strrchr(name, '-');
    if (strncmp(name, "skerry", 6) != 0 || dash == NULL)
        return false;
    while (dash > name && *--dash != '-')
        ;
    if (sscanf(dash, "-%ld-%llu%c", &pid, &ticks, &end) != 2 || pid <= 1)
        return false;
    return start_time(pid) != ticks;
}

/*
 * Removes a prefix unless its owner lives: it holds the lock, wherever it is, or it is seen here
 * and has not taken the lock yet.
 */
static int sweep_prefix(int root, const char *name)
{
    fd_owner lock = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
        return 0;
    return remove_tree(root, name, 0);
}

int cgroup_sweep(struct err *err)
{
    struct cgroup_host host = {.of = {-1, -1, -1}};
    int removed = 0;
    int result = cgroup_read_mounts(&host, err);
    for (unsigned int i = 0; i < host.count; i++) {
        int dir = openat(host.hierarchies[i].root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *listing = dir >= 0 ? fdopendir(dir) : NULL;
        for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
            if (entry->d_type == DT_DIR && owner_is_unseen(entry->d_name))
                removed += sweep_prefix(host.hierarchies[i].root, entry->d_name);
        }
        if (listing != NULL)
            closedir(listing);
        close(host.hierarchies[i].root);
    }
    return result < 0 ? result : removed;
}
