/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd(5) and group(5) as text: "name:password:id:..." a line; the first line that fits counts.
 */
#include "image/user.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ID_MAX     65535u
#define FIELDS_MAX 4
#define PART_MAX   128

struct field {
    const char *text;
    size_t size;
};

/* Splits the line at *at into its first fields and moves *at behind it; false at the end. */
static bool next_line(const char **at, struct field fields[FIELDS_MAX])
{
    if (**at == '\0')
        return false;
    size_t left = strcspn(*at, "\n");
    const char *text = *at;
    *at += left + ((*at)[left] == '\n');
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        size_t size = 0;
        while (size < left && text[size] != ':')
            size++;
        fields[i] = (struct field){text, size};
        size_t skip = size < left ? size + 1 : size;
        text += skip;
        left -= skip;
    }
    return true;
}

static bool field_is(const struct field *field, const char *text)
{
    return strlen(text) == field->size && memcmp(field->text, text, field->size) == 0;
}

/* A decimal number of at most five digits: ids of an image are 0..65535. */
static bool parse_id(const char *text, size_t size, uint32_t *out)
{
    uint32_t value = 0;
    if (size == 0 || size > 5)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (value > ID_MAX)
        return false;
    *out = value;
    return true;
}

/* Finds a line by name, or by id where name is NULL; its third and fourth field as numbers. */
static bool find_line(const char *file, const char *name, uint32_t id, uint32_t *out_id,
                      uint32_t *out_next)
{
    struct field fields[FIELDS_MAX];
    while (next_line(&file, fields)) {
        uint32_t found;
        uint32_t next = 0;
        if (!parse_id(fields[2].text, fields[2].size, &found))
            continue;
        if (name != NULL ? !field_is(&fields[0], name) : found != id)
            continue;
        if (out_next != NULL && !parse_id(fields[3].text, fields[3].size, &next))
            continue;
        *out_id = found;
        if (out_next != NULL)
            *out_next = next;
        return true;
    }
    return false;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

int user_resolve(const char *user, const char *passwd, const char *group, uint32_t *out_uid,
                 uint32_t *out_gid, struct err *err)
{
    char name[PART_MAX];
    uint32_t uid = 0;
    uint32_t gid = 0;
    size_t size = strcspn(user, ":");
    const char *group_name = user[size] == ':' ? user + size + 1 : "";
    if (size == 0 || size >= sizeof(name))
        return err_set(err, EINVAL, "the image's user '%.100s' cannot be read", user);
    memcpy(name, user, size);
    name[size] = '\0';
    if (is_number(name)) {
        uint32_t same;
        if (!parse_id(name, size, &uid))
            return err_set(err, EINVAL, "the image's user %.40s is outside 0..%u", name, ID_MAX);
        find_line(passwd, NULL, uid, &same, &gid); /* a user that is not listed has group 0 */
    } else if (!find_line(passwd, name, 0, &uid, &gid)) {
        return err_set(err, EINVAL, "the image's user '%.100s' is not in its /etc/passwd", name);
    }
    if (is_number(group_name)) {
        if (!parse_id(group_name, strlen(group_name), &gid))
            return err_set(err, EINVAL, "the image's group %.40s is outside 0..%u", group_name,
                           ID_MAX);
    } else if (group_name[0] != '\0' && !find_line(group, group_name, 0, &gid, NULL)) {
        return err_set(err, EINVAL, "the image's group '%.100s' is not in its /etc/group",
                       group_name);
    }
    *out_uid = uid;
    *out_gid = gid;
    return 0;
}
