/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory; see state_dir.h. */
#include "control/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define BACKLOG        4096
#define PASSWORD_BYTES 32

/* Makes path and what leads to it. Parents are readable by all, as mkdir -p makes them. */
static int make_dirs(const char *path)
{
    char part[sizeof(((struct state_dir *)NULL)->path)];
    size_t length = strlen(path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, path[i] == '\0' ? 0700 : 0755) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static int check_owner(const struct state_dir *state, struct err *err)
{
    struct stat about;
    if (fstat(state->dir, &about) < 0)
        return err_set(err, errno, "look at the state directory %s:", state->path);
    if (about.st_uid != geteuid())
        return err_set(err, EPERM,
                       "the state directory %s belongs to uid %u and the daemon runs as uid %u; "
                       "choose another with --state",
                       state->path, about.st_uid, geteuid());
    /* what is in it is only the owner's, and a socket's mode is not respected everywhere */
    if ((about.st_mode & 077) != 0 && fchmod(state->dir, 0700) < 0)
        return err_set(err, errno, "make the state directory %s private:", state->path);
    return 0;
}

/* Whether the process that wrote its pid into the lock is gone. */
static bool holder_is_gone(int lock)
{
    char text[32] = "";
    if (pread(lock, text, sizeof(text) - 1, 0) <= 0)
        return true; /* killed before it could write */
    long pid = strtol(text, NULL, 10);
    return pid > 1 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/*
 * Takes the lock. A supervisor that was killed may have left it to a child that has not died or
 * executed yet: that is a matter of milliseconds, and no other daemon.
 */
static int lock_or_wait(int lock)
{
    for (int tries = 0;; tries++) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK)
            return -errno;
        if (tries == 300 || !holder_is_gone(lock))
            return -EWOULDBLOCK;
        usleep(10000);
    }
}

static int take_lock(struct state_dir *state, struct err *err)
{
    char pid[32] = "";
    state->lock = openat(state->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (state->lock < 0)
        return err_set(err, errno, "open %s/lock:", state->path);
    int locked = lock_or_wait(state->lock);
    if (locked < 0) {
        int code = -locked;
        if (code != EWOULDBLOCK)
            return err_set(err, code, "lock %s/lock:", state->path);
        ssize_t size = pread(state->lock, pid, sizeof(pid) - 1, 0);
        pid[size > 0 ? strcspn(pid, "\n") : 0] = '\0';
        return err_set(err, EBUSY,
                       "another skerryd (pid %s) serves the state directory %s: stop it first, or "
                       "choose another directory with --state",
                       pid[0] != '\0' ? pid : "unknown", state->path);
    }
    int size = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(state->lock, 0) < 0 || pwrite(state->lock, pid, (size_t)size, 0) != size)
        return err_set(err, errno, "write %s/lock:", state->path);
    return 0;
}

static int open_all(struct state_dir *state, struct err *err)
{
    int rc = make_dirs(state->path);
    if (rc < 0)
        return err_set(err, -rc, "make the state directory %s:", state->path);
    state->dir = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state->dir < 0)
        return err_set(err, errno, "open the state directory %s:", state->path);
    rc = check_owner(state, err);
    if (rc == 0)
        rc = take_lock(state, err);
    if (rc < 0)
        return rc;
    if (mkdirat(state->dir, "logs", 0700) < 0 && errno != EEXIST)
        return err_set(err, errno, "make %s/logs:", state->path);
    state->logs = openat(state->dir, "logs", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (state->logs < 0)
        return err_set(err, errno, "open %s/logs:", state->path);
    return 0;
}

int state_dir_open(const char *path, struct state_dir *out, struct err *err)
{
    struct state_dir state = {.dir = -1, .logs = -1, .lock = -1};
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0 || length >= sizeof(state.path))
        return err_set(
            err, EINVAL,
            "no state directory: name one with --state DIR (its path may have %zu bytes)",
            sizeof(state.path) - 1);
    memcpy(state.path, path, length);
    int rc = open_all(&state, err);
    if (rc < 0) {
        state_dir_close(&state);
        return rc;
    }
    *out = state;
    return 0;
}

void state_dir_close(struct state_dir *state)
{
    fd_close(&state->logs);
    fd_close(&state->dir);
    fd_close(&state->lock); /* last: from here on another daemon may begin */
}

