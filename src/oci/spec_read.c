/* SPDX-License-Identifier: Apache-2.0 */
/* See spec_read.h. */
#include "oci/spec_read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- messages --- */

__attribute__((format(printf, 3, 0))) static void describe(struct spec_reader *in, int code,
                                                           const char *format, va_list list)
{
    char text[ERR_TEXT_MAX];
    vsnprintf(text, sizeof(text), format, list);
    err_set(in->err, code, "%s%s%s", in->path, in->length > 0 ? ": " : "", text);
}

int spec_wrong(struct spec_reader *in, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    describe(in, EINVAL, format, list);
    va_end(list);
    return -EINVAL;
}

int spec_unsupported(struct spec_reader *in, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    describe(in, ENOTSUP, format, list);
    va_end(list);
    return -ENOTSUP;
}

int spec_no_memory(struct spec_reader *in)
{
    return err_set(in->err, ENOMEM, "read the configuration:");
}

int spec_type(struct spec_reader *in, const struct json *value, enum json_type expected)
{
    if (value->type == expected)
        return 0;
    return spec_wrong(in, "is %s; %s is expected", json_type_name(value),
                      json_type_name(&(struct json){.type = expected}));
}

/* The list is made with the first warning. */
int spec_warn(struct spec_reader *in, const char *format, ...)
{
    enum { WARNINGS_MAX = 64 }; /* a hostile file shall not fill the log */
    struct oci_strings *list = &in->spec->warnings;
    char text[ERR_TEXT_MAX];
    va_list args;
    if (list->count == WARNINGS_MAX)
        return 0;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (list->items == NULL)
        list->items = json_arena_alloc(&in->spec->arena, (WARNINGS_MAX + 1) * sizeof(*list->items));
    char *warning =
        json_arena_printf(&in->spec->arena, "%s%s%s", in->path, in->length > 0 ? ": " : "", text);
    if (list->items == NULL || warning == NULL)
        return spec_no_memory(in);
    list->items[list->count++] = warning;
    return 0;
}

/* --- the path --- */

static size_t enter(struct spec_reader *in, const char *before, const char *key, const char *after)
{
    size_t mark = in->length;
    int length =
        snprintf(in->path + mark, sizeof(in->path) - mark, "%s%.80s%s", before, key, after);
    in->length = mark + (size_t)length;
    if (in->length >= sizeof(in->path))
        in->length = sizeof(in->path) - 1;
    return mark;
}

size_t spec_enter(struct spec_reader *in, const char *key)
{
    return enter(in, in->length > 0 ? "." : "", key, "");
}

size_t spec_enter_index(struct spec_reader *in, size_t index)
{
    char text[32];
    snprintf(text, sizeof(text), "%zu", index);
    return enter(in, "[", text, "]");
}

void spec_leave(struct spec_reader *in, size_t mark)
{
    in->length = mark;
    in->path[mark] = '\0';
}

/* --- objects and lists --- */

static int read_member(struct spec_reader *in, const struct json *member,
                       const struct spec_field *fields, size_t count, uint64_t *seen, void *out)
{
    size_t mark = spec_enter(in, member->key);
    int result = 0;
    size_t i = 0;
    while (i < count && strcmp(fields[i].key, member->key) != 0)
        i++;
    if (i == count) {
        result = spec_warn(in, "unknown property, ignored");
    } else if (member->type != JSON_TYPE_NULL) {
        *seen |= 1ull << i;
        result = fields[i].read(in, member, (char *)out + fields[i].offset);
    }
    if (result == 0)
        spec_leave(in, mark);
    return result;
}

int spec_read_object(struct spec_reader *in, const struct json *value,
                     const struct spec_field *fields, size_t count, void *out)
{
    uint64_t seen = 0;
    int result = spec_type(in, value, JSON_TYPE_OBJECT);
    const struct json *member = value->child;
    for (; result == 0 && member != NULL; member = member->next)
        result = read_member(in, member, fields, count, &seen, out);
    for (size_t i = 0; result == 0 && i < count; i++) {
        if (fields[i].required && (seen & 1ull << i) == 0) {
            spec_enter(in, fields[i].key);
            result = spec_wrong(in, "is required and missing");
        }
    }
    return result;
}

int spec_read_list(struct spec_reader *in, const struct json *value, size_t size, spec_read_fn read,
                   size_t *out_count, void *out_items)
{
    int result = spec_type(in, value, JSON_TYPE_ARRAY);
    if (result < 0)
        return result;
    char *items = json_arena_alloc(&in->spec->arena, (value->count + 1) * size);
    if (items == NULL)
        return spec_no_memory(in);
    size_t at = 0;
    for (const struct json *item = value->child; item != NULL; item = item->next, at++) {
        size_t mark = spec_enter_index(in, at);
        result = item->type != JSON_TYPE_NULL ? read(in, item, items + at * size)
                                              : spec_wrong(in, "is null");
        if (result < 0)
            return result;
        spec_leave(in, mark);
    }
    *out_count = value->count;
    memcpy(out_items, &items, sizeof(items)); /* a pointer of whichever type */
    return 0;
}

/* --- numbers --- */

static int wrong_number(struct spec_reader *in, const struct json *value, int why)
{
    if (value->type != JSON_TYPE_NUMBER)
        return spec_type(in, value, JSON_TYPE_NUMBER);
    if (why == -ERANGE)
        return spec_wrong(in, "%.60s is out of range", value->text);
    return spec_wrong(in, "%.60s is not a whole number", value->text);
}

