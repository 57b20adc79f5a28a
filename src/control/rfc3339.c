/* SPDX-License-Identifier: Apache-2.0 */
#include "control/rfc3339.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* `count` digits, a number of least to most; moves on. */
static bool number(const char **at, int count, unsigned int least, unsigned int most,
                   unsigned int *out)
{
    unsigned int value = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit((*at)[i]))
            return false;
        value = value * 10 + (unsigned int)((*at)[i] - '0');
    }
    *at += count;
    *out = value;
    return value >= least && value <= most;
}

static bool mark(const char **at, const char *allowed)
{
    if (**at == '\0' || strchr(allowed, **at) == NULL)
        return false;
    (*at)++;
    return true;
}

static unsigned int days_of(unsigned int year, unsigned int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* Days since 1970-01-01, in eras of 400 years that begin on 1 March. */
static int64_t days_since_1970(unsigned int year, unsigned int month, unsigned int day)
{
    unsigned int shifted = year - (month <= 2); /* year 0 in January: its era is not asked for */
    unsigned int era = shifted / 400, of_era = shifted % 400;
    unsigned int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool fraction(const char **at, unsigned int *out_us)
{
    unsigned int scale = 100000;
    *out_us = 0;
    if (**at != '.')
        return true;
    (*at)++;
    if (!is_digit(**at))
        return false;
    for (; is_digit(**at); (*at)++) {
        *out_us += (unsigned int)(**at - '0') * scale;
        scale /= 10;
    }
    return true;
}

/* Seconds east of UTC, and the end of the text. */
static bool offset(const char *at, int64_t *out_s)
{
    unsigned int hours, minutes;
    int64_t sign = *at == '-' ? -1 : 1;
    *out_s = 0;
    if (mark(&at, "Zz"))
        return *at == '\0';
    if (!mark(&at, "+-") || !number(&at, 2, 0, 23, &hours) || !mark(&at, ":") ||
        !number(&at, 2, 0, 59, &minutes))
        return false;
    *out_s = sign * (int64_t)(hours * 3600 + minutes * 60);
    return *at == '\0';
}

int rfc3339_parse(const char *text, uint64_t *out_us)
{
    unsigned int year, month, day, hour, minute, second, us;
    int64_t east;
    if (!number(&text, 4, 1, 9999, &year) || !mark(&text, "-") ||
        !number(&text, 2, 1, 12, &month) || !mark(&text, "-") ||
        !number(&text, 2, 1, days_of(year, month), &day) || !mark(&text, "Tt ") ||
        !number(&text, 2, 0, 23, &hour) || !mark(&text, ":") || !number(&text, 2, 0, 59, &minute) ||
        !mark(&text, ":") || !number(&text, 2, 0, 60, &second) || !fraction(&text, &us) ||
        !offset(text, &east))
        return -EINVAL;
    int64_t seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 +
                      (second < 60 ? second : 59) - east;
    *out_us = seconds < 0 ? 0 : (uint64_t)seconds * 1000000 + us;
    return 0;
}
