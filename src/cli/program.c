/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/spec.h"

#define SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SHOWN_IN    "/app/"

static int resolve(const char *program, char real[PATH_MAX], struct err *err)
{
    struct stat status;
    if (realpath(program, real) == NULL || stat(real, &status) < 0)
        return err_set(err, errno, "find the program %s:", program);
    if (!S_ISREG(status.st_mode))
        return err_set(err, EACCES, "%s is no program: it is not a regular file", real);
    if ((status.st_mode & 0111) == 0)
        return err_set(err, EACCES, "%s is not executable: its mode has no x; try chmod +x", real);
    return 0;
}

int program_find(const char *program, char real[PATH_MAX], struct err *err)
{
    if (strchr(program, '/') != NULL)
        return resolve(program, real, err);
    for (const char *at = SEARCH_PATH; *at != '\0';) {
        char path[PATH_MAX];
        size_t length = strcspn(at, ":");
        snprintf(path, sizeof(path), "%.*s/%s", (int)length, at, program);
        if (access(path, X_OK) == 0)
            return resolve(path, real, err);
        at += length + (at[length] == ':');
    }
    return err_set(err, ENOENT, "find the program %s in %s:", program, SEARCH_PATH);
}

int program_stands_alone(const char *real, struct err *err)
{
    static const struct {
        const char *name, *modules; /* of what begins with name: where its modules are */
    } needy[] = {
        {"perl", "/usr/share/perl"},
        {"pypy", "/usr/lib/pypy"},
        {"python", "/usr/lib/python3"},
        {"ruby", "/usr/lib/ruby"},
    };
    const char *name = strrchr(real, '/');
    name = name != NULL ? name + 1 : real;
    for (size_t i = 0; i < sizeof(needy) / sizeof(needy[0]); i++) {
        if (strncmp(name, needy[i].name, strlen(needy[i].name)) == 0)
            return err_set(err, ENOEXEC,
                           "%.200s needs its modules (%s and more), but a virtual machine made of "
                           "a program has only that and the libraries it links: give --image REF, "
                           "or to skerry run --rootfs DIR, with the interpreter and its modules",
                           real, needy[i].modules);
    }
    return 0;
}

/* True for paths that the machine's /usr shows in the sandbox. */
static bool below_usr(const char *path)
{
    static const char *const shown[] = {"/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/"};
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        if (strncmp(path, shown[i], strlen(shown[i])) == 0)
            return true;
    }
    return false;
}

static bool below_bind(const struct function_spec *spec, const char *path)
{
    for (uint32_t i = 0; i < spec->bind_count; i++) {
        const char *target = spec->binds[i].target;
        size_t length = strlen(target);
        if (strncmp(path, target, length) == 0 && (path[length] == '/' || path[length] == '\0'))
            return true;
    }
    return false;
}

static int show(const char *program, const char *real, struct function_spec *spec, struct err *err)
{
    const char *name = strrchr(program, '/') + 1;
    if (spec->bind_count == FUNCTION_BINDS_MAX)
        return err_set(err, E2BIG,
                       "no bind is left to show the program %s: at most %d are possible", real,
                       FUNCTION_BINDS_MAX);
    struct function_bind *bind = &spec->binds[spec->bind_count];
    if (strlen(real) >= sizeof(bind->source) ||
        strlen(name) + sizeof(SHOWN_IN) > sizeof(bind->target))
        return err_set(err, ENAMETOOLONG, "show the program %.200s:", real);
    strcpy(bind->source, real);
    strcpy(bind->target, SHOWN_IN);
    strcat(bind->target, name);
    bind->read_only = 1;
    spec->bind_count++;
    return spec_add_arg(bind->target, spec, err);
}

int program_on_usr(const char *program, struct function_spec *spec, struct err *err)
{
    char real[PATH_MAX];
    if (strchr(program, '/') == NULL ||
        (program[0] == '/' && (below_usr(program) || below_bind(spec, program))))
        return spec_add_arg(program, spec, err);
    int result = resolve(program, real, err);
    if (result < 0)
        return result;
    return below_usr(real) ? spec_add_arg(real, spec, err) : show(program, real, spec, err);
}
