/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/state.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int absolute(const char *path, char out[STATE_PATH_MAX], struct err *err)
{
    char here[STATE_PATH_MAX] = "";
    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        return err_set(err, errno, "find the current directory, to which %s is relative:", path);
    int length = snprintf(out, STATE_PATH_MAX, "%s%s%s", here, path[0] != '/' ? "/" : "", path);
    /* Unix socket addresses hold 107 characters, ours end in /skerry.sock. */
    if (length < 0 || length > 90)
        return err_set(err, ENAMETOOLONG,
                       "the state directory %.100s... is longer than the 90 characters that a "
                       "socket address leaves; choose a shorter one with --state",
                       path);
    return 0;
}

int state_dir(const struct settings *settings, char out[STATE_PATH_MAX], struct err *err)
{
    const char *named = settings->state != NULL ? settings->state : getenv("SKERRY_STATE");
    if (named != NULL && named[0] != '\0')
        return absolute(named, out, err);
    if (geteuid() == 0)
        return absolute("/var/lib/skerry", out, err);
    char path[STATE_PATH_MAX];
    const char *base = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (base != NULL && base[0] == '/')
        snprintf(path, sizeof(path), "%s/skerry", base);
    else if (home != NULL && home[0] == '/')
        snprintf(path, sizeof(path), "%s/.local/state/skerry", home);
    else
        return err_set(err, ENOENT,
                       "cannot tell where the state directory is: neither HOME nor XDG_STATE_HOME "
                       "is set; say it with --state DIR");
    return absolute(path, out, err);
}

int state_make(const char *path, struct err *err)
{
    char part[STATE_PATH_MAX];
    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
        return err_set(err, ENAMETOOLONG, "make %s:", path);
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return err_set(err, errno, "make the directory %s:", part);
        if (slash == NULL)
            return 0;
        *slash = '/';
    }
}

static bool runnable(char out[STATE_PATH_MAX], const char *dir, const char *name)
{
    char path[STATE_PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return false;
    if (access(path, X_OK) < 0)
        return false;
    memcpy(out, path, sizeof(path));
    return true;
}

static bool in_path(char out[STATE_PATH_MAX], const char *name)
{
    const char *path = getenv("PATH");
    for (const char *at = path; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ":");
        char dir[STATE_PATH_MAX];
        if (length > 0 && length < sizeof(dir)) {
            memcpy(dir, at, length);
            dir[length] = '\0';
            if (dir[0] == '/' && runnable(out, dir, name))
                return true;
        }
        at += length + (at[length] == ':');
    }
    return false;
}

int state_program(const char *name, const char *room, char out[STATE_PATH_MAX], struct err *err)
{
    char here[STATE_PATH_MAX / 2] = "", there[STATE_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", here, sizeof(here) - 1);
    if (length > 0) {
        here[length] = '\0';
        *strrchr(here, '/') = '\0';
        snprintf(there, sizeof(there), "%s/../%s", here, room);
        if (runnable(out, here, name) || runnable(out, there, name))
            return 0;
        snprintf(there, sizeof(there), "%s/../libexec/skerry", here);
        if (runnable(out, there, name))
            return 0;
    }
    if (runnable(out, LIBEXECDIR, name) || in_path(out, name))
        return 0;
    return err_set(
        err, ENOENT,
        "cannot find the program %s: it is neither in %s beside this one nor in %s nor in "
        "PATH; install skerry again",
        name, here, LIBEXECDIR);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    remove(path);
    return 0;
}

void state_remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
