/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container's cgroup: getting in, listing, signals, freezing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/cgroup_tree.h"

/* --- joining --- */

int oci_cgroup_join_open(const struct oci_cgroup *cgroup, struct oci_cgroup_join *out,
                         struct err *err)
{
    struct oci_cgroup_join join = {.v2_dir = -1};
    for (unsigned int i = 0; i < cgroup->count; i++) {
        const struct oci_cgroup_tree *tree = &cgroup->trees[i];
        char path[CGROUP_FILE_MAX];
        int fd = -1;
        errno = ENAMETOOLONG;
        if (cgroup_tree_path(tree, tree->v2 ? "" : "tasks", path))
            fd = open(path, tree->v2 ? O_RDONLY | O_DIRECTORY | O_CLOEXEC : O_WRONLY | O_CLOEXEC);
        if (fd < 0) {
            int result = err_set(err, errno, "open the cgroup %s:", path);
            oci_cgroup_join_close(&join);
            return result;
        }
        if (tree->v2)
            join.v2_dir = fd;
        else
            join.tasks[join.count++] = fd;
    }
    *out = join;
    return 0;
}

void oci_cgroup_join_close(struct oci_cgroup_join *join)
{
    fd_close(&join->v2_dir);
    for (unsigned int i = 0; i < join->count; i++)
        fd_close(&join->tasks[i]);
    join->count = 0;
}

int oci_cgroup_join_self(const struct oci_cgroup_join *join, struct err *err)
{
    for (unsigned int i = 0; i < join->count; i++) {
        if (write(join->tasks[i], "0", 1) < 0)
            return err_set(err, errno, "enter the container's cgroup:");
    }
    return 0;
}

int oci_cgroup_join_pid(const struct oci_cgroup *cgroup, const char *sub, pid_t pid,
                        struct err *err)
{
    char text[24];
    snprintf(text, sizeof(text), "%d", (int)pid);
    for (unsigned int i = 0; i < cgroup->count; i++) {
        char file[OCI_CGROUP_PATH_MAX];
        int length = snprintf(file, sizeof(file), "%s%scgroup.procs", sub[0] == '/' ? sub + 1 : sub,
                              sub[0] != '\0' ? "/" : "");
        int result = length > 0 && (size_t)length < sizeof(file)
                         ? cgroup_tree_write(&cgroup->trees[i], file, text)
                         : -ENAMETOOLONG;
        if (result < 0)
            return err_set(err, -result, "put process %s into the cgroup %s%s%s:", text,
                           cgroup->trees[i].mount, cgroup->trees[i].path, sub);
    }
    return 0;
}

/* --- listing --- */

struct pid_list {
    pid_t *items;
    size_t count;
    size_t room;
};

static int list_add(struct pid_list *list, pid_t pid)
{
    if (list->count == list->room) {
        size_t room = list->room * 2 + 64;
        pid_t *items = realloc(list->items, room * sizeof(*items));
        if (items == NULL)
            return -ENOMEM;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = pid;
    return 0;
}

static int list_group(int dir, struct pid_list *list)
{
    int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *procs = fd >= 0 ? fdopen(fd, "re") : NULL;
    int result = 0;
    if (procs == NULL) {
        result = -errno;
        fd_close(&fd);
        return result;
    }
    for (int pid; result == 0 && fscanf(procs, "%d", &pid) == 1;)
        result = list_add(list, pid);
    fclose(procs);
    return result;
}

/* A threaded group below (EOPNOTSUPP) has its processes in the group above. */
static int list_tree(int parent, const char *name, int depth, struct pid_list *list)
{
    enum { DEPTH_MAX = 64 };
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return depth > 0 && errno == ENOENT ? 0 : -errno;
    int result = list_group(dir, list);
    if (result == -EOPNOTSUPP || (depth > 0 && (result == -ENODEV || result == -ENOENT)))
        result = 0;
    DIR *listing = fdopendir(dir);
    if (listing == NULL) {
        close(dir);
        return -ENOMEM;
    }
    for (struct dirent *entry; result == 0 && depth < DEPTH_MAX && (entry = readdir(listing));) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            result = list_tree(dir, entry->d_name, depth + 1, list);
    }
    closedir(listing);
    return result;
}

/* The tree that shows all processes: v2, or any. */
static const struct oci_cgroup_tree *listing_tree(const struct oci_cgroup *cgroup)
{
    const struct oci_cgroup_tree *tree = cgroup_tree_v2(cgroup);
    return tree != NULL || cgroup->count == 0 ? tree : &cgroup->trees[0];
}