int spec_int_within(struct spec_reader *in, const struct json *value, int64_t least, int64_t most,
                    int64_t *out)
{
    int64_t number;
    int result = json_int(value, &number);
    if (result < 0)
        return wrong_number(in, value, result);
    if (number < least || number > most)
        return spec_wrong(in, "%.60s is out of range (%lld to %lld)", value->text, (long long)least,
                          (long long)most);
    *out = number;
    return 0;
}

int spec_uint_within(struct spec_reader *in, const struct json *value, uint64_t most, uint64_t *out)
{
    uint64_t number = 0;
    int result = json_uint(value, &number);
    if (result < 0)
        return wrong_number(in, value, result);
    if (number > most)
        return spec_wrong(in, "%.60s is out of range (0 to %llu)", value->text,
                          (unsigned long long)most);
    *out = number;
    return 0;
}

int spec_read_oci_int(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_int *number = out;
    int result = spec_int_within(in, value, INT64_MIN, INT64_MAX, &number->value);
    number->set = result == 0;
    return result;
}

int spec_read_oci_uint(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *number = out;
    int result = spec_uint_within(in, value, UINT64_MAX, &number->value);
    number->set = result == 0;
    return result;
}

int spec_read_oci_uint32(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *number = out;
    int result = spec_uint_within(in, value, UINT32_MAX, &number->value);
    number->set = result == 0;
    return result;
}

int spec_read_uint64(struct spec_reader *in, const struct json *value, void *out)
{
    return spec_uint_within(in, value, UINT64_MAX, out);
}

int spec_read_uint32(struct spec_reader *in, const struct json *value, void *out)
{
    uint64_t number = 0;
    int result = spec_uint_within(in, value, UINT32_MAX, &number);
    if (result == 0)
        *(uint32_t *)out = (uint32_t)number;
    return result;
}

/* --- words and texts --- */

int spec_read_bool(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_BOOL);
    if (result == 0)
        *(bool *)out = value->truth;
    return result;
}

int spec_read_oci_bool(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_bool *truth = out;
    int result = spec_read_bool(in, value, &truth->value);
    truth->set = result == 0;
    return result;
}

int spec_read_text(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result == 0)
        *(const char **)out = value->text;
    return result;
}

int spec_read_absolute(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result == 0 && value->text[0] != '/')
        result = spec_wrong(in, "\"%.100s\" is not an absolute path", value->text);
    return result == 0 ? spec_read_text(in, value, out) : result;
}

int spec_read_strings(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_strings *strings = out;
    return spec_read_list(in, value, sizeof(char *), spec_read_text, &strings->count,
                          &strings->items);
}

int spec_read_absolutes(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_strings *strings = out;
    return spec_read_list(in, value, sizeof(char *), spec_read_absolute, &strings->count,
                          &strings->items);
}

int spec_read_pairs(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_pairs *pairs = out;
    int result = spec_type(in, value, JSON_TYPE_OBJECT);
    if (result < 0)
        return result;
    struct oci_pair *items =
        json_arena_alloc(&in->spec->arena, (value->count + 1) * sizeof(*items));
    if (items == NULL)
        return spec_no_memory(in);
    size_t count = 0;
    for (const struct json *item = value->child; item != NULL; item = item->next) {
        size_t mark = spec_enter(in, item->key);
        if (item->key[0] == '\0')
            return spec_wrong(in, "an empty name");
        if ((result = spec_type(in, item, JSON_TYPE_STRING)) < 0)
            return result;
        items[count++] = (struct oci_pair){item->key, item->text};
        spec_leave(in, mark);
    }
    pairs->count = count;
    pairs->items = items;
    return 0;
}

static int read_id_map(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("containerID", spec_read_uint32, struct oci_id_map, container_id),
        SPEC_REQUIRED("hostID", spec_read_uint32, struct oci_id_map, host_id),
        SPEC_REQUIRED("size", spec_read_uint32, struct oci_id_map, size),
    };
    struct oci_id_map *map = out;
    int result = SPEC_READ_OBJECT(in, value, fields, map);
    if (result < 0)
        return result;
    if (map->size == 0)
        return spec_wrong(in, "an id mapping of size 0");
    if (map->size - 1 > UINT32_MAX - map->container_id || map->size - 1 > UINT32_MAX - map->host_id)
        return spec_wrong(in, "an id mapping that exceeds 32 bits");
    return 0;
}

int spec_read_id_maps(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_id_maps *maps = out;
    int result = spec_read_list(in, value, sizeof(struct oci_id_map), read_id_map, &maps->count,
                                &maps->items);
    if (result == 0 && maps->count > 340) /* the kernel's bound */
        result = spec_wrong(in, "%zu mappings; the kernel takes 340", maps->count);
    return result;
}

int spec_read_foreign(struct spec_reader *in, const struct json *value, void *out)
{
    (void)value;
    (void)out;
    return spec_unsupported(in, "is for another platform than linux");
}

/* "0-3,7": numbers and ranges, as the kernel's list format. Empty is none. */
int spec_read_cpu_list(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    if (value->text[0] == '\0')
        return 0;
    bool number = false;
    bool range = false;
    for (const char *at = value->text;; at++) {
        if (*at >= '0' && *at <= '9') {
            number = true;
        } else if (number && (*at == ',' || *at == '\0' || (*at == '-' && !range))) {
            range = *at == '-';
            number = false;
            if (*at == '\0')
                break;
        } else {
            return spec_wrong(in, "\"%.80s\" is not a list like 0-3,7", value->text);
        }
    }
    return spec_read_text(in, value, out);
}
