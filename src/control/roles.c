/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gateway and API process from execve to confinement; see roles.h. Everything that needs a file is
 * done before confine_self; the first byte that is not trusted is read after it.
 *
 *   skerryd --role=gateway UID EPOCH LISTENERS
 *   skerryd --role=api UID ADMIN-UID
 */
#include "control/roles.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "control/api.h"
#include "gateway/link.h"
#include "jail/confine.h"

static bool number(const char *text, unsigned long most, unsigned long *out)
{
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out <= most;
}

static bool confine(enum confine_profile profile, unsigned long uid)
{
    struct confine_options options = {
        .profile = profile, .uid = (uid_t)uid, .gid = (gid_t)uid, .root_fd = -1};
    struct err err;
    if (confine_self(&options, &err) == 0)
        return true;
    log_error("cannot be confined: %s", err.text);
    return false;
}

static int run_gateway(char **argv)
{
    static int listeners[CHILD_FDS_MAX];
    unsigned long uid, epoch, count;
    log_role("skerryd gateway");
    if (!number(argv[0], UINT32_MAX, &uid) || !number(argv[1], UINT32_MAX, &epoch) ||
        !number(argv[2], CHILD_FDS_MAX, &count))
        return 2;
    for (unsigned long i = 0; i < count; i++)
        listeners[i] = ROLE_GATEWAY_LISTENERS + (int)i;
    struct gateway_options options = {.listeners = listeners,
                                      .listener_count = (unsigned int)count,
                                      .link = ROLE_GATEWAY_LINK,
                                      .api = ROLE_GATEWAY_API,
                                      .stats = ROLE_GATEWAY_STATS,
                                      .access_log = ROLE_GATEWAY_LOG,
                                      .dev_null = STDIN_FILENO,
                                      .uptime = ROLE_GATEWAY_UPTIME,
                                      .epoch = (uint32_t)epoch,
                                      .hold = 1};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    options.cpus = cpus > 0 ? (unsigned int)cpus : 1;
    if (!confine(CONFINE_GATEWAY, uid))
        return 1;
    return gateway_main(&options);
}

/* Reads the password and closes its file. */
static bool read_password(char *out, size_t room)
{
    ssize_t size = fd_read_all(ROLE_API_PASSWORD, out, room - 1);
    close(ROLE_API_PASSWORD);
    out[size > 0 ? size : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return out[0] != '\0';
}

static int run_api(char **argv)
{
    static char password[API_PASSWORD_MAX];
    unsigned long uid, admin;
    log_role("skerryd api");
    if (!number(argv[0], UINT32_MAX, &uid) || !number(argv[1], UINT32_MAX, &admin))
        return 2;
    if (!read_password(password, sizeof(password)))
        log_error("the file admin-password is empty: nobody can log in over TCP");
    void *stats = mmap(NULL, sizeof(struct stats_page), PROT_READ, MAP_SHARED, ROLE_API_STATS, 0);
    if (stats == MAP_FAILED) {
        log_error("map the statistics: %s", strerror(errno));
        return 1;
    }
    close(ROLE_API_STATS);
    struct api_options options = {.link = ROLE_API_LINK,
                                  .listener = ROLE_API_LISTENER,
                                  .handoff = ROLE_API_HANDOFF,
                                  .admin = (uid_t)admin,
                                  .password = password,
                                  .stats = stats};
    json_object_seed(0); /* reads /dev/urandom, which it would otherwise do at the first object */
    if (!confine(CONFINE_API, uid))
        return 1;
    return api_main(&options);
}

bool role_run(int argc, char **argv, int *out_status)
{
    if (argc == 5 && strcmp(argv[1], ROLE_GATEWAY) == 0)
        *out_status = run_gateway(argv + 2);
    else if (argc == 4 && strcmp(argv[1], ROLE_API) == 0)
        *out_status = run_api(argv + 2);
    else
        return false;
    return true;
}