ssize_t oci_cgroup_pids(const struct oci_cgroup *cgroup, pid_t **out, struct err *err)
{
    const struct oci_cgroup_tree *tree = listing_tree(cgroup);
    struct pid_list list = {0};
    char path[CGROUP_FILE_MAX];
    if (tree == NULL || !cgroup_tree_path(tree, "", path))
        return err_set(err, ENOENT, "the container has no cgroup");
    int result = list_tree(AT_FDCWD, path, 0, &list);
    if (result < 0) {
        free(list.items);
        return err_set(err, -result, "list the processes of the cgroup %s:", path);
    }
    *out = list.items;
    return (ssize_t)list.count;
}

/* --- signals --- */

static ssize_t signal_all(const struct oci_cgroup *cgroup, int sig, struct err *err)
{
    pid_t *pids = NULL;
    ssize_t count = oci_cgroup_pids(cgroup, &pids, err);
    for (ssize_t i = 0; pids != NULL && i < count; i++) {
        if (pids[i] > 1 && pids[i] != getpid()) /* 0 is a process of a namespace we do not see */
            kill(pids[i], sig);
    }
    free(pids);
    return count;
}

/* Who is frozen in v1 does not die before it is thawed; v2 does not mind. */
static void thaw_for_death(const struct oci_cgroup *cgroup)
{
    const struct oci_cgroup_tree *v1 = cgroup_tree_of(cgroup, "freezer");
    if (v1 != NULL)
        cgroup_tree_write(v1, "freezer.state", "THAWED");
}

int oci_cgroup_kill(const struct oci_cgroup *cgroup, int sig, struct err *err)
{
    enum { ROUNDS_MAX = 100 }; /* who forks faster than we kill stops at pids.max */
    const struct oci_cgroup_tree *v2 = cgroup_tree_v2(cgroup);
    if (sig != SIGKILL) {
        ssize_t count = signal_all(cgroup, sig, err);
        return count < 0 && count != -ENOENT ? (int)count : 0;
    }
    if (v2 != NULL && cgroup_tree_write(v2, "cgroup.kill", "1") == 0) {
        thaw_for_death(cgroup);
        return 0;
    }
    ssize_t count = signal_all(cgroup, sig, err);
    thaw_for_death(cgroup);
    for (int i = 0; count > 0 && i < ROUNDS_MAX; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); /* v1 tells of no end by an event */
        count = signal_all(cgroup, sig, NULL);
    }
    return count < 0 && count != -ENOENT ? (int)count : 0;
}

/* --- freezing --- */

/* Waits until a line "key value" of cgroup.events is there; the kernel tells of changes by POLLPRI.
 */
static int wait_event(const struct oci_cgroup_tree *tree, const char *key, uint64_t value,
                      int timeout_ms)
{
    char path[CGROUP_FILE_MAX];
    if (!cgroup_tree_path(tree, "cgroup.events", path))
        return -ENAMETOOLONG;
    fd_owner fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        uint64_t now = 0;
        char text[256];
        ssize_t size = pread(fd, text, sizeof(text) - 1, 0); /* also takes the event back */
        int result = cgroup_tree_number(tree, "cgroup.events", key, &now);
        if (size < 0 || result < 0)
            return size < 0 ? -errno : result;
        if (now == value)
            return 0;
        struct pollfd wait = {.fd = fd, .events = POLLPRI};
        result = poll(&wait, 1, timeout_ms);
        if (result == 0)
            return -ETIMEDOUT;
        if (result < 0 && errno != EINTR)
            return -errno;
    }
}