bool state_dir_unclean(const struct state_dir *state)
{
    return faccessat(state->dir, "skerry.sock", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int state_dir_listen(const struct state_dir *state, const char *name, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char final[sizeof(address.sun_path)];
    int length = snprintf(final, sizeof(final), "%s/%s", state->path, name);
    int longer = snprintf(address.sun_path, sizeof(address.sun_path), "%s/.%s", state->path, name);
    if (length < 0 || longer < 0 || (size_t)longer >= sizeof(address.sun_path))
        return err_set(err, ENAMETOOLONG,
                       "the path of the socket %s/%s is longer than %zu bytes; choose a shorter "
                       "state directory",
                       state->path, name, sizeof(address.sun_path) - 2);
    fd_owner fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, errno, "make a Unix socket:");
    /* made beside and moved over: a client never finds the name without somebody who listens */
    unlink(address.sun_path);
    mode_t before = umask(0177);
    int rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
    int code = errno;
    umask(before);
    if (rc < 0)
        return err_set(err, code, "bind the socket %s:", final);
    if (listen(fd, BACKLOG) < 0 || rename(address.sun_path, final) < 0) {
        code = errno;
        unlink(address.sun_path);
        return err_set(err, code, "listen on the socket %s:", final);
    }
    return fd_steal(&fd);
}

void state_dir_unlink(const struct state_dir *state, const char *name)
{
    unlinkat(state->dir, name, 0);
}

static int make_password(const struct state_dir *state, struct err *err)
{
    unsigned char bytes[PASSWORD_BYTES];
    char text[2 * PASSWORD_BYTES + 2];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return err_set(err, errno, "make the admin password:");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    text[2 * PASSWORD_BYTES] = '\n';
    unlinkat(state->dir, ".admin-password", 0);
    fd_owner fd = openat(state->dir, ".admin-password",
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc = fd < 0 ? -errno : fd_write_all(fd, text, 2 * PASSWORD_BYTES + 1);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (rc == 0 && renameat(state->dir, ".admin-password", state->dir, "admin-password") < 0)
        rc = -errno;
    explicit_bzero(text, sizeof(text));
    explicit_bzero(bytes, sizeof(bytes));
    return rc < 0 ? err_set(err, -rc, "write %s/admin-password:", state->path) : 0;
}

int state_dir_password(const struct state_dir *state, struct err *err)
{
    int fd = openat(state->dir, "admin-password", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        int rc = make_password(state, err);
        if (rc < 0)
            return rc;
        fd = openat(state->dir, "admin-password", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0)
        return err_set(err, errno, "open %s/admin-password:", state->path);
    return fd;
}

int state_dir_log(const struct state_dir *state, const char *name, int writable)
{
    char file[256];
    int flags = writable ? O_RDWR | O_CREAT | O_APPEND : O_RDONLY | O_CREAT;
    snprintf(file, sizeof(file), "%s.log", name);
    int fd = openat(state->logs, file, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

void state_dir_log_remove(const struct state_dir *state, const char *name)
{
    char file[256];
    snprintf(file, sizeof(file), "%s.log", name);
    unlinkat(state->logs, file, 0);
}

/* Copies size bytes within the kernel; what the file gained meanwhile is left out. */
static int copy_file(int from, int to, off_t size)
{
    off_t at = 0;
    while (at < size) {
        ssize_t n = copy_file_range(from, &at, to, NULL, (size_t)(size - at), 0);
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
    }
    return 0;
}

int state_dir_log_rotate(const struct state_dir *state, const char *name, uint64_t max_bytes)
{
    char file[256], old[260];
    struct stat about;
    snprintf(file, sizeof(file), "%s.log", name);
    snprintf(old, sizeof(old), "%s.1", file);
    if (fstatat(state->logs, file, &about, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if ((uint64_t)about.st_size <= max_bytes)
        return 0;
    fd_owner from = openat(state->logs, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    fd_owner to =
        openat(state->logs, old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (from < 0 || to < 0)
        return -errno;
    int rc = copy_file(from, to, about.st_size);
    if (ftruncate(from, 0) < 0) /* also when the copy failed: a full disk must not stay full */
        rc = -errno;
    return rc;
}
