/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/function.h"

void admin_print_json(const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    puts(text != NULL ? text : "null");
    free(text);
}

int admin_target(const char *path, const char *name, const struct settings *settings, char *buf,
                 size_t room, struct err *err)
{
    if (name != NULL && !function_name_valid(name))
        return err_set(err, EINVAL,
                       "'%s' cannot be the name of a function: lower-case letters, digits and '-', "
                       "at most %d of them",
                       name, FUNCTION_NAME_MAX - 1);
    const char *tenant = settings->tenant;
    if (tenant != NULL && !function_name_valid(tenant))
        return err_set(err, EINVAL, "'%s' cannot be the name of a tenant", tenant);
    int length =
        snprintf(buf, room, "%s%s%s%s%s", path, name != NULL ? "/" : "", name != NULL ? name : "",
                 tenant != NULL ? "?namespace=" : "", tenant != NULL ? tenant : "");
    return length < 0 || (size_t)length >= room ? err_set(err, E2BIG, "the name is too long") : 0;
}

const char *admin_exec_ref(const char *tenant, const char *name, char *buf, size_t room)
{
    snprintf(buf, room, "exec/%s/%s", tenant != NULL ? tenant : "default", name);
    return buf;
}

const char *admin_text(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

uint64_t admin_number(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    json_int_t number =
        json_is_real(value) ? (json_int_t)json_real_value(value) : json_integer_value(value);
    return number > 0 ? (uint64_t)number : 0;
}

bool admin_image_in_use(const char *state, const char *ref, struct err *err)
{
    struct err ignored;
    json_t *all = NULL, *function;
    size_t i;
    bool found = false;
    if (client_json(state, "GET", "/system/functions", NULL, &all, NULL, &ignored) < 0)
        return false;
    json_array_foreach(all, i, function)
    {
        const char *image = json_string_value(json_object_get(function, "image"));
        const char *name = json_string_value(json_object_get(function, "name"));
        if (image == NULL || strcmp(image, ref) != 0)
            continue;
        err_set(err, EBUSY, "image %s: the function %s uses it; remove that first, or say --force",
                ref, name != NULL ? name : "?");
        found = true;
        break;
    }
    json_decref(all);
    return found;
}
