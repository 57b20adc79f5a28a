/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/sys.h"

#define MAP_ROOM 4096 /* the kernel takes a map in one write of less than a page */

static int write_proc(pid_t pid, const char *name, const char *text)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return fd_write_file_at(AT_FDCWD, path, text);
}

static int format_map(const struct oci_id_maps *maps, char *out, struct err *err)
{
    size_t used = 0;
    for (size_t i = 0; i < maps->count; i++) {
        const struct oci_id_map *map = &maps->items[i];
        int length = snprintf(out + used, MAP_ROOM - used, "%u %u %u\n", map->container_id,
                              map->host_id, map->size);
        if (length < 0 || (size_t)length >= MAP_ROOM - used)
            return err_set(err, E2BIG, "id mappings: too many");
        used += (size_t)length;
    }
    return 0;
}

/* newuidmap PID 0 1000 1 1 100000 65536 */
static int run_helper(const char *helper, pid_t pid, const struct oci_id_maps *maps,
                      struct err *err)
{
    size_t count = 3 + 3 * maps->count;
    char **args = calloc(count, sizeof(*args));
    char(*texts)[12] = calloc(count, sizeof(*texts));
    int status = -1;
    if (args == NULL || texts == NULL) {
        free(args);
        free(texts);
        return err_set(err, ENOMEM, "run %s:", helper);
    }
    args[0] = (char *)(uintptr_t)helper;
    snprintf(texts[1], sizeof(texts[1]), "%d", (int)pid);
    args[1] = texts[1];
    for (size_t i = 0; i < maps->count; i++) {
        const uint32_t numbers[] = {maps->items[i].container_id, maps->items[i].host_id,
                                    maps->items[i].size};
        for (size_t n = 0; n < 3; n++) {
            size_t at = 2 + 3 * i + n;
            snprintf(texts[at], sizeof(texts[at]), "%u", numbers[n]);
            args[at] = texts[at];
        }
    }
    pid_t child = fork();
    if (child == 0) {
        execvp(helper, args);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    free(args);
    free(texts);
    if (child > 0 && status == 0)
        return 0;
    return err_set(err, EPERM,
                   "%s could not map the ids (is it installed, do /etc/subuid and /etc/subgid "
                   "allow these ranges?)",
                   helper);
}

static int map_one(pid_t pid, bool users, const struct oci_id_maps *maps, struct err *err)
{
    char text[MAP_ROOM] = "";
    const char *file = users ? "uid_map" : "gid_map";
    int result = format_map(maps, text, err);
    if (result < 0 || maps->count == 0)
        return result;
    bool own = geteuid() == 0 || (maps->count == 1 && maps->items[0].size == 1);
    result = own ? write_proc(pid, file, text) : -EPERM;
    if (result == -EPERM && geteuid() != 0)
        return run_helper(users ? "newuidmap" : "newgidmap", pid, maps, err);
    return result < 0 ? err_set(err, -result, "write %s of the user namespace:", file) : 0;
}

int oci_userns_map(pid_t pid, const struct oci_id_maps *uids, const struct oci_id_maps *gids,
                   struct err *err)
{
    if (uids->count == 0 && gids->count == 0)
        return 0;
    /* without privilege a gid map of one's own gid needs this first */
    if (geteuid() != 0 && gids->count == 1 && gids->items[0].size == 1)
        write_proc(pid, "setgroups", "deny");
    int result = map_one(pid, true, uids, err);
    return result == 0 ? map_one(pid, false, gids, err) : result;
}

int oci_userns_with(const struct oci_id_maps *uids, const struct oci_id_maps *gids, struct err *err)
{
    char path[40];
    fd_owner pidfd = -1;
    long child = sys_clone3(CLONE_NEWUSER, SIGCHLD, &pidfd, -1);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        for (;;)
            pause();
    }
    if (child < 0)
        return err_set(err, (int)-child, "make a user namespace:");
    int result = oci_userns_map((pid_t)child, uids, gids, err);
    int userns = -1;
    if (result == 0) {
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
        userns = open(path, O_RDONLY | O_CLOEXEC);
        if (userns < 0)
            result = err_set(err, errno, "open the user namespace:");
    }
    sys_pidfd_kill(pidfd, SIGKILL);
    while (waitpid((pid_t)child, NULL, 0) < 0 && errno == EINTR)
        ;
    return result < 0 ? result : userns;
}
