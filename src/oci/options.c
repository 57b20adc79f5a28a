/* SPDX-License-Identifier: Apache-2.0 */
/* Parses a command line by the tables of verb.c and prints help from them; no state. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/verb.h"

static const struct oci_option *find(const struct oci_option *options, const char *name,
                                     size_t length)
{
    for (const struct oci_option *option = options; option->name != NULL; option++) {
        if (strncmp(option->name, name, length) == 0 && option->name[length] == '\0')
            return option;
        if (length == 1 && option->letter == name[0])
            return option;
    }
    return NULL;
}

static int set_flag(bool *field, const char *value, const char *name, struct err *err)
{
    if (value == NULL || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        *field = true;
    else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        *field = false;
    else
        return err_set(err, EINVAL, "option --%s: \"%s\" is neither true nor false", name, value);
    return 0;
}

static int set_count(uint32_t *field, const char *value, const char *name, struct err *err)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || number < 0 || number > 65536)
        return err_set(err, EINVAL, "option --%s: \"%s\" is no number from 0 to 65536", name,
                       value);
    *field = (uint32_t)number;
    return 0;
}

static int set_option(const struct oci_option *option, const char *value, int room,
                      struct oci_settings *set, struct err *err)
{
    void *field = (char *)set + option->offset;
    struct oci_values *values = field;
    switch ((enum oci_option_kind)option->kind) {
    case OPTION_FLAG:
        return set_flag(field, value, option->name, err);
    case OPTION_TEXT:
        *(const char **)field = value;
        return 0;
    case OPTION_COUNT:
        return set_count(field, value, option->name, err);
    case OPTION_VALUES:
        if (values->items == NULL)
            values->items = calloc((size_t)room, sizeof(*values->items));
        if (values->items == NULL)
            return err_set(err, ENOMEM, "options:");
        values->items[values->count++] = value;
        return 0;
    }
    return -EINVAL;
}

int oci_options_parse(const struct oci_option *options, int argc, char **argv, int *at,
                      bool permute, struct oci_settings *set, struct err *err)
{
    int operands = *at;
    int i = operands;
    for (; i < argc; i++) {
        const char *text = argv[i];
        if (text[0] != '-' || text[1] == '\0') {
            if (!permute)
                break;
            argv[operands++] = argv[i];
            continue;
        }
        if (strcmp(text, "--") == 0) {
            i++;
            break;
        }
        const char *name = text + (text[1] == '-' ? 2 : 1);
        size_t length = strcspn(name, "=");
        const struct oci_option *option = find(options, name, length);
        if (option == NULL)
            return err_set(err, EINVAL, "unknown option %s", text);
        const char *value = name[length] == '=' ? name + length + 1 : NULL;
        if (value == NULL && option->kind != OPTION_FLAG) {
            if (++i == argc)
                return err_set(err, EINVAL, "option %s needs a value", text);
            value = argv[i];
        }
        int result = set_option(option, value, argc, set, err);
        if (result < 0)
            return result;
    }
    /* operands that stood between options come first, then what follows "--" */
    while (permute && i < argc)
        argv[operands++] = argv[i++];
    *at = permute ? operands : i;
    return 0;
}

static void print_options(const struct oci_option *options)
{
    for (const struct oci_option *option = options; option->name != NULL; option++) {
        char left[64];
        int used = snprintf(left, sizeof(left), "--%s%s", option->name,
                            option->kind == OPTION_FLAG ? "" : " VALUE");
        if (option->letter != 0)
            snprintf(left + used, sizeof(left) - (size_t)used, ", -%c", option->letter);
        printf("  %-30s %s\n", left, option->help);
    }
}

void oci_help(const struct oci_verb *verb)
{
    if (verb != NULL) {
        printf(
            "skerry-oci %s: %s\n\nusage: skerry-oci [GLOBAL OPTIONS] %s [OPTIONS] %s\n\noptions:\n",
            verb->name, verb->summary, verb->name, verb->operands);
        print_options(verb->options);
        return;
    }
    puts("skerry-oci: an OCI runtime (runtime-spec 1.2) with runc's command line\n\n"
         "usage: skerry-oci [GLOBAL OPTIONS] VERB [OPTIONS] [OPERANDS]\n\nverbs:");
    for (verb = oci_verbs; verb->name != NULL; verb++)
        printf("  %-12s %s\n", verb->name, verb->summary);
    puts("\nglobal options:");
    print_options(oci_global_options);
}
