/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs. Each row stands in the file of its verb. */
#include "cli/verbs.h"

#include <errno.h>
#include <string.h>

const struct verb *const verbs[] = {
    &verb_run,          &verb_serve,  &verb_deploy,     &verb_list,         &verb_describe,
    &verb_invoke,       &verb_logs,   &verb_remove,     &verb_image_import, &verb_image_list,
    &verb_image_remove, &verb_doctor, &verb_completion, &verb_version,      &verb_help,
    &verb_complete,     NULL,
};

/* How many of argv's first words the verb's name is; 0: it is not. */
static int matches(const char *name, int argc, char *const *argv)
{
    size_t first = strcspn(name, " ");
    if (argc < 1 || strlen(argv[0]) != first || memcmp(argv[0], name, first) != 0)
        return 0;
    if (name[first] == '\0')
        return 1;
    return argc >= 2 && strcmp(argv[1], name + first + 1) == 0 ? 2 : 0;
}

/* argv[0] is the first word of verbs of two words, but no such verb was named. */
static int needs_second(const char *first, const char *second, struct err *err)
{
    char all[128] = "";
    const char *meant = NULL;
    unsigned int best = 99;
    size_t length = strlen(first);
    for (const struct verb *const *at = verbs; *at != NULL; at++) {
        const char *name = (*at)->name;
        if (strncmp(name, first, length) != 0 || name[length] != ' ')
            continue;
        if (all[0] != '\0')
            strncat(all, ", ", sizeof(all) - strlen(all) - 1);
        strncat(all, name + length + 1, sizeof(all) - strlen(all) - 1);
        if (second != NULL && suggest_better(second, name + length + 1, &best))
            meant = name;
    }
    if (all[0] == '\0')
        return 0;
    if (meant != NULL)
        return err_set(err, EINVAL, "unknown verb '%s %s' (did you mean '%s'?)", first, second,
                       meant);
    return err_set(err, EINVAL, "'%s' needs one of: %s", first, all);
}

const struct verb *verb_find(int argc, char *const *argv, int *out_words, struct err *err)
{
    for (const struct verb *const *at = verbs; *at != NULL; at++) {
        int words = matches((*at)->name, argc, argv);
        if (words > 0) {
            *out_words = words;
            return *at;
        }
    }
    if (argc < 1) {
        err_set(err, EINVAL, "no verb was given");
        return NULL;
    }
    if (needs_second(argv[0], argc > 1 ? argv[1] : NULL, err) < 0)
        return NULL;
    const char *meant = NULL;
    unsigned int best = 99;
    for (const struct verb *const *at = verbs; *at != NULL; at++) {
        if (!(*at)->hidden && suggest_better(argv[0], (*at)->name, &best))
            meant = (*at)->name;
    }
    if (meant != NULL)
        err_set(err, EINVAL, "unknown verb '%s' (did you mean '%s'?)", argv[0], meant);
    else
        err_set(err, EINVAL, "unknown verb '%s'", argv[0]);
    return NULL;
}
