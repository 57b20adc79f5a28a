/* SPDX-License-Identifier: Apache-2.0 */
/* --bind SRC:DST[:ro] */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/spec.h"

static int bind_parse(const char *text, struct function_bind *out, struct err *err)
{
    char copy[2 * FUNCTION_PATH_MAX], real[PATH_MAX];
    if (strlen(text) >= sizeof(copy))
        return err_set(err, ENAMETOOLONG, "--bind %.100s...:", text);
    strcpy(copy, text);
    char *target = strchr(copy, ':');
    char *mode = target != NULL ? strchr(target + 1, ':') : NULL;
    if (target == NULL || target == copy || target[1] != '/' ||
        (mode != NULL && strcmp(mode, ":ro") != 0 && strcmp(mode, ":rw") != 0))
        return err_set(err, EINVAL,
                       "--bind %s: SRC:DST or SRC:DST:ro with an absolute DST is wanted", text);
    bool read_only = mode != NULL && strcmp(mode, ":ro") == 0;
    *target++ = '\0';
    if (mode != NULL)
        *mode = '\0';
    if (realpath(copy, real) == NULL)
        return err_set(err, errno, "--bind %s: find %s:", text, copy);
    if (strlen(real) >= sizeof(out->source) || strlen(target) >= sizeof(out->target))
        return err_set(err, ENAMETOOLONG, "--bind %.100s...:", text);
    strcpy(out->source, real);
    strcpy(out->target, target);
    out->read_only = read_only;
    return 0;
}

int binds_parse(const struct text_list *list, struct function_bind *binds, uint32_t *out_count,
                struct err *err)
{
    if (list->count > FUNCTION_BINDS_MAX)
        return err_set(err, E2BIG, "--bind was given %u times; at most %d are possible",
                       list->count, FUNCTION_BINDS_MAX);
    for (unsigned int i = 0; i < list->count; i++) {
        int result = bind_parse(list->items[i], &binds[i], err);
        if (result < 0)
            return result;
    }
    *out_count = list->count;
    return 0;
}
