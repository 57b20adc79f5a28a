/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What templates share, made once a process: the zygote's executable, compiled filters, the cgroup
 * directory.
 */
#include "jail/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef SKERRY_LIBEXEC
#define SKERRY_LIBEXEC "/usr/local/libexec/skerry"
#endif

/* Beside this program (a build directory has it in src/ROOM), then where it is installed. */
int jail_program_path(const char *name, const char *room, char *out, size_t size, struct err *err)
{
    char self[4096] = "";
    char dirs[3][4300];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        self[length] = '\0';
        *strrchr(self, '/') = '\0';
        snprintf(dirs[0], sizeof(dirs[0]), "%s", self);
        snprintf(dirs[1], sizeof(dirs[1]), "%s/../%s", self, room);
        snprintf(dirs[2], sizeof(dirs[2]), "%s/../libexec/skerry", self);
    }
    for (size_t i = 0; length > 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        int used = snprintf(out, size, "%s/%s", dirs[i], name);
        if (used > 0 && (size_t)used < size && access(out, R_OK) == 0)
            return 0;
    }
    int used = snprintf(out, size, SKERRY_LIBEXEC "/%s", name);
    if (used > 0 && (size_t)used < size && access(out, R_OK) == 0)
        return 0;
    return err_set(err, ENOENT,
                   "find %s beside this program or in " SKERRY_LIBEXEC
                   " (is the installation complete?):",
                   name);
}

static int open_zygote(const char *path, struct err *err)
{
    char found[4400];
    if (path == NULL) {
        int result = jail_program_path("skerry-zygote", "jail", found, sizeof(found), err);
        if (result < 0)
            return result;
        path = found;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, "open the zygote program %s:", path);
}

static int copy_sealed(int from, int to, struct err *err)
{
    ssize_t size;
    do {
        size = sendfile(to, from, NULL, 1 << 20);
    } while (size > 0 || (size < 0 && errno == EINTR));
    if (size < 0 ||
        fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return err_set(err, errno, "copy skerry-warm into memory:");
    return 0;
}

int jail_host_warm(struct jail_host *host, struct err *err)
{
    char path[4400];
    if (host->warm < 0) {
        int result = jail_program_path("skerry-warm", "warm", path, sizeof(path), err);
        if (result < 0)
            return result;
        fd_owner file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return err_set(err, errno, "open %s:", path);
        fd_owner copy = memfd_create("skerry-warm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (copy < 0)
            return err_set(err, errno, "memory for skerry-warm:");
        result = copy_sealed(file, copy, err);
        if (result < 0)
            return result;
        host->warm = fd_steal(&copy);
    }
    int fd = fcntl(host->warm, F_DUPFD_CLOEXEC, 0);
    return fd >= 0 ? fd : err_set(err, errno, "skerry-warm for a template:");
}

static int open_cgroups(struct jail_host *host, const struct jail_host_options *options,
                        struct err *err)
{
    char prefix[64];
    cgroup_prefix_of(options->cgroup_prefix != NULL ? options->cgroup_prefix : "skerry", getpid(),
                     prefix, sizeof(prefix));
    int result = cgroup_host_open(prefix, &host->cgroups, err);
    if (result == 0) {
        snprintf(host->missing, sizeof(host->missing), "%s", cgroup_host_missing(host->cgroups));
        return 0;
    }
    snprintf(host->missing, sizeof(host->missing),
             "memory, CPU and processes cannot be limited by cgroups: %.180s", err->text);
    return options->rootless || result == -ENOENT ? 0 : result;
}

int jail_host_open(const struct jail_host_options *options, struct jail_host **out, struct err *err)
{
    struct jail_host *host = calloc(1, sizeof(*host));
    struct err ignored;
    if (host == NULL)
        return err_set(err, ENOMEM, "jail host:");
    host->rootless = options->rootless;
    host->warm = -1;
    host->zygote = open_zygote(options->zygote_path, err);
    int result = host->zygote < 0 ? host->zygote : 0;
    if (result == 0)
        result = open_cgroups(host, options, err != NULL ? err : &ignored);
    if (result < 0) {
        jail_host_close(host);
        return result;
    }
    *out = host;
    return 0;
}

void jail_host_close(struct jail_host *host)
{
    if (host == NULL)
        return;
    cgroup_host_close(host->cgroups);
    fd_close(&host->zygote);
    fd_close(&host->warm);
    for (size_t i = 0; i < FILTER_POLICIES; i++)
        free(host->filters[i]);
    free(host);
}

const char *jail_host_limits_missing(const struct jail_host *host)
{
    return host->missing;
}

int jail_host_serve(struct jail_host *host, pid_t pid, struct err *err)
{
    return host->cgroups != NULL ? cgroup_service_attach(host->cgroups, pid, err) : 0;
}

const struct filter_program *jail_host_filter(struct jail_host *host, const struct jail_plan *plan,
                                              struct err *err)
{
    struct filter_program **filter = &host->filters[filter_policy(plan)];
    if (*filter != NULL)
        return *filter;
    struct filter_program *compiled = calloc(1, sizeof(*compiled));
    if (compiled == NULL) {
        err_set(err, ENOMEM, "seccomp filter:");
        return NULL;
    }
    if (filter_compile(plan, compiled, err) < 0) {
        free(compiled);
        return NULL;
    }
    *filter = compiled;
    return compiled;
}

int jail_sweep(struct err *err)
{
    return cgroup_sweep(err);
}
