/* SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A non-negative decimal number without sign, exponent, hex or inf; leaves *end after it. */
static int number_parse(const char *text, double *out, const char **end)
{
    size_t digits = strspn(text, "0123456789");
    size_t length = digits;
    if (text[length] == '.') {
        size_t fraction = strspn(text + length + 1, "0123456789");
        digits += fraction;
        length += 1 + fraction;
    }
    if (digits == 0 || length > 30)
        return -EINVAL;
    char copy[32];
    memcpy(copy, text, length);
    copy[length] = '\0';
    *out = strtod(copy, NULL);
    *end = text + length;
    return 0;
}

int size_parse(const char *text, uint64_t *out_bytes)
{
    double value;
    const char *end;
    if (number_parse(text, &value, &end) < 0)
        return -EINVAL;
    static const char suffixes[] = "kmgt";
    if (*end != '\0') {
        char lower = (char)(*end | 0x20);
        const char *at = strchr(suffixes, lower);
        if (at == NULL)
            return -EINVAL;
        value = ldexp(value, 10 * (int)(at - suffixes + 1));
        end++;
        if (*end == 'i')
            end++;
        if (*end == 'B' || *end == 'b')
            end++;
    }
    if (*end != '\0')
        return -EINVAL;
    if (value >= 9e18)
        return -ERANGE;
    *out_bytes = (uint64_t)value;
    return 0;
}

static bool unit_of(const char *text, double *out_ns, size_t *out_length)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    size_t length = strspn(text, "nusmh");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == length && strncmp(text, units[i].name, length) == 0) {
            *out_ns = units[i].ns;
            *out_length = length;
            return true;
        }
    }
    return false;
}

int duration_parse(const char *text, uint64_t *out_ns)
{
    double total = 0;
    const char *at = text;
    do {
        double value, unit = 1e9;
        size_t length = 0;
        if (number_parse(at, &value, &at) < 0)
            return -EINVAL;
        bool bare = *at == '\0';
        if (bare && total > 0)
            return -EINVAL;
        if (!bare && !unit_of(at, &unit, &length))
            return -EINVAL;
        at += length;
        total += value * unit;
    } while (*at != '\0');
    if (total >= 9e18)
        return -ERANGE;
    *out_ns = (uint64_t)total;
    return 0;
}

int cpus_parse(const char *text, uint32_t *out_millis)
{
    double value;
    const char *end;
    if (strcmp(text, "none") == 0) {
        *out_millis = 0;
        return 0;
    }
    if (number_parse(text, &value, &end) < 0)
        return -EINVAL;
    if (*end == 'm' && end[1] == '\0')
        end++;
    else
        value *= 1000;
    if (*end != '\0')
        return -EINVAL;
    if (value < 1 || value > 1024000)
        return -ERANGE;
    *out_millis = (uint32_t)value;
    return 0;
}