/* v1 has no event: reading the file makes the kernel look again. */
static int wait_v1_state(const struct oci_cgroup_tree *tree, const char *state)
{
    enum { ROUNDS_MAX = 20000 };
    char text[32];
    for (int i = 0; i < ROUNDS_MAX; i++) {
        ssize_t size = cgroup_tree_read(tree, "freezer.state", text, sizeof(text));
        if (size < 0)
            return (int)size;
        if (strncmp(text, state, strlen(state)) == 0)
            return 0;
        if (i % 50 == 49) /* a process forked meanwhile: ask again */
            cgroup_tree_write(tree, "freezer.state", state);
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
    return -ETIMEDOUT;
}

/* v1's where there is one: that is where other programs of a hybrid machine look. */
static const struct oci_cgroup_tree *freezer(const struct oci_cgroup *cgroup)
{
    const struct oci_cgroup_tree *v1 = cgroup_tree_of(cgroup, "freezer");
    const struct oci_cgroup_tree *v2 = cgroup_tree_v2(cgroup);
    if (v1 != NULL)
        return v1;
    return v2 != NULL && cgroup_tree_has(v2, "cgroup.freeze") ? v2 : NULL;
}

int oci_cgroup_freeze(const struct oci_cgroup *cgroup, bool freeze, struct err *err)
{
    enum { FREEZE_TIMEOUT_MS = 10000 };
    const struct oci_cgroup_tree *tree = freezer(cgroup);
    if (tree == NULL)
        return err_set(err, ENOTSUP, "the container's cgroup has no freezer");
    const char *state = freeze ? "FROZEN" : "THAWED";
    int result = tree->v2 ? cgroup_tree_write(tree, "cgroup.freeze", freeze ? "1" : "0")
                          : cgroup_tree_write(tree, "freezer.state", state);
    if (result == 0)
        result = tree->v2 ? wait_event(tree, "frozen", freeze, FREEZE_TIMEOUT_MS)
                          : wait_v1_state(tree, state);
    if (result < 0) {
        if (freeze)
            cgroup_tree_write(tree, tree->v2 ? "cgroup.freeze" : "freezer.state",
                              tree->v2 ? "0" : "THAWED");
        return err_set(err, -result, "%s the cgroup %s%s:", freeze ? "freeze" : "thaw", tree->mount,
                       tree->path);
    }
    return 0;
}

int oci_cgroup_frozen(const struct oci_cgroup *cgroup)
{
    const struct oci_cgroup_tree *tree = freezer(cgroup);
    char text[32];
    uint64_t frozen = 0;
    if (tree == NULL)
        return 0;
    if (tree->v2) {
        int result = cgroup_tree_number(tree, "cgroup.events", "frozen", &frozen);
        return result < 0 ? result : frozen != 0;
    }
    ssize_t size = cgroup_tree_read(tree, "freezer.state", text, sizeof(text));
    return size < 0 ? (int)size : strncmp(text, "THAWED", 6) != 0;
}

/* --- removing --- */

static int remove_below(int parent, const char *name, int depth)
{
    enum { DEPTH_MAX = 64 };
    int result = 0;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != EBUSY && errno != ENOTEMPTY)
        return -errno;
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = dir >= 0 ? fdopendir(dir) : NULL;
    if (listing == NULL)
        return -EBUSY;
    for (struct dirent *entry; depth < DEPTH_MAX && (entry = readdir(listing)) != NULL;) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        int below = remove_below(dir, entry->d_name, depth + 1);
        result = below < 0 ? below : result;
    }
    closedir(listing);
    if (result == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        result = -errno;
    return result;
}

/* The last process of a v1 group leaves it shortly after its parent has seen its end. */
static int remove_tree(const struct oci_cgroup_tree *tree)
{
    char path[CGROUP_FILE_MAX];
    if (!cgroup_tree_path(tree, "", path))
        return -ENAMETOOLONG;
    int result = remove_below(AT_FDCWD, path, 0);
    long pause_ns = 50000;
    for (long waited_ns = 0; result == -EBUSY && waited_ns < 5000000000; waited_ns += pause_ns) {
        nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
        pause_ns = pause_ns < 10000000 ? pause_ns * 2 : pause_ns;
        result = remove_below(AT_FDCWD, path, 0);
    }
    return result;
}

int oci_cgroup_remove(const struct oci_cgroup *cgroup, struct err *err)
{
    enum { EMPTY_TIMEOUT_MS = 5000 };
    int result = 0;
    const struct oci_cgroup_tree *v2 = cgroup_tree_v2(cgroup);
    if (cgroup->driver == OCI_CGROUP_SYSTEMD)
        cgroup_systemd_stop(cgroup, NULL); /* what counts is whether the groups go */
    if (v2 != NULL && cgroup_tree_has(v2, "cgroup.events"))
        wait_event(v2, "populated", 0, EMPTY_TIMEOUT_MS);
    for (unsigned int i = 0; i < cgroup->count; i++) {
        const struct oci_cgroup_tree *tree = &cgroup->trees[i];
        int one = remove_tree(tree);
        if (one < 0 && result == 0)
            result = err_set(err, -one, "remove the cgroup %s%s:", tree->mount, tree->path);
    }
    return result;
}
