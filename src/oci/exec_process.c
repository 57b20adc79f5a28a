/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/exec_process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/names.h"

static int from_file(const char *path, struct oci_spec *out, struct err *err)
{
    struct stat status;
    fd_owner fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0)
        return err_set(err, errno, "open --process %s:", path);
    if (!S_ISREG(status.st_mode) || status.st_size > (off_t)JSON_SIZE_MAX)
        return err_set(err, EINVAL, "--process %s is no regular file below 8 MiB", path);
    size_t size = (size_t)status.st_size;
    char *text = malloc(size + 1);
    ssize_t got = text == NULL ? -ENOMEM : fd_read_all(fd, text, size);
    int result = got < 0 ? err_set(err, (int)-got, "read --process %s:", path)
                         : oci_process_parse(text, (size_t)got, out, err);
    free(text);
    return result;
}

/* A whole number to *end; strtoul alone takes signs and blanks. */
static int parse_id(const char *text, char **end, uint32_t *out)
{
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    unsigned long long number = strtoull(text, end, 10);
    if (errno != 0 || number > UINT32_MAX - 1)
        return -ERANGE;
    *out = (uint32_t)number;
    return 0;
}

/* UID[:GID]; names are refused: the image's passwd is not the host's to trust. */
static int set_user(const char *text, struct oci_user *user, struct err *err)
{
    char *end = NULL;
    uint32_t uid = 0;
    uint32_t gid = user->gid;
    int result = parse_id(text, &end, &uid);
    if (result == 0 && *end == ':')
        result = parse_id(end + 1, &end, &gid);
    if (result < 0 || *end != '\0')
        return err_set(err, EINVAL, "--user %s: it is UID or UID:GID, in numbers", text);
    user->uid = uid;
    user->gid = gid;
    return 0;
}

static int set_groups(const struct oci_values *values, struct oci_spec *spec, struct oci_user *user,
                      struct err *err)
{
    if (values->count == 0)
        return 0;
    uint32_t *gids =
        json_arena_alloc(&spec->arena, (user->gid_count + values->count) * sizeof(*gids));
    if (gids == NULL)
        return err_set(err, ENOMEM, "--additional-gids:");
    if (user->gid_count > 0)
        memcpy(gids, user->additional_gids, user->gid_count * sizeof(*gids));
    for (size_t i = 0; i < values->count; i++) {
        char *end = NULL;
        if (parse_id(values->items[i], &end, &gids[user->gid_count + i]) < 0 || *end != '\0')
            return err_set(err, EINVAL, "--additional-gids %s: it is a number", values->items[i]);
    }
    user->additional_gids = gids;
    user->gid_count += values->count;
    return 0;
}

static int set_environment(const struct oci_values *values, struct oci_spec *spec,
                           struct oci_strings *env, struct err *err)
{
    char **items =
        json_arena_alloc(&spec->arena, (env->count + values->count + 1) * sizeof(*items));
    if (items == NULL)
        return err_set(err, ENOMEM, "--env:");
    size_t count = env->count;
    if (count > 0)
        memcpy(items, env->items, count * sizeof(*items));
    for (size_t i = 0; i < values->count; i++) {
        const char *value = values->items[i];
        const char *equals = strchr(value, '=');
        if (equals == NULL || equals == value)
            return err_set(err, EINVAL, "--env %s: it is NAME=VALUE", value);
        size_t at = 0; /* the later one wins */
        while (at < count && strncmp(items[at], value, (size_t)(equals - value) + 1) != 0)
            at++;
        items[at] = (char *)(uintptr_t)value;
        if (at == count)
            count++;
    }
    env->items = items;
    env->count = count;
    return 0;
}

static int add_capabilities(const struct oci_values *values, struct oci_spec *spec,
                            struct oci_process *process, struct err *err)
{
    if (values->count == 0)
        return 0;
    if (process->capabilities == NULL)
        process->capabilities = json_arena_alloc(&spec->arena, sizeof(*process->capabilities));
    if (process->capabilities == NULL)
        return err_set(err, ENOMEM, "--cap:");
    for (size_t i = 0; i < values->count; i++) {
        int number = oci_capability_number(values->items[i]);
        if (number < 0)
            return err_set(err, EINVAL, "--cap %s: there is no such capability", values->items[i]);
        uint64_t bit = UINT64_C(1) << number;
        process->capabilities->bounding |= bit;
        process->capabilities->effective |= bit;
        process->capabilities->permitted |= bit;
    }
    return 0;
}

static int from_options(const struct oci_call *call, struct oci_spec *spec, struct err *err)
{
    const struct oci_settings *set = &call->set;
    struct oci_process *process = spec->process;
    if (process == NULL)
        process = spec->process = json_arena_alloc(&spec->arena, sizeof(*process));
    if (process == NULL)
        return err_set(err, ENOMEM, "process:");
    if (call->argc < 2)
        return err_set(err, EINVAL, "a command or --process must be given");
    process->args = (struct oci_strings){.count = (size_t)call->argc - 1, .items = call->argv + 1};
    process->terminal = set->tty;
    process->scheduler = NULL; /* of the first process alone */
    if (process->cwd == NULL)
        process->cwd = "/";
    if (set->cwd != NULL && set->cwd[0] != '/')
        return err_set(err, EINVAL, "--cwd %s: it must be absolute", set->cwd);
    if (set->cwd != NULL)
        process->cwd = set->cwd;
    if (set->apparmor != NULL)
        process->apparmor_profile = set->apparmor;
    if (set->process_label != NULL)
        process->selinux_label = set->process_label;
    if (set->no_new_privs)
        process->no_new_privileges = true;
    int result = set->user != NULL ? set_user(set->user, &process->user, err) : 0;
    if (result == 0)
        result = set_groups(&set->additional_gids, spec, &process->user, err);
    if (result == 0)
        result = set_environment(&set->env, spec, &process->env, err);
    return result == 0 ? add_capabilities(&set->cap, spec, process, err) : result;
}

int oci_exec_process(const struct oci_call *call, struct oci_spec *spec, struct oci_spec *out_own,
                     struct err *err)
{
    if (call->set.process == NULL)
        return from_options(call, spec, err);
    int result = from_file(call->set.process, out_own, err);
    if (result == 0) {
        spec->process = out_own->process;
        if (call->set.tty)
            spec->process->terminal = true;
    }
    return result;
}
