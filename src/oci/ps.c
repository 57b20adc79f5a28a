/* SPDX-License-Identifier: Apache-2.0 */
/* ps: the processes of a container, as JSON or by the host's ps program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/state.h"
#include "oci/verb.h"

static void print_json(const pid_t *pids, size_t count)
{
    putchar('[');
    for (size_t i = 0; pids != NULL && i < count; i++)
        printf("%s%d", i > 0 ? "," : "", (int)pids[i]);
    puts("]");
}

static bool has_pid(const pid_t *pids, size_t count, long pid)
{
    for (size_t i = 0; pids != NULL && i < count; i++) {
        if (pids[i] == pid)
            return true;
    }
    return false;
}

/* Which word of the header line is PID; -1: none. */
static int pid_column(const char *header)
{
    char copy[8192];
    char *save = NULL;
    int column = 0;
    snprintf(copy, sizeof(copy), "%s", header);
    for (char *word = strtok_r(copy, " \n", &save); word != NULL;
         word = strtok_r(NULL, " \n", &save), column++) {
        if (strcmp(word, "PID") == 0)
            return column;
    }
    return -1;
}

static long pid_in(const char *line, int column)
{
    for (; column > 0; column--) {
        line += strspn(line, " ");
        line += strcspn(line, " ");
    }
    return strtol(line, NULL, 10);
}

static pid_t start_ps(char **args, FILE **out)
{
    int ends[2];
    if (pipe2(ends, 02000000 /* O_CLOEXEC */) < 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execvp("ps", args);
        _exit(127);
    }
    close(ends[1]);
    *out = child > 0 ? fdopen(ends[0], "r") : NULL;
    if (*out == NULL)
        close(ends[0]);
    return child;
}

/* The lines of ps whose PID is one of the container's. */
static int print_table(struct oci_call *call, const pid_t *pids, size_t count, struct err *err)
{
    char line[8192];
    char *standard[] = {(char *)(uintptr_t) "ps", (char *)(uintptr_t) "-ef", NULL};
    char **args = standard;
    FILE *out = NULL;
    int status = 0;
    int column = -1;
    if (call->argc > 1) {
        args = call->argv; /* its first place, the id, becomes the program's name */
        args[0] = standard[0];
    }
    pid_t child = start_ps(args, &out);
    if (child < 0 || out == NULL)
        return err_set(err, errno, "run the host's ps:");
    if (fgets(line, sizeof(line), out) != NULL) {
        column = pid_column(line);
        fputs(line, stdout);
    }
    while (fgets(line, sizeof(line), out) != NULL) {
        if (column >= 0 && has_pid(pids, count, pid_in(line, column)))
            fputs(line, stdout);
    }
    fclose(out);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ENOENT, "the host's ps failed (is procps installed?)");
    return column < 0 ? err_set(err, EINVAL, "the output of ps has no column PID") : 0;
}

int oci_ps(struct oci_call *call, struct err *err)
{
    struct oci_place place;
    struct oci_state state;
    pid_t *pids = NULL;
    const char *format = call->set.format;
    bool json = format != NULL && strcmp(format, "json") == 0;
    if (format != NULL && !json && strcmp(format, "table") != 0)
        return err_set(err, EINVAL, "--format %s: it is table or json", format);
    int result = oci_place_open(call->root, call->argv[0], false, &place, err);
    if (result < 0)
        return result;
    result = oci_state_load(&place, &state, err);
    if (result == 0) {
        ssize_t count = state.no_cgroup ? err_set(err, ENOTSUP, "the container has no cgroup")
                                        : oci_cgroup_pids(&state.cgroup, &pids, err);
        if (count < 0)
            result = (int)count;
        else if (json)
            print_json(pids, (size_t)count);
        else
            result = print_table(call, pids, (size_t)count, err);
        free(pids);
        oci_state_free(&state);
    }
    oci_place_close(&place);
    return result;
}
